"""`Handover`: the next generation is started beside the running one and takes its place.

The running process goes on serving until the candidate has shown that it can, in a step without an
await between; then it is drained and ended. A candidate that fails costs nothing but itself.
Everything here is called by who holds the slot's lock, which is held until the old process is gone.
"""

from __future__ import annotations

from dataclasses import replace

from roost.clock import Clock
from roost.models import Reason, RespawnResult, SlotState, StartStep
from roost.supervision.aftermath import Aftermath
from roost.supervision.incarnation import Incarnation, crash_reason, first_of
from roost.supervision.link import CallEnded
from roost.supervision.outcomes import DEADLY_CAUSES, Outcomes, as_failure, not_ended
from roost.supervision.results import failed_result, result_now
from roost.supervision.slot import BundleSlot
from roost.supervision.start_failures import FieldsMissing, Interrupted, StartFailed
from roost.supervision.starter import Starter

CLIENTS_POLL_S = 0.2
"""Between two looks at who is still connected to a process that is being drained."""


class Handover:
    """Replaces processes without a moment in which none of them serves."""

    def __init__(
        self, *, starter: Starter, outcomes: Outcomes, aftermath: Aftermath, clock: Clock
    ) -> None:
        self._starter = starter
        self._outcomes = outcomes
        self._aftermath = aftermath
        self._clock = clock

    async def run(
        self, slot: BundleSlot, cause: str, actor: str, began: float
    ) -> RespawnResult | None:
        """Start the next generation beside the running one and let it take over.

        The slot stays `running` meanwhile. A running process that dies under the handover leaves
        the slot `starting`, for the candidate is what will serve next.

        Returns:
            None when it gave up for something that waits for the slot's lock.
        """
        former_crash = slot.crash
        slot.is_handing_over = True
        slot.step, slot.reason = StartStep.PREPARE, None
        slot.publish_view()
        try:
            candidate = await self._start(slot)
        except Interrupted:
            self._give_up(slot)
            return None
        except Exception as error:  # noqa: BLE001 - a slot must not stay in its handover for ever
            return self._fail(slot, cause, actor, error)
        finally:
            slot.is_handing_over = False
            slot.candidate = None
        if slot.crash is former_crash and cause in DEADLY_CAUSES:
            slot.crash = None
        return await self._promote(slot, candidate, cause, actor, began)

    async def _start(self, slot: BundleSlot) -> Incarnation:
        try:
            resolved = await self._starter.resolve(slot)
            candidate = await self._starter.launch(slot, resolved)
            await self._check_alive(slot, candidate)
        except Exception:
            await self._see_end_of_old(slot)
            raise
        return candidate

    async def _check_alive(self, slot: BundleSlot, candidate: Incarnation) -> None:
        """Refuse a candidate that was ready and has ended since.

        Raises:
            StartFailed: nothing is left of it.
        """
        ended = candidate.process.exit
        if ended is None:
            return
        await candidate.finish_output()
        crash = candidate.crash_record(self._clock.now(), ended, slot.step)
        await self._starter.end(slot, candidate)
        sentence = crash_reason(slot.label, crash).sentence
        raise StartFailed(slot.step or StartStep.READINESS, "exited", sentence, crash=crash)

    async def _see_end_of_old(self, slot: BundleSlot) -> None:
        """Take notice of an end of the running process that nobody has reported yet."""
        old = slot.incarnation
        if old is None or old.process.exit is None:
            return
        await old.finish_output()
        if slot.incarnation is old:
            self._aftermath.on_exit(slot, old, old.process.exit)

    def _give_up(self, slot: BundleSlot) -> None:
        if slot.state is SlotState.RUNNING:
            slot.step, slot.candidate = None, None
            slot.publish_view()

    def _fail(self, slot: BundleSlot, cause: str, actor: str, error: Exception) -> RespawnResult:
        if isinstance(error, FieldsMissing):
            slot.missing_fields = error.fields
        if slot.incarnation is not None:
            return self._outcomes.old_serves(slot, cause, actor, as_failure(slot, error))
        slot.candidate = None
        if isinstance(error, FieldsMissing):
            return self._outcomes.lacks(slot, cause, actor, error.fields)
        # The one that served died by itself, so the next one is tried by itself too.
        failed = as_failure(slot, error)
        return self._outcomes.fell(slot, cause, actor, failed, is_deadly=False)

    async def _promote(
        self, slot: BundleSlot, candidate: Incarnation, cause: str, actor: str, began: float
    ) -> RespawnResult:
        old, era = slot.incarnation, slot.era
        self._outcomes.serve(slot, candidate, cause, actor)
        duration_ms = round((self._clock.monotonic() - began) * 1000)
        survivors = await self._retire(slot, old) if old is not None else ()
        await self._outcomes.keep_era(slot, era)
        return self._answer(slot, candidate, survivors, duration_ms)

    async def _retire(self, slot: BundleSlot, old: Incarnation) -> tuple[int, ...]:
        """Let the old process finish what it has begun, then end it."""
        drain_s = slot.definition.settings.drain_s
        work = old.drain(drain_s) if old.link is not None else self._see_clients_off(old, drain_s)
        await first_of(work, slot.interrupted.wait(), old.process.wait())
        if old.process.exit is not None and old.link is not None:
            old.link.end_calls(CallEnded.lost())
        return await self._starter.end(slot, old)

    async def _see_clients_off(self, old: Incarnation, seconds: float) -> None:
        """Wait until nobody is connected any more; where that cannot be told, the whole time."""
        until = self._clock.monotonic() + seconds
        while (left := until - self._clock.monotonic()) > 0:
            if await old.process.clients() == 0:
                return
            await self._clock.sleep(min(CLIENTS_POLL_S, left))

    def _answer(
        self,
        slot: BundleSlot,
        candidate: Incarnation,
        survivors: tuple[int, ...],
        duration_ms: int,
    ) -> RespawnResult:
        if slot.incarnation is not candidate and slot.reason is not None:
            # It took over and has ended since.
            return failed_result(slot, slot.step, slot.reason)
        answer = replace(result_now(slot), duration_ms=duration_ms)
        if not survivors:
            return answer
        left = not_ended(slot, survivors)
        sentence = f"{answer.sentence}, but {left.sentence.removeprefix(slot.label).strip()}"
        slot.reason = Reason(left.code, sentence)
        slot.publish_view()
        return replace(answer, ok=False, code=left.code, step=left.step, sentence=sentence)
