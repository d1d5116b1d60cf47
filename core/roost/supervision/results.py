"""What respawns ask for and what they answer, in words for people."""

from __future__ import annotations

from dataclasses import dataclass

from roost.errors import BundleNotFound, BundleProtected, ShuttingDown
from roost.models import Reason, RespawnResult, SlotState, StartStep
from roost.supervision.slot import BundleSlot


@dataclass(frozen=True, slots=True)
class Asked:
    """What a respawn must have made true for the one who asked."""

    after: int
    """Number of the generation that is to be replaced; 0 where only the rest counts."""
    revision: int
    config_hash: str
    version: str

    @classmethod
    def a_new_process(cls, slot: BundleSlot) -> Asked:
        """Ask for a process that is spawned from now on, with what is configured now."""
        known = (slot.generation, slot.candidate)
        return cls._with(slot, max((view.number for view in known if view is not None), default=0))

    @classmethod
    def what_is_configured(cls, slot: BundleSlot) -> Asked:
        """Ask for a process that has what is configured now, whenever it was spawned."""
        return cls._with(slot, 0)

    @classmethod
    def _with(cls, slot: BundleSlot, after: int) -> Asked:
        return cls(after, slot.credential_revision, slot.config_hash, slot.definition.version)

    def is_met_by(self, slot: BundleSlot) -> bool:
        """Whether the running generation has at least what was asked for.

        What was configured after it was asked for is more than that.
        """
        generation = slot.generation
        return (
            slot.state is SlotState.RUNNING
            and slot.is_alive
            and generation is not None
            and generation.number > self.after
            and generation.credential_revision >= self.revision
            and generation.config_hash in (self.config_hash, slot.config_hash)
            and generation.version in (self.version, slot.definition.version)
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


def removed_result(slot: BundleSlot) -> RespawnResult:
    """Answer that the bundle was taken out in between."""
    sentence = f"{slot.label} was removed meanwhile; `roost add` installs it again"
    return RespawnResult(False, slot.workspace, slot.name, sentence, BundleNotFound.code)


def closing_result(slot: BundleSlot) -> RespawnResult:
    """Answer that the daemon is being stopped."""
    sentence = f"the daemon is being stopped and {slot.label} with it; the next daemon starts it"
    return RespawnResult(False, slot.workspace, slot.name, sentence, ShuttingDown.code)


def protected_result(slot: BundleSlot) -> RespawnResult:
    """Answer that its protection keeps the running process alive."""
    number = slot.generation.number if slot.generation is not None else 0
    sentence = (
        f"{slot.label} is protected, so generation {number} goes on"
        f"{' with what it had' if slot.stale_in() else ''}; give a reason to replace it: "
        f"`roost respawn {slot.label} --force REASON`"
    )
    return RespawnResult(
        False, slot.workspace, slot.name, sentence, BundleProtected.code, generation=number
    )


def failed_result(slot: BundleSlot, step: StartStep | None, reason: Reason) -> RespawnResult:
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


def with_way_out(label: str, sentence: str) -> str:
    """Add what to do next to a sentence that does not say it yet."""
    if "`roost " in sentence:
        return sentence
    return f"{sentence}; see `roost logs {label}`, then run `roost respawn {label}`"


def survivor_sentence(slot: BundleSlot, survivors: tuple[int, ...]) -> str:
    """Say which processes could not be ended."""
    pids = ", ".join(str(pid) for pid in survivors)
    return f"{slot.label} left processes that could not be ended (pid {pids}); end them by hand"
