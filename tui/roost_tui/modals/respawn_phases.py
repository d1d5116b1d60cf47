"""How far a respawn is, read from the views of its bundle: a pure function per view."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from roost.models import BundleView, CredentialOutcome, RespawnResult, SlotState, StartStep
from roost_tui.modals.wording import duration

STEPS = tuple(StartStep)
"""The steps of a start in their order."""


class Mark(StrEnum):
    """Where a step stands."""

    WAITING = "waiting"
    ACTIVE = "active"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Phases:
    """The steps of one respawn with their marks, and the slot's state in words."""

    marks: tuple[Mark, ...]
    state: SlotState
    sentence: str = ""
    """Why a step failed."""


def phases_of(view: BundleView, before: BundleView) -> Phases:
    """Read the marks of a respawn that began when the bundle looked like `before`.

    A view that still shows what was there before the respawn marks nothing: neither an old failed
    step nor an old running generation belongs to it.
    """
    if _is_unmoved(view, before):
        return Phases(_waiting(), view.state)
    if view.state is SlotState.RUNNING and view.step is None:
        is_new = _generation_id(view) != _generation_id(before)
        return Phases(_all_done() if is_new else _waiting(), view.state)
    step = view.step or _implied_step(view.state)
    if step is None:
        return Phases(_waiting(), view.state, _sentence(view))
    return Phases(_up_to(step, _mark_at(view)), view.state, _sentence(view))


def phases_after(result: RespawnResult, view: BundleView, before: BundleView) -> Phases:
    """Return the final marks: what the result says wins over what was seen last."""
    seen = phases_of(view, before)
    if result.ok:
        is_shown = view.generation is not None and view.generation.number == result.generation
        return Phases(_all_done(), view.state if is_shown else SlotState.RUNNING)
    if result.step is None:
        return Phases(seen.marks, view.state)
    return Phases(_up_to(result.step, Mark.FAILED), view.state)


def respawn_sentence(outcome: CredentialOutcome) -> str:
    """Say how the respawn ended, apart from the write."""
    result = outcome.respawn
    if result is None:
        return "nothing was respawned; the bundle is meant to be stopped"
    if not result.ok or result.generation is None:
        return result.sentence
    took = "" if result.duration_ms is None else f" in {duration(result.duration_ms)}"
    return f"respawned as generation {result.generation}{took}"


def write_sentence(outcome: CredentialOutcome, *, restored: bool) -> str:
    """Say what was written, apart from the respawn."""
    if not outcome.changed:
        return outcome.sentence
    verb = "restored" if restored else "saved"
    return f"{verb} as revision {outcome.revision}: {', '.join(outcome.changed)}"


def _is_unmoved(view: BundleView, before: BundleView) -> bool:
    return (view.state, view.since, view.step, _generation_id(view)) == (
        before.state,
        before.since,
        before.step,
        _generation_id(before),
    )


def _generation_id(view: BundleView) -> str | None:
    return view.generation.id if view.generation else None


def _implied_step(state: SlotState) -> StartStep | None:
    return StartStep.CREDENTIALS if state is SlotState.NEEDS_CREDENTIALS else None


def _mark_at(view: BundleView) -> Mark:
    is_candidate = view.state is SlotState.RUNNING and view.reason is None
    is_under_way = view.state in (SlotState.STARTING, SlotState.STOPPING) or is_candidate
    return Mark.ACTIVE if is_under_way else Mark.FAILED


def _sentence(view: BundleView) -> str:
    return view.reason.sentence if view.reason else ""


def _up_to(step: StartStep, mark: Mark) -> tuple[Mark, ...]:
    at = STEPS.index(step)
    return (Mark.DONE,) * at + (mark,) + (Mark.WAITING,) * (len(STEPS) - at - 1)


def _all_done() -> tuple[Mark, ...]:
    return (Mark.DONE,) * len(STEPS)


def _waiting() -> tuple[Mark, ...]:
    return (Mark.WAITING,) * len(STEPS)
