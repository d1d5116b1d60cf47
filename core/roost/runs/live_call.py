"""`LiveCall`: one tool call under way, from its start to the end of its run."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field, replace
from typing import Any

from roost.clock import Clock
from roost.errors import RoostError
from roost.models import RunProgress, RunStatus, RunView, StopPhase
from roost.runs.caller import CallEnded, ToolAnswer, ToolCaller
from roost.runs.payload import UNSCRUBBED
from roost.runs.places import Place
from roost.runs.progress_log import ProgressLog
from roost.runs.recorder import RunRecorder
from roost.runs.values import Ending
from roost.runs.withdrawal import Withdrawal
from roost.vault import Scrubber

LET_GO_S = 5.0
"""Seconds a cancelled call gets to tell its server; after that its run ends all the same."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CallOrder:
    """What is called and how long it may take, in seconds."""

    workspace: str
    bundle: str
    tool: str
    arguments: dict[str, Any]
    idle_s: float
    cap_s: float
    hidden: tuple[str, ...] = field(default=(), repr=False)
    """Secret arguments; what the tool repeats of them is not kept either."""


class LiveCall:
    """Makes one call and settles its run, whatever happens.

    Args:
        place: asked for already; the call waits until it is given, and leaves it.
    """

    def __init__(
        self,
        run: RunView,
        order: CallOrder,
        *,
        recorder: RunRecorder,
        caller: ToolCaller,
        clock: Clock,
        place: Place,
    ) -> None:
        self.run = run
        self._place = place
        self._veil = Scrubber(order.hidden)
        self._order = order
        self._recorder = recorder
        self._caller = caller
        self._clock = clock
        self._progress = ProgressLog(recorder, run.id)
        self._withdrawal = Withdrawal(clock, idle_s=order.idle_s, cap_s=order.cap_s)
        self._work: asyncio.Task[ToolAnswer] | None = None
        self._interruption: Ending | None = None
        self._is_interrupted = asyncio.Event()
        self._is_abandoned = asyncio.Event()
        self._is_shown_ignored = asyncio.Event()
        self.has_seen_end = False
        """Whether it was stopped and the end of its work was seen."""

    def interrupt(self, ending: Ending) -> bool:
        """Cancel the call so that its run ends in this way at once; the first interruption stays.

        Returns:
            False when the call has answered or was interrupted before.
        """
        if not self._take(ending):
            return False
        if self._work is not None:
            self._work.cancel()
        return True

    def stop(self, ending: Ending) -> bool:
        """Cancel the call so that its run ends in this way once its work was seen to end.

        Returns:
            False when the call has answered or was interrupted before.
        """
        if not self._take(ending):
            return False
        self._withdrawal.ask()
        return True

    def abandon(self) -> None:
        """Wait no longer for the end of work that was stopped."""
        self._is_abandoned.set()

    async def wait_ignored(self) -> None:
        """Wait until the run shows that its server works on although it was stopped."""
        await self._is_shown_ignored.wait()

    def _take(self, ending: Ending) -> bool:
        if self._interruption is not None or (self._work is not None and self._work.done()):
            return False
        self._interruption = ending
        self._is_interrupted.set()
        return True

    async def perform(self) -> None:
        """Make the call and settle the run; the top of the call's task."""
        try:
            ending = await self._ending()
        except Exception:
            logger.exception("the call of run %s failed inside the daemon", self.run.id)
            ending = Ending.failed("internal", "the daemon failed at this call; see its log")
        finally:
            self._place.leave()
        if ending is not None:
            await self._recorder.finalize(self.run.workspace, self.run.id, ending)

    async def _ending(self) -> Ending | None:
        order = self._order
        if not self._place.is_given:
            await self._wait_for_place()
        if self._interruption is not None:
            return self._interruption
        try:
            # Only now: since the call was begun another generation may have taken over.
            generation = self._caller.generation(order.workspace, order.bundle)
            started = await self._recorder.started(self.run.id, generation)
        except RoostError as error:
            return Ending.failed(error.code, error.message)
        if started is None:
            return None  # the run was settled before its work began
        if self._interruption is not None:
            self.has_seen_end = self._withdrawal.is_asked  # nothing was called
            return self._interruption
        self._withdrawal.begin()
        work = self._work = asyncio.create_task(self._call(), name=f"call {self.run.id}")
        await self._answered_or_interrupted(work)
        await self._progress.finish()
        return self._ending_of(work)

    async def _wait_for_place(self) -> None:
        """Wait as a pending run until the bundle has room or the call is interrupted."""
        try:
            await self._recorder.output(self.run.id, self._place.awaited)
        except RoostError as error:
            logger.warning("the wait of run %s is not noted: %s", self.run.id, error)
        given = asyncio.create_task(self._place.wait())
        interrupted = asyncio.create_task(self._is_interrupted.wait())
        await asyncio.wait({given, interrupted}, return_when=asyncio.FIRST_COMPLETED)
        given.cancel()
        interrupted.cancel()
        await asyncio.gather(given, interrupted, return_exceptions=True)

    async def _call(self) -> ToolAnswer:
        order = self._order
        answer = await self._caller.call(
            order.workspace,
            order.bundle,
            order.tool,
            order.arguments,
            self._note_progress,
            self._withdrawal,
        )
        return self._veiled(answer) if self._veil else answer

    def _veiled(self, answer: ToolAnswer) -> ToolAnswer:
        try:
            content = self._veil.json(answer.content)
        except RecursionError:
            content = UNSCRUBBED
        return replace(answer, content=content, text=self._veil.text(answer.text))

    def _note_progress(self, progress: RunProgress) -> None:
        self._withdrawal.reported()
        if self._veil and progress.message:
            progress = replace(progress, message=self._veil.text(progress.message))
        self._progress.put(progress)

    async def _answered_or_interrupted(self, work: asyncio.Task[ToolAnswer]) -> None:
        interrupted = asyncio.create_task(self._is_interrupted.wait())
        deadline = asyncio.create_task(self._interrupt_when_late())
        try:
            await asyncio.wait({work, interrupted}, return_when=asyncio.FIRST_COMPLETED)
            if self._withdrawal.is_asked:
                await self._see_end(work)
            if not work.done():
                await self._let_go(work)
        finally:
            interrupted.cancel()
            deadline.cancel()
            await asyncio.gather(interrupted, deadline, return_exceptions=True)

    async def _see_end(self, work: asyncio.Task[ToolAnswer]) -> None:
        """Wait until stopped work has ended, or nothing more is to be heard of it."""
        silence = asyncio.create_task(self._fall_silent())
        ignored = asyncio.create_task(self._withdrawal.ignored.wait())
        abandoned = asyncio.create_task(self._is_abandoned.wait())
        waits: list[asyncio.Task[Any]] = [silence, ignored, abandoned]
        try:
            await asyncio.wait({work, *waits}, return_when=asyncio.FIRST_COMPLETED)
            if ignored.done() and not work.done():
                await self._show_ignored()
                await asyncio.wait({work, silence, abandoned}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        self.has_seen_end = work.done()
        work.cancel()

    async def _fall_silent(self) -> None:
        while (left := self._withdrawal.silence_left()) > 0:
            await self._clock.sleep(left)

    async def _show_ignored(self) -> None:
        """Show that the server works on; a store that is down hides that and no more."""
        text = f"{self._order.bundle} goes on with the call although it was cancelled"
        try:
            await self._recorder.set_stop_phase(self.run.id, StopPhase.IGNORED, text)
        except RoostError as error:
            logger.warning(
                "that the stop of run %s is ignored is not shown: %s", self.run.id, error
            )
        self._is_shown_ignored.set()

    async def _let_go(self, work: asyncio.Task[ToolAnswer]) -> None:
        patience = asyncio.create_task(self._clock.sleep(LET_GO_S))
        await asyncio.wait({work, patience}, return_when=asyncio.FIRST_COMPLETED)
        patience.cancel()
        if not work.done():
            logger.warning("the call of run %s does not end although cancelled", self.run.id)
            work.add_done_callback(_look_away)

    async def _interrupt_when_late(self) -> None:
        while True:
            idle_left, cap_left = self._withdrawal.idle_left(), self._withdrawal.cap_left()
            if cap_left <= 0:
                self.interrupt(self._too_long())
                return
            if idle_left <= 0:
                self.interrupt(self._too_quiet())
                return
            await self._clock.sleep(min(idle_left, cap_left))

    def _too_quiet(self) -> Ending:
        order = self._order
        return Ending.failed(
            "timed_out",
            f"{order.tool!r} reported nothing for {order.idle_s:g} s and was cancelled; give the "
            f"call a longer idle time-out or raise call_idle_s of {order.bundle!r}",
        )

    def _too_long(self) -> Ending:
        order = self._order
        return Ending.failed(
            "timed_out",
            f"{order.tool!r} was not done after {order.cap_s:g} s and was cancelled; give the call "
            f"a longer cap or raise call_cap_s of {order.bundle!r}",
        )

    def _ending_of(self, work: asyncio.Task[ToolAnswer]) -> Ending:
        if self._interruption is not None:
            if work.done():
                _look_away(work)
            if not self._withdrawal.is_asked or self.has_seen_end:
                return self._interruption
            return _without_end(self._interruption)
        if work.cancelled():
            return Ending.failed("lost", "the call was cut off and nobody knows how far it came")
        error = work.exception()
        if error is None:
            return _ending_of_answer(self._order.tool, work.result())
        if isinstance(error, CallEnded):
            return Ending.failed(error.code, self._veil.text(error.sentence))
        if isinstance(error, RoostError):
            return Ending.failed(error.code, error.message)
        raise error


def _without_end(ending: Ending) -> Ending:
    """Return an end of a run whose work may go on."""
    if ending.error is None:
        return ending
    sentence = f"{ending.error.sentence}; no end of its work was seen"
    return replace(ending, error=replace(ending.error, sentence=sentence))


def _ending_of_answer(tool: str, answer: ToolAnswer) -> Ending:
    if not answer.is_error:
        return Ending(RunStatus.SUCCEEDED, result=answer.content)
    sentence = answer.text.strip() or f"{tool!r} answered with an error and no text"
    return Ending.failed("tool_error", sentence, answer.content)


def _look_away(work: asyncio.Task[ToolAnswer]) -> None:
    """Take the outcome of a call whose run has ended without it."""
    if not work.cancelled():
        work.exception()
