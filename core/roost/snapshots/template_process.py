"""`TemplateProcess`: a living template, as the daemon sees it; see `launcher.wire` for its words.

It is a process of the driver like any other, in a session of its own and marked as its bundle's,
but a tree apart: what is started from it is owned from the moment in which the template tells of
it, and runs nothing of the app before that. Ending the template does not touch it.
"""

from __future__ import annotations

import asyncio
import os

from roost.drivers.adopted import ForkedProcess
from roost.drivers.base import DriverProcess, Mark, ProcessExit, SpawnSpec
from roost.drivers.exits import from_returncode
from roost.errors import RestoreFailed, RoostError
from roost.snapshots.backend import TemplatePlan
from roost.snapshots.launcher import wire
from roost.snapshots.loaded_process import LoadedProcess, LoadedProcesses
from roost.snapshots.start_order import StartOrder, open_order
from roost.snapshots.template_start import TEMPLATE, Adopter, spawn_template


class TemplateProcesses(LoadedProcesses[TemplatePlan, "TemplateProcess"]):
    """Makes the templates of one bundle."""

    def _spawn(self, plan: TemplatePlan) -> TemplateProcess:
        return TemplateProcess(self._driver, plan, self._mark(TEMPLATE), self._start_bound_s)


class TemplateProcess(LoadedProcess):
    """A template; made by `TemplateProcesses`.

    Raises:
        TemplateFailed: its interpreter cannot be started.
    """

    is_spent = False
    """Any number of processes are started from it."""

    is_lasting = False

    def __init__(
        self, driver: Adopter, plan: TemplatePlan, mark: Mark, start_bound_s: float
    ) -> None:
        self._count = 0
        self._starts: dict[int, _Start] = {}
        self._owned: set[int] = set()
        """Pids of what was adopted and not let go yet."""
        self._reports: dict[int, ProcessExit] = {}
        self._plan = plan
        super().__init__(driver, mark, start_bound_s, spawn_template(driver, plan, mark))

    async def restore(self, spec: SpawnSpec) -> DriverProcess:
        """Start a process from it, and return it when its entry is next.

        Args:
            spec: what a cold start would be given.

        Raises:
            RestoreFailed: it did not; nothing of it is left, and nothing of the app has run but
                hooks.
        """
        if self._why_gone is not None:
            raise RestoreFailed(f"its template is gone: {self._why_gone}")
        try:
            with open_order(self._plan, spec) as order:
                start = _Start(order, spec.mark, self._loop.create_future())
                self._send(start)
        except OSError as error:
            raise RestoreFailed(f"there is no room for its pipes ({error.strerror})") from error
        try:
            return await self._follow(start)
        except BaseException:
            await asyncio.shield(self._abandon(start))
            raise

    # What the driver asks about what it has adopted -----------------------------------------------

    def reported(self, pid: int) -> ProcessExit | None:
        """Return how a process ended, once the template has told."""
        return self._reports.get(pid)

    def let_go(self, pid: int) -> None:
        """Have an ended process reaped."""
        self._owned.discard(pid)
        self._reports.pop(pid, None)
        self._control.send({"op": "reap", "pid": pid})

    # A start --------------------------------------------------------------------------------------

    def _send(self, start: _Start) -> None:
        self._count += 1
        start.number = self._count
        self._starts[start.number] = start
        message = start.order.message | {"id": start.number}
        if not self._control.send(message, start.order.descriptors):
            del self._starts[start.number]
            raise RestoreFailed("its template does not take orders any more")

    async def _follow(self, start: _Start) -> DriverProcess:
        try:
            async with asyncio.timeout(self._start_bound_s):
                process = await start.adopted
        except TimeoutError:
            self.give_up("it did not start a process in time")
            raise RestoreFailed("its template did not answer in time and was ended") from None
        await self._pass(start.order.gate)
        return process

    async def _abandon(self, start: _Start) -> None:
        """End what became of a start that failed or was cancelled."""
        self._starts.pop(start.number, None)
        start.order.gate.close()
        adopted = start.adopted
        if adopted.done() and not adopted.cancelled() and adopted.exception() is None:
            await adopted.result().stop(0.0, eof_first=False)
        elif start.order.ends is not None:
            start.order.ends.close()

    # What it says ---------------------------------------------------------------------------------

    def _hear_of_start(self, message: wire.Message, descriptors: list[int]) -> None:
        match message["ev"]:
            case "started":
                self._adopt(message, descriptors.pop())
            case "refused":
                start = self._starts.pop(message["id"], None)
                if start is not None:
                    start.fail(RestoreFailed(message["reason"]))
            case "exit":
                self._take_exit(message["pid"], message["status"])

    def _adopt(self, message: wire.Message, pidfd: int) -> None:
        """Own what was forked, in the same step in which it is heard of."""
        start = self._starts.pop(message["id"], None)
        if start is None or start.adopted.done():
            os.close(pidfd)  # nobody wants it any more: its gate is closed, so it ends
            return
        pid: int = message["pid"]
        assert start.order.ends is not None, "a copy has pipes of its own"
        try:
            forked = ForkedProcess(pid, pidfd, start.order.ends, self)
            process = self._driver.adopt(forked, start.mark)
        except RoostError as error:
            os.close(pidfd)
            start.fail(RestoreFailed(error.message))
            return
        self._owned.add(pid)
        start.adopted.set_result(process)

    def _take_exit(self, pid: int, status: int) -> None:
        if pid in self._owned:
            self._reports[pid] = from_returncode(os.waitstatus_to_exitcode(status))
        else:
            self.let_go(pid)

    def _fail_all(self) -> None:
        starts, self._starts = self._starts, {}
        for start in starts.values():
            start.fail(RestoreFailed("its template has ended"))
        super()._fail_all()


class _Start:
    """A start under way; what is adopted comes by `adopted`."""

    def __init__(
        self, order: StartOrder, mark: Mark, adopted: asyncio.Future[DriverProcess]
    ) -> None:
        self.number = 0
        self.order = order
        self.mark = mark
        self.adopted = adopted

    def fail(self, error: RestoreFailed) -> None:
        if not self.adopted.done():
            self.adopted.set_exception(error)
            self.adopted.exception()  # a cancelled start asks no more
