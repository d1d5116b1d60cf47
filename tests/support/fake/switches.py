"""Recorded calls and what tests have switched on, shared by all facades of one fake."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from roost.errors import RoostError
from roost.models import StartStep, StopPhase


@dataclass(frozen=True, slots=True)
class Call:
    """One recorded call: the method, what it was given and who called."""

    method: str
    arguments: dict[str, Any]
    actor: str


@dataclass(frozen=True, slots=True)
class Resistance:
    """How far the stop of a run comes before the test goes on with it."""

    phase: StopPhase
    respawn: str | None = None
    """The bundle that the outcome offers to respawn; the stop then does not wait."""
    would_cut: tuple[str, ...] = ()


class Switches:
    """Mutable switches that all facades of one fake share."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.refusals: list[RoostError] = []
        self.failing_start: tuple[StartStep, str] | None = None
        self.start_gate = asyncio.Event()
        self.start_gate.set()
        self.scan_gate = asyncio.Event()
        self.scan_gate.set()
        self.build_gate = asyncio.Event()
        self.build_gate.set()
        self.build_end: dict[str, Any] = {}
        """What the views of snapshots end as, where a build does not make one."""
        self.tasks: set[asyncio.Task[None]] = set()
        self.run_count = 0
        self.resisting: dict[str, Resistance] = {}
        """What the stop of a run meets, by its id."""

    def spawn(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Run something in a task that is kept until it ends."""
        task = asyncio.create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
