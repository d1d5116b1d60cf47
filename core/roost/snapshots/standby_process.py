"""`StandbyProcess`: one loaded process that waits, and becomes the next start's process.

The driver owns it from its spawn on; a start gives it another mark and other pipes. Nothing of a
start is in it before: its environment holds no credential, and its arguments are its own.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial

from roost.drivers.base import DriverProcess, Mark, SpawnSpec
from roost.errors import RestoreFailed, RoostError
from roost.snapshots.backend import TemplatePlan, TemplateReport
from roost.snapshots.guards import HARMLESS_WITHOUT_FORK
from roost.snapshots.launcher import wire
from roost.snapshots.loaded_process import LoadedProcess, LoadedProcesses
from roost.snapshots.start_order import StartOrder, open_order
from roost.snapshots.template_start import STANDBY, Adopter, spawn_template

Orders = Callable[[SpawnSpec], AbstractContextManager[StartOrder]]


class StandbyProcesses(LoadedProcesses[TemplatePlan, "StandbyProcess"]):
    """Parks processes of one Python bundle."""

    def _spawn(self, plan: TemplatePlan) -> StandbyProcess:
        mark = self._mark(STANDBY)
        spawned = spawn_template(self._driver, plan, mark, forks=False)
        orders = partial(open_order, plan)
        return StandbyProcess(self._driver, mark, self._start_bound_s, spawned, orders)


class StandbyProcess(LoadedProcess):
    """A parked process.

    Args:
        driver: owns it, before its start and as that.
        mark: whose it is while it waits.
        start_bound_s: seconds its start may take, without hooks.
        spawned: the process, and our end of its control socket.
        orders: makes what it is told to become; raises `RestoreFailed` where it cannot be that.
    """

    is_lasting = True
    """It is there for a restart after a crash, which may be long in coming."""

    def __init__(
        self,
        driver: Adopter,
        mark: Mark,
        start_bound_s: float,
        spawned: tuple[DriverProcess, socket.socket],
        orders: Orders,
    ) -> None:
        self._is_spent = False
        self._handed_over = asyncio.Event()
        self._parked_bytes: int | None = None
        self._orders = orders
        super().__init__(driver, mark, start_bound_s, spawned)

    @property
    def report(self) -> TemplateReport:
        """What it told once it was loaded, without what matters to a fork only."""
        report = super().report
        problems = (p for p in report.problems if p.guard not in HARMLESS_WITHOUT_FORK)
        return replace(report, problems=tuple(problems))

    @property
    def is_spent(self) -> bool:
        """Whether a start took it, or is about to."""
        return self._is_spent

    async def load(self, bound_s: float) -> None:
        """Wait until it is loaded.

        Raises:
            TemplateFailed: it did not come up.
        """
        await super().load(bound_s)
        self._parked_bytes = await super().measure()

    async def restore(self, spec: SpawnSpec) -> DriverProcess:
        """Hand it over, and return it when its entry is next.

        Args:
            spec: what a cold start would be given.

        Raises:
            RestoreFailed: it was handed over before, or did not come to its entry; then nothing of
                it is left, and nothing of the app has run but what it had loaded and hooks.
        """
        if self._is_spent:
            raise RestoreFailed("its standby was handed over, and the next one is not loaded yet")
        if self._why_gone is not None:
            raise RestoreFailed(f"its standby is gone: {self._why_gone}")
        try:
            with self._orders(spec) as order:
                self._give(order, spec.mark)
        except OSError as error:
            raise RestoreFailed(f"there is no room for its pipes ({error.strerror})") from error
        try:
            await self._pass(order.gate)
        except BaseException as error:
            await asyncio.shield(self._lose(order, error))
            raise
        self._handed_over.set()
        return self._process

    async def measure(self) -> int | None:
        """Return its memory in bytes, as it was when it was parked once it is handed over."""
        return self._parked_bytes if self._is_spent else await super().measure()

    async def close(self) -> None:
        """End it, unless a start took it. Safe to call again."""
        if not self._is_spent:
            await super().close()
        await asyncio.shield(self._end)

    def _give(self, order: StartOrder, mark: Mark) -> None:
        """Tell it what to become, and own it as that, in one step."""
        if not self._control.send(order.message | {"id": 1}, order.descriptors):
            raise RestoreFailed("its standby does not take orders any more")
        try:
            self._driver.hand_over(self._process, order.ends, mark)
        except RoostError as error:
            raise RestoreFailed(error.message) from error
        self._is_spent = True

    async def _lose(self, order: StartOrder, error: BaseException) -> None:
        """End what did not become a start's process."""
        order.gate.close()
        await self._process.stop(0.0, eof_first=False)
        self._note_end(str(error) or "its start was given up")
        # Of a start that nobody waits for any more it is not known whether it would have worked.
        self._is_spent = isinstance(error, asyncio.CancelledError)
        self._handed_over.set()

    async def _see_end(self) -> None:
        """Wait for its end while it is parked, or until what came of its start is known."""
        ended = asyncio.ensure_future(self._process.wait())
        handed_over = asyncio.ensure_future(self._handed_over.wait())
        try:
            await asyncio.wait({ended, handed_over}, return_when=asyncio.FIRST_COMPLETED)
            if self._is_spent:  # whatever it does now, it does as the start's process
                await handed_over
        finally:
            ended.cancel()
            handed_over.cancel()
        if not self._handed_over.is_set():
            await super()._see_end()
            return
        self._note_end("it was handed over")
        self._control.close()
        for tail in self._tails:
            await tail.finish()

    def _hear_of_start(self, message: wire.Message, descriptors: list[int]) -> None:
        """Nothing is said of a start but through its gate."""
