"""What stops and replacements of runs came to, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from roost.models import (
    RunKind,
    RunStatus,
    RunView,
    StopOutcome,
    StopPhase,
    SupersedeOutcome,
    SupersedeState,
)

_ELSEWHERE = (RunKind.EXTERNAL, RunKind.TASK)
"""Kinds whose work another program does."""


def settled_before(run: RunView) -> StopOutcome:
    """Say that a stop met a run that had settled."""
    return StopOutcome(False, run, f"{run.id} had {run.status} already; nothing was changed")


def stop_outcome(run: RunView, children: Sequence[RunView] = ()) -> StopOutcome:
    """Say what came of a run that was asked to stop.

    Args:
        run: the run after the wait.
        children: the runs that were asked with it.
    """
    sentence = "; ".join(filter(None, (_own_end(run), _with_children(children))))
    was_asked = run.status.is_active and not _was_not_told(run)
    return StopOutcome(was_asked or _was_stopped(run), run, sentence)


def with_doubt(outcome: StopOutcome) -> StopOutcome:
    """Add that the server may be at work still, where nothing of ours can end that."""
    run = outcome.run
    if is_ignored(run):
        told = f"{run.bundle} runs somewhere else, where alone that can be ended"
    else:
        told = f"{run.bundle} was told and may still be at work"
    return replace(outcome, sentence=f"{outcome.sentence}; {told}")


def with_respawn(outcome: StopOutcome, would_cut: tuple[str, ...]) -> StopOutcome:
    """Add that the server may be at work still, and what ends that.

    Args:
        outcome: of the stop of a tool call.
        would_cut: ids of the other runs that a respawn cuts.
    """
    bundle = outcome.run.bundle
    cuts = f" and cuts {_count(len(would_cut), 'other run')}" if would_cut else ""
    told = outcome if is_ignored(outcome.run) else with_doubt(outcome)
    sentence = f"{told.sentence}: `roost respawn {bundle}` ends that{cuts}"
    return replace(told, sentence=sentence, respawn=bundle, would_cut=would_cut)


def is_ignored(run: RunView) -> bool:
    """Whether a run is active because its server goes on with the call that was cancelled."""
    return run.status.is_active and run.stop_phase is StopPhase.IGNORED


def with_worker(outcome: StopOutcome, would_cut: tuple[str, ...]) -> StopOutcome:
    """Add what ends the handler of a run of a task that has not ended yet.

    Args:
        would_cut: ids of the other runs that a respawn of its worker interrupts.
    """
    bundle = outcome.run.bundle
    cuts = f" and interrupts {_count(len(would_cut), 'other run')}" if would_cut else ""
    sentence = f"{outcome.sentence}; `roost respawn {bundle}` ends it now{cuts}"
    return replace(outcome, sentence=sentence, respawn=bundle, would_cut=would_cut)


def supersede_outcome(
    scope: str, active: RunView | None, stopped: RunView | None
) -> SupersedeOutcome:
    """Say what replacing the active run of a scope came to.

    Args:
        scope: the scope.
        active: the run that is active now.
        stopped: the run that was asked to stop, or None when none was.
    """
    if active is None and stopped is None:
        return SupersedeOutcome(SupersedeState.IDLE, f"nothing was active in {scope!r}")
    if active is None:
        sentence = f"{stopped.id if stopped else ''} has ended; {scope!r} is free"
        return SupersedeOutcome(SupersedeState.READY, sentence, stopped)
    if stopped is not None and active.id == stopped.id:
        sentence = f"{active.id} was asked to stop and has not settled yet; nothing was started"
        return SupersedeOutcome(SupersedeState.NOT_SETTLING, sentence, active)
    told = f"{stopped.id} has ended, but " if stopped else ""
    left = "it was left alone" if stopped else "nothing was stopped"
    sentence = f"{told}{active.id} is active in {scope!r}; {left}"
    return SupersedeOutcome(SupersedeState.OTHER_ACTIVE, sentence, active)


def _own_end(run: RunView) -> str:
    if not run.status.is_active:
        if _was_stopped(run):
            return f"{run.id} was stopped"
        return f"{run.id} had {run.status} before the stop reached it"
    if is_ignored(run):
        return f"{run.id} was cancelled, but {run.bundle} goes on with it"
    if run.kind is RunKind.TOOL_CALL:
        return f"{run.id} is told to stop; its end is not stored yet, look again later"
    if run.kind is RunKind.COMMAND:
        return f"{run.id} is being stopped and has not ended yet; look again later"
    if _was_not_told(run):
        return f"{run.id} could not be asked to stop: the store does not answer; try again"
    who = "its handler ends" if run.kind is RunKind.TASK else "the program says so"
    return f"{run.id} is asked to stop; it ends when {who} or its lease runs out"


def _was_not_told(run: RunView) -> bool:
    """Whether the program that does the work cannot learn of the stop: it reads the stamp."""
    return run.kind in _ELSEWHERE and run.stop_requested_at is None


def _was_stopped(run: RunView) -> bool:
    if run.status is not RunStatus.ABORTED:
        return False
    by_itself = run.kind in _ELSEWHERE and run.stop_requested_at is not None
    return by_itself or (run.error is not None and run.error.code == "stopped")


def _with_children(children: Sequence[RunView]) -> str:
    if not children:
        return ""
    active = sorted(child.id for child in children if child.status.is_active)
    told = f"so {'was' if len(children) == 1 else 'were'} {_count(len(children), 'run')} it began"
    return f"{told}, of which {', '.join(active)} has not ended yet" if active else told


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
