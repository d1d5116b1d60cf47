"""What respawns ask for and what they answer, in words for people."""

from __future__ import annotations

from dataclasses import dataclass

from roost.models import Reason, RespawnResult, SlotState, StartStep
from roost.supervision.slot import BundleSlot


@dataclass(frozen=True, slots=True)
class Asked:
    """What a respawn must have made true for the one who asked."""

    after: int
    """Number of the generation that is to be replaced."""
    revision: int
    config_hash: str
    version: str

    @classmethod
    def of(cls, slot: BundleSlot) -> Asked:
        """Fix what is configured now, and that the generation be a later one."""
        number = slot.generation.number if slot.generation else 0
        return cls(number, slot.credential_revision, slot.config_hash, slot.definition.version)

    def is_met_by(self, slot: BundleSlot) -> bool:
        """Whether the running generation is later and has at least what was asked for."""
        generation = slot.generation
        return (
            slot.state is SlotState.RUNNING
            and slot.is_alive
            and generation is not None
            and generation.number > self.after
            and generation.credential_revision >= self.revision
            and generation.config_hash == self.config_hash
            and generation.version == self.version
        )


def result_now(slot: BundleSlot) -> RespawnResult:
    """Answer with what runs now."""
    if slot.state is not SlotState.RUNNING or slot.generation is None:
        return stopped_result(slot)
    number = slot.generation.number
    return RespawnResult(
        True,
        slot.workspace,
        slot.name,
        f"{slot.label} runs as generation {number}",
        generation=number,
    )


def stopped_result(slot: BundleSlot) -> RespawnResult:
    """Answer that a stop came in between."""
    return RespawnResult(
        False,
        slot.workspace,
        slot.name,
        f"{slot.label} was stopped meanwhile; start it with `roost start {slot.label}`",
        "stopped",
    )


def failed_result(slot: BundleSlot, step: StartStep, reason: Reason) -> RespawnResult:
    """Answer with the step that failed and why; the generation is the one that still serves."""
    return RespawnResult(
        False,
        slot.workspace,
        slot.name,
        reason.sentence,
        reason.code,
        generation=slot.generation.number if slot.incarnation and slot.generation else None,
        step=step,
    )


def survivor_sentence(slot: BundleSlot, survivors: tuple[int, ...]) -> str:
    """Say which processes could not be ended."""
    pids = ", ".join(str(pid) for pid in survivors)
    return f"{slot.label} left processes that could not be ended (pid {pids}); end them by hand"
