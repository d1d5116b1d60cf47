"""`LiveCommand`: one command under way, from its start until nothing of its tree is left."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import Any, Protocol

from roost.clock import Clock
from roost.drivers.base import DriverProcess, Mark, ProcessExit, SpawnSpec, StopReport
from roost.errors import RoostError
from roost.models import RunError, RunStatus, RunView, StopPhase
from roost.runs.command_order import CommandOrder
from roost.runs.command_output import CommandOutput, Scrubbing
from roost.runs.output_backlog import OutputBacklog
from roost.runs.output_pieces import STDERR, STDOUT
from roost.runs.recorder import RunRecorder
from roost.runs.values import Ending

RECONNECT_S = 2.0
"""Seconds a viewer gets to come back before a command that nobody watches is stopped."""

READ_REST_S = 5.0
"""Seconds to take what a process left behind; its pipes are closed by then."""

logger = logging.getLogger(__name__)


class CommandDriver(Protocol):
    """Starts the processes of commands."""

    def spawn(self, spec: SpawnSpec) -> DriverProcess:
        """Start a process in a session of its own."""
        ...

    async def connect(self, process: DriverProcess) -> None:
        """Attach the process's pipes to the running loop."""
        ...


class LiveCommand:
    """Runs one command and settles its run, whatever happens.

    Args:
        data_id: identity of the data directory, by which leftovers are found.
    """

    def __init__(
        self,
        run: RunView,
        order: CommandOrder,
        *,
        recorder: RunRecorder,
        driver: CommandDriver,
        scrubbing: Scrubbing,
        clock: Clock,
        data_id: str,
    ) -> None:
        self.run = run
        self._order = order
        self._recorder = recorder
        self._driver = driver
        self._scrubbing = scrubbing
        self._clock = clock
        self._data_id = data_id
        self._began = clock.monotonic()
        self._process: DriverProcess | None = None
        self._grace_s = order.stop_grace_s
        self._interruption: Ending | None = None
        self._is_interrupted = asyncio.Event()
        self._is_over = False
        self._leaving: asyncio.Task[None] | None = None
        self._was_watched = False
        self._walk: asyncio.Task[StopReport] | None = None
        self._hurrying: asyncio.Task[StopReport] | None = None
        self._is_gone = False

    def interrupt(self, ending: Ending, *, grace_s: float | None = None) -> bool:
        """Stop the command so that its run ends in this way; the first interruption stays.

        Args:
            grace_s: seconds between TERM and KILL at most; None leaves the command's own.

        Returns:
            False when the command has ended by itself or was interrupted before.
        """
        if grace_s is not None:
            self._hurry(grace_s)
        if self._interruption is not None or self._is_over:
            return False
        self._interruption = ending
        self._is_interrupted.set()
        return True

    def _hurry(self, grace_s: float) -> None:
        self._grace_s = min(self._grace_s, grace_s)
        if self._walk is not None and self._process is not None and not self._walk.done():
            self._hurrying = asyncio.create_task(self._process.stop(grace_s, eof_first=False))

    async def perform(self) -> None:
        """Run the command and settle the run; the top of the command's task."""
        try:
            ending = await self._ending()
        except Exception:
            logger.exception("the command of run %s failed inside the daemon", self.run.id)
            ending = Ending.failed("internal", "the daemon failed at this command; see its log")
        finally:
            await self._leave_nothing()
        if ending is not None:
            await self._recorder.finalize(self.run.workspace, self.run.id, ending)

    async def _ending(self) -> Ending | None:
        try:
            if await self._recorder.started(self.run.id, None) is None:
                return None  # the run was settled before its work began
            if self._interruption is not None:
                return self._interruption
            self._process = self._spawned()
        except RoostError as error:
            return Ending.failed(error.code, error.message)
        return await self._worked(self._process)

    def _spawned(self) -> DriverProcess:
        order = self._order
        self._began = self._clock.monotonic()
        mark = Mark(self._data_id, self.run.id, self.run.workspace, "")
        return self._driver.spawn(SpawnSpec(order.argv, order.env, order.directory, mark))

    async def _worked(self, process: DriverProcess) -> Ending:
        await self._driver.connect(process)
        output = CommandOutput(self._recorder, self.run.id, OutputBacklog())
        readings = self._readings(output, process)
        try:
            await self._ended_or_interrupted(process)
            report = await self._tree_ended(process)
            await asyncio.wait(readings, timeout=READ_REST_S)
            if report.survivors:
                output.note(_survived(report.survivors))
        finally:
            await _cancelled(*readings)
            await output.finish()
        return self._ending_of(report, output)

    def _readings(
        self, output: CommandOutput, process: DriverProcess
    ) -> tuple[asyncio.Task[None], ...]:
        scrub = self._scrubbing(self._order.secrets)
        streams = ((process.stdout, STDOUT), (process.stderr, STDERR))
        return tuple(
            asyncio.create_task(output.read(reader, stream, scrub())) for reader, stream in streams
        )

    async def _leave_nothing(self) -> None:
        """End the tree of a command at which the daemon itself failed."""
        if self._process is not None and not self._is_gone:
            await self._process.stop(0.0, eof_first=False)

    # How it ends

    async def _ended_or_interrupted(self, process: DriverProcess) -> None:
        """Wait for the leader's end, or until it has to be stopped."""
        ended = asyncio.create_task(process.wait())
        interrupted = asyncio.create_task(self._is_interrupted.wait())
        late = asyncio.create_task(self._interrupt_when_late())
        self._recorder.audience.tell(self.run.id, self._count_viewers)
        try:
            await asyncio.wait({ended, interrupted}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._is_over = self._interruption is None
            self._recorder.audience.forget(self.run.id)
            await _cancelled(ended, interrupted, late, *filter(None, [self._leaving]))

    async def _interrupt_when_late(self) -> None:
        limit_s = self._order.time_limit_s
        if limit_s is not None:
            await self._clock.sleep(limit_s)
            sentence = f"{self._order.name!r} was not done after {limit_s:g} s and was stopped"
            self.interrupt(Ending.failed("timed_out", sentence))

    def _count_viewers(self, viewers: int) -> None:
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        self._was_watched = self._was_watched or viewers > 0
        if self._order.stop_when_unwatched and self._was_watched and not viewers:
            self._leaving = asyncio.create_task(self._interrupt_when_left())

    async def _interrupt_when_left(self) -> None:
        await self._clock.sleep(RECONNECT_S)
        self.interrupt(Ending.aborted("stopped", "stopped because its last viewer has left"))

    async def _tree_ended(self, process: DriverProcess) -> StopReport:
        """End what is left of the tree; how far a stop has come is shown while it walks."""
        grace_s = self._grace_s
        walk = self._walk = asyncio.create_task(process.stop(grace_s, eof_first=False))
        if self._interruption is not None:
            await self._show(StopPhase.TERMINATING)
            await asyncio.wait({walk}, timeout=grace_s)
            if not walk.done() or walk.result().used_kill:
                await self._show(StopPhase.KILLING)
        report = await walk
        self._is_gone = not report.survivors
        return report

    async def _show(self, phase: StopPhase) -> None:
        try:
            await self._recorder.set_stop_phase(self.run.id, phase)
        except RoostError as error:
            logger.warning("the stop of run %s is not shown: %s", self.run.id, error)

    def _ending_of(self, report: StopReport, output: CommandOutput) -> Ending:
        exit = report.exit
        result: dict[str, Any] = {
            "exit_code": exit.code if exit else None,
            "signal": exit.signal if exit else None,
            "duration_ms": round((self._clock.monotonic() - self._began) * 1000),
            "dropped_lines": output.dropped_lines,
        }
        ending = self._interruption or self._own_ending(exit, output.last_words)
        if report.survivors:
            result["survivors"] = list(report.survivors)
            ending = _with_survivors(ending, report.survivors)
        return replace(ending, result=result)

    def _own_ending(self, exit: ProcessExit | None, last_words: str) -> Ending:
        if exit is not None and exit.is_clean:
            return Ending(RunStatus.SUCCEEDED)
        how = f"was ended by {exit}" if exit and exit.signal else f"ended with {exit}"
        said = f": {last_words}" if last_words else " and said nothing"
        return Ending.failed("exit", f"{self._order.name!r} {how}{said}")


def _survived(survivors: tuple[int, ...]) -> str:
    pids = ", ".join(map(str, survivors))
    return f"processes of it outlived KILL and are still there: {pids}"


def _with_survivors(ending: Ending, survivors: tuple[int, ...]) -> Ending:
    sentence = _survived(survivors)
    if ending.error is None:
        return Ending.failed("left_over", f"it ended well, but {sentence}")
    error = RunError(ending.error.code, f"{ending.error.sentence}; {sentence}")
    return replace(ending, error=error)


async def _cancelled(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
