"""`Turnover`: the change from one process of a slot to the next, or to none.

Everything here is called by who holds the slot's lock, and leaves the slot in a state that is true
whatever happened: a live incarnation belongs to `running`, `starting` or `stopping` only.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from roost.clock import Clock
from roost.errors import RoostError
from roost.models import Reason, RespawnResult, SlotState, StartStep
from roost.store.base import BundleRows
from roost.supervision.aftermath import Aftermath
from roost.supervision.incarnation import Incarnation, first_of
from roost.supervision.resolver import ResolvedStart
from roost.supervision.results import (
    failed_result,
    result_now,
    stopped_result,
    survivor_sentence,
)
from roost.supervision.slot import BundleSlot
from roost.supervision.start_failures import FieldsMissing, Interrupted, StartFailed
from roost.supervision.starter import Starter

logger = logging.getLogger(__name__)

DEADLY_CAUSES = frozenset({"operator", "credentials"})
"""A start that a person asked for and that fails is dead: it is not tried again by itself."""


class Turnover:
    """Brings slots up and takes them down."""

    def __init__(
        self, *, starter: Starter, bundles: BundleRows, aftermath: Aftermath, clock: Clock
    ) -> None:
        self._starter = starter
        self._bundles = bundles
        self._aftermath = aftermath
        self._clock = clock

    async def bring_up(
        self, slot: BundleSlot, cause: str, actor: str, *, must_end_old: bool = False
    ) -> RespawnResult:
        """Start the next generation, replacing the running one.

        Args:
            must_end_old: end the old process even when the next one cannot be prepared.
        """
        began = self._clock.monotonic()
        self._aftermath.cancel_retry(slot)
        if cause in DEADLY_CAUSES:
            slot.backoff.reset()
        slot.move(SlotState.STARTING, cause=cause, actor=actor, step=StartStep.PREPARE)
        try:
            resolved = await self._starter.resolve(slot)
            incarnation = await self._replace(slot, resolved)
        except FieldsMissing as missing:
            return await self._need_credentials(slot, cause, actor, missing.fields)
        except Interrupted:
            return stopped_result(slot)  # the stop waits for the lock and shows the state
        except StartFailed as failed:
            return await self._fail(slot, cause, actor, failed, must_end_old)
        except Exception:
            # Whatever went wrong in here, a slot must not stay `starting` for ever.
            logger.exception("starting %s failed", slot.label)
            return await self._fail(slot, cause, actor, _surprise(slot), must_end_old)
        return await self._show_running(slot, incarnation, cause, actor, began)

    async def take_down(
        self, slot: BundleSlot, cause: str, actor: str, reason: str | None
    ) -> tuple[int, ...]:
        """Stop what runs; returns the pids that could not be ended."""
        self._aftermath.cancel_retry(slot)
        slot.restart_pending = False
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

    async def _replace(self, slot: BundleSlot, resolved: ResolvedStart) -> Incarnation:
        if slot.incarnation is not None:
            slot.enter_step(StartStep.STOP_OLD)
            try:
                survivors = await self._end_current(slot, slot.definition.settings.drain_s)
            except BaseException:
                resolved.log.close()
                raise
            if survivors:
                resolved.log.close()
                raise _not_ended(slot, survivors)
        return await self._starter.launch(slot, resolved)

    async def _end_current(self, slot: BundleSlot, drain_s: float) -> tuple[int, ...]:
        incarnation = slot.incarnation
        if incarnation is None:
            return ()
        if drain_s > 0:
            # A stop that comes meanwhile cuts the calls instead of waiting for them.
            await first_of(incarnation.drain(drain_s), slot.interrupted.wait())
        try:
            return await self._starter.end(slot, incarnation)
        finally:
            slot.incarnation = None
            slot.set_generation(incarnation.generation)

    async def _show_running(
        self, slot: BundleSlot, incarnation: Incarnation, cause: str, actor: str, began: float
    ) -> RespawnResult:
        link = incarnation.link
        slot.incarnation = incarnation
        slot.generation = incarnation.generation
        slot.missing_fields = ()
        slot.restart_pending = False
        slot.crash = None if cause in DEADLY_CAUSES else slot.crash
        slot.tool_count = len(link.tools) if link is not None else None
        is_new_era = link is not None and slot.era != link.era
        slot.era = link.era if link is not None else slot.era
        slot.move(SlotState.RUNNING, cause=cause, actor=actor)
        incarnation.watch(lambda dead, ended: self._aftermath.on_exit(slot, dead, ended))
        result = replace(
            result_now(slot), duration_ms=round((self._clock.monotonic() - began) * 1000)
        )
        if is_new_era and slot.era is not None:
            await self._keep_era(slot, slot.era)
        return result

    async def _keep_era(self, slot: BundleSlot, era: str) -> None:
        try:
            await self._bundles.set_era(slot.workspace, slot.name, era)
        except RoostError as error:
            logger.warning("the protocol version of %s was not kept: %s", slot.label, error)

    async def _need_credentials(
        self, slot: BundleSlot, cause: str, actor: str, fields: tuple[str, ...]
    ) -> RespawnResult:
        survivors = await self._end_current(slot, drain_s=0.0)
        slot.missing_fields = fields
        if survivors:
            failed = _not_ended(slot, survivors)
            return await self._fail(slot, cause, actor, failed, must_end_old=False)
        reason = Reason(
            "needs_credentials",
            f"{slot.label} needs {', '.join(fields)}; set them with "
            f"`roost credentials {slot.label}`",
        )
        slot.move(SlotState.NEEDS_CREDENTIALS, cause=cause, actor=actor, reason=reason)
        return failed_result(slot, StartStep.CREDENTIALS, reason)

    async def _fail(
        self, slot: BundleSlot, cause: str, actor: str, failed: StartFailed, must_end_old: bool
    ) -> RespawnResult:
        if must_end_old:
            survivors = await self._end_current(slot, drain_s=0.0)
            failed = _not_ended(slot, survivors) if survivors else failed
        reason = Reason(failed.code, failed.sentence)
        old = slot.incarnation
        if old is not None and old.process.exit is None:
            # It failed before the old process was touched, and that one still serves.
            slot.move(SlotState.RUNNING, cause=cause, actor=actor, step=failed.step, reason=reason)
            return failed_result(slot, failed.step, reason)
        if old is not None and old.process.exit is not None:
            self._aftermath.lose(slot, old, old.process.exit)
        slot.crash = failed.crash or slot.crash
        if failed.is_permanent or cause in DEADLY_CAUSES:
            slot.move(SlotState.DEAD, cause=cause, actor=actor, step=failed.step, reason=reason)
        else:
            self._aftermath.start_failed(slot, cause, failed, reason)
        return failed_result(slot, failed.step, reason)


def _not_ended(slot: BundleSlot, survivors: tuple[int, ...]) -> StartFailed:
    sentence = survivor_sentence(slot, survivors)
    return StartFailed(StartStep.STOP_OLD, "not_ended", sentence, is_permanent=True)


def _surprise(slot: BundleSlot) -> StartFailed:
    return StartFailed(
        slot.step or StartStep.PREPARE,
        "internal",
        f"{slot.label} could not be started by a fault of Roost's own; its daemon's log has it",
    )
