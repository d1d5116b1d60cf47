"""`NodeTemplate`: a snapshot on disk, from which each start begins a Node process of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from roost.drivers.base import DriverProcess, SpawnSpec
from roost.errors import RestoreFailed, RoostError
from roost.snapshots.backend import TemplateReport
from roost.snapshots.entry import Entry


class Spawning(Protocol):
    """The driver's side: starts processes."""

    def spawn(self, spec: SpawnSpec) -> DriverProcess: ...

    async def connect(self, process: DriverProcess) -> None: ...


class NodeTemplate:
    """It costs no memory while nothing is started from it.

    Args:
        driver: owns what is started.
        entry: what a plain start runs.
        words: what stands in its command in place of Node, its options and the script.
        loaded: how many files are in it.
        objection: returns why it cannot be used any more, if that is so.
    """

    def __init__(
        self,
        driver: Spawning,
        entry: Entry,
        words: tuple[str, ...],
        loaded: int,
        objection: Callable[[], str | None],
    ) -> None:
        self._driver = driver
        self._entry = entry
        self._words = words
        self._objection = objection
        self._closed = asyncio.Event()
        self.report = TemplateReport(loaded=loaded)

    @property
    def is_spent(self) -> bool:
        """Whether nothing more is started from it: any number of starts is."""
        return False

    @property
    def is_lasting(self) -> bool:
        """Whether it is kept however long no start uses it: it costs nothing."""
        return True

    async def restore(self, spec: SpawnSpec) -> DriverProcess:
        """Start a process from it.

        Raises:
            RestoreFailed: it started none.
        """
        objection = self._objection()
        if objection is not None:
            raise RestoreFailed(objection)
        argv = (*self._words, *spec.argv[self._entry.own_argv + 1 :])
        try:
            return self._driver.spawn(replace(spec, argv=argv))
        except RoostError as error:
            raise RestoreFailed(error.message) from error

    async def measure(self) -> int | None:
        """Return nothing: it has no process."""
        return None

    async def close(self) -> None:
        """Use it no more; its files stay for the next start."""
        self._closed.set()

    async def wait_gone(self) -> str:
        """Wait until it is closed."""
        await self._closed.wait()
        return "it was closed"
