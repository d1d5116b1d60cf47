"""`Outcomes`: what a slot shows and does once a start has ended, well or badly.

Everything here is called by who holds the slot's lock.
"""

from __future__ import annotations

import logging

from roost.errors import RoostError
from roost.models import Reason, RespawnResult, RestartPolicy, SlotState, StartStep
from roost.store.base import BundleRows
from roost.supervision.aftermath import Aftermath
from roost.supervision.incarnation import Incarnation
from roost.supervision.results import failed_result, survivor_sentence, with_way_out
from roost.supervision.slot import BundleSlot
from roost.supervision.start_failures import FieldsMissing, StartFailed

DEADLY_CAUSES = frozenset({"operator", "credentials", "configuration"})
"""A start that a person asked for and that fails is dead: it is not tried again by itself."""

logger = logging.getLogger(__name__)


class Outcomes:
    """Settles slots after starts."""

    def __init__(self, *, bundles: BundleRows, aftermath: Aftermath) -> None:
        self._bundles = bundles
        self._aftermath = aftermath

    def serve(self, slot: BundleSlot, incarnation: Incarnation, cause: str, actor: str) -> None:
        """Let a ready process serve, in one synchronous step."""
        slot.adopt(incarnation)
        if slot.state is SlotState.RUNNING:  # the one before served until now
            slot.step = slot.reason = None
            slot.publish_view()
        else:
            slot.move(SlotState.RUNNING, cause=cause, actor=actor)
        self._aftermath.watch(slot, incarnation)

    async def keep_era(self, slot: BundleSlot, former: str | None) -> None:
        """Store the protocol version that a start has found, where it is another one."""
        generation = slot.generation
        if generation is None or generation.config_hash != slot.config_hash:
            return  # another version was chosen while this one started
        if slot.era is None or slot.era == former:
            return
        try:
            await self._bundles.set_era(slot.workspace, slot.name, slot.era)
        except RoostError as error:
            logger.warning("the protocol version of %s was not kept: %s", slot.label, error)

    def old_serves(
        self, slot: BundleSlot, cause: str, actor: str, failed: StartFailed
    ) -> RespawnResult:
        """Show a slot whose next generation did not come, while the last one serves on."""
        number = slot.generation.number if slot.generation is not None else 0
        told = f"{failed.sentence}; generation {number} serves on"
        reason = Reason(failed.code, with_way_out(slot.label, told))
        slot.candidate = None
        slot.has_failed_respawn = True
        slot.crash = failed.crash or slot.crash
        if slot.state is SlotState.RUNNING:
            slot.step, slot.reason = failed.step, reason
            slot.publish_view()
        else:
            slot.move(SlotState.RUNNING, cause=cause, actor=actor, step=failed.step, reason=reason)
        return failed_result(slot, failed.step, reason)

    def fell(
        self,
        slot: BundleSlot,
        cause: str,
        actor: str,
        failed: StartFailed,
        *,
        is_deadly: bool | None = None,
    ) -> RespawnResult:
        """Show a slot that has no process because a start failed: dead, or tried again later.

        Args:
            is_deadly: whether the failure is final; None lets the cause decide.
        """
        reason = Reason(failed.code, with_way_out(slot.label, failed.sentence))
        slot.crash = failed.crash or slot.crash
        is_final = failed.is_permanent or slot.definition.settings.restart is RestartPolicy.NEVER
        if is_deadly is None:
            is_deadly = cause in DEADLY_CAUSES
        if is_final or (is_deadly and not failed.is_passing):
            slot.move(SlotState.DEAD, cause=cause, actor=actor, step=failed.step, reason=reason)
        else:
            self._aftermath.start_failed(slot, cause, failed, reason)
        return failed_result(slot, failed.step, reason)

    def lacks(
        self, slot: BundleSlot, cause: str, actor: str, fields: tuple[str, ...]
    ) -> RespawnResult:
        """Show a slot that has no process because required fields have no value."""
        slot.missing_fields = fields
        reason = Reason("needs_credentials", missing_sentence(slot, fields))
        slot.move(SlotState.NEEDS_CREDENTIALS, cause=cause, actor=actor, reason=reason)
        return failed_result(slot, StartStep.CREDENTIALS, reason)


def missing_sentence(slot: BundleSlot, fields: tuple[str, ...]) -> str:
    """Say which fields need a value."""
    names = ", ".join(fields)
    return f"{slot.label} needs {names}; set them with `roost credentials {slot.label}`"


def as_failure(slot: BundleSlot, error: Exception) -> StartFailed:
    """Return the failure that an error in a start is, whatever went wrong in it."""
    if isinstance(error, StartFailed):
        return error
    if isinstance(error, FieldsMissing):
        sentence = missing_sentence(slot, error.fields)
        return StartFailed(StartStep.CREDENTIALS, "needs_credentials", sentence)
    logger.error("starting %s failed", slot.label, exc_info=error)
    return StartFailed(
        slot.step or StartStep.PREPARE,
        "internal",
        f"{slot.label} could not be started by a fault of Roost's own; its daemon's log has it",
    )


def not_ended(slot: BundleSlot, survivors: tuple[int, ...]) -> StartFailed:
    """Return the failure that processes are which could not be ended."""
    sentence = survivor_sentence(slot, survivors)
    return StartFailed(StartStep.STOP_OLD, "not_ended", sentence, is_permanent=True)
