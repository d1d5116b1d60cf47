"""Recorded calls and what tests have switched on, shared by all facades of one fake."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from roost.errors import RoostError
from roost.models import StartStep


@dataclass(frozen=True, slots=True)
class Call:
    """One recorded call: the method, what it was given and who called."""

    method: str
    arguments: dict[str, Any]
    actor: str


class Switches:
    """Mutable switches that all facades of one fake share."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.refusals: list[RoostError] = []
        self.failing_start: tuple[StartStep, str] | None = None
        self.start_gate = asyncio.Event()
        self.start_gate.set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.run_count = 0

    def spawn(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Run something in a task that is kept until it ends."""
        task = asyncio.create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
