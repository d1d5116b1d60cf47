"""`Turnover`: the change from one process of a slot to the next, or to none.

Everything here is called by who holds the slot's lock, and leaves the slot in a state that is true
whatever happened: a live incarnation belongs to `running`, `starting` or `stopping` only.
"""

from __future__ import annotations

from dataclasses import replace

from roost.clock import Clock
from roost.models import Reason, RespawnResult, SlotState, StartStep
from roost.models.handover import hands_over
from roost.store.base import BundleRows
from roost.supervision.aftermath import Aftermath
from roost.supervision.handover import Handover
from roost.supervision.incarnation import Incarnation, first_of
from roost.supervision.late_write import LateWrite
from roost.supervision.outcomes import DEADLY_CAUSES, Outcomes, as_failure, not_ended
from roost.supervision.resolver import ResolvedStart
from roost.supervision.results import result_now, survivor_sentence
from roost.supervision.slot import BundleSlot
from roost.supervision.start_failures import FieldsMissing, Interrupted
from roost.supervision.starter import Starter


class Turnover:
    """Brings slots up and takes them down."""

    def __init__(
        self, *, starter: Starter, bundles: BundleRows, aftermath: Aftermath, clock: Clock
    ) -> None:
        self._starter = starter
        self._aftermath = aftermath
        self._clock = clock
        self._outcomes = Outcomes(bundles=bundles, aftermath=aftermath)
        self._handover = Handover(
            starter=starter, outcomes=self._outcomes, aftermath=aftermath, clock=clock
        )

    async def bring_up(
        self, slot: BundleSlot, cause: str, actor: str, *, must_end_old: bool = False
    ) -> RespawnResult | None:
        """Start the next generation in place of the running one, as the bundle's strategy says.

        Args:
            must_end_old: end the old process at once and whatever comes of the next one, because
                it holds a credential that was taken away.

        Returns:
            None when it gave up for something that waits for the slot's lock and will leave the
            slot in a state of its own.
        """
        began = self._clock.monotonic()
        self._aftermath.cancel_retry(slot)
        if cause in DEADLY_CAUSES:
            slot.backoff.reset()
        is_serving = slot.state is SlotState.RUNNING and slot.is_alive
        if is_serving and not must_end_old and hands_over(slot.definition):
            return await self._handover.run(slot, cause, actor, began)
        return await self._replace(slot, cause, actor, began, must_end_old)

    async def take_down(
        self, slot: BundleSlot, cause: str, actor: str, reason: str | None
    ) -> tuple[int, ...]:
        """Stop what runs; returns the pids that could not be ended."""
        self._aftermath.cancel_retry(slot)
        slot.has_failed_respawn = False
        if cause == "operator":
            slot.backoff.reset()
        told = Reason("stopped", reason) if reason else None
        if slot.incarnation is None:
            if slot.state is not SlotState.STOPPED:
                slot.move(SlotState.STOPPED, cause=cause, actor=actor, reason=told)
            return ()
        slot.move(SlotState.STOPPING, cause=cause, actor=actor, reason=told)
        survivors = await self._end_current(slot, drain_s=0.0)
        if survivors:
            told = Reason("not_ended", survivor_sentence(slot, survivors))
            slot.move(SlotState.DEAD, cause=cause, actor=actor, reason=told)
        else:
            slot.move(SlotState.STOPPED, cause=cause, actor=actor, reason=told)
        return survivors

    async def _replace(
        self, slot: BundleSlot, cause: str, actor: str, began: float, must_end_old: bool
    ) -> RespawnResult | None:
        era = slot.era
        self._show_starting(slot, cause, actor)
        try:
            if must_end_old:
                await _write_now(await self._stop_old(slot, drain_s=0.0))
            resolved = await self._starter.resolve(slot)
            incarnation = await self._succeed(slot, resolved)
        except Interrupted:
            return None
        except Exception as error:  # noqa: BLE001 - a slot must not stay `starting` for ever
            return await self._fail(slot, cause, actor, error)
        slot.crash = None if cause in DEADLY_CAUSES else slot.crash
        self._outcomes.serve(slot, incarnation, cause, actor)
        duration_ms = round((self._clock.monotonic() - began) * 1000)
        answer = replace(result_now(slot), duration_ms=duration_ms)
        await self._outcomes.keep_era(slot, era)
        return answer

    def _show_starting(self, slot: BundleSlot, cause: str, actor: str) -> None:
        if slot.state is SlotState.STARTING:  # what gave up for this one has left it so
            slot.enter_step(StartStep.PREPARE)
        else:
            slot.move(SlotState.STARTING, cause=cause, actor=actor, step=StartStep.PREPARE)

    async def _succeed(self, slot: BundleSlot, resolved: ResolvedStart) -> Incarnation:
        """End the old process, now that its successor can be started, and start that."""
        try:
            kept = await self._stop_old(slot, slot.definition.settings.drain_s)
        except BaseException:
            resolved.log.close()
            raise
        try:
            return await self._starter.launch(slot, resolved)
        finally:
            await _write_now(kept)

    async def _stop_old(self, slot: BundleSlot, drain_s: float) -> LateWrite | None:
        """End the old process; returns what keeps its end, which the next start need not await."""
        if slot.incarnation is None:
            return None
        slot.enter_step(StartStep.STOP_OLD)
        survivors, kept = await self._end_unrecorded(slot, drain_s)
        if survivors:
            await _write_now(kept)
            raise not_ended(slot, survivors)
        return kept

    async def _end_current(self, slot: BundleSlot, drain_s: float) -> tuple[int, ...]:
        if slot.incarnation is None:
            return ()
        survivors, kept = await self._end_unrecorded(slot, drain_s)
        await _write_now(kept)
        return survivors

    async def _end_unrecorded(
        self, slot: BundleSlot, drain_s: float
    ) -> tuple[tuple[int, ...], LateWrite | None]:
        incarnation = slot.incarnation
        assert incarnation is not None
        if drain_s > 0:
            # A stop that comes meanwhile cuts the calls instead of waiting for them.
            await first_of(incarnation.drain(drain_s), slot.interrupted.wait())
        try:
            return await self._starter.end_unrecorded(slot, incarnation)
        finally:
            slot.incarnation = None
            slot.set_generation(incarnation.generation)

    async def _fail(
        self, slot: BundleSlot, cause: str, actor: str, error: Exception
    ) -> RespawnResult:
        failed = as_failure(slot, error)
        if isinstance(error, FieldsMissing):
            survivors = await self._end_current(slot, drain_s=0.0)
            if not survivors:
                return self._outcomes.lacks(slot, cause, actor, error.fields)
            slot.missing_fields, failed = error.fields, not_ended(slot, survivors)
        old = slot.incarnation
        if old is not None and old.process.exit is None:
            # It failed before the old process was touched, and that one still serves.
            return self._outcomes.old_serves(slot, cause, actor, failed)
        if old is not None and old.process.exit is not None:
            self._aftermath.lose(slot, old, old.process.exit)
        return self._outcomes.fell(slot, cause, actor, failed)


async def _write_now(kept: LateWrite | None) -> None:
    if kept is not None:
        await kept.now()
