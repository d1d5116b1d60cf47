"""Words about runs: how far a stop has come, and what a stop would mean."""

from __future__ import annotations

from collections.abc import Sequence

from roost.models import RunKind, RunStatus, RunView, StopPhase
from roost_tui import render
from roost_tui.glyphs import Glyphs
from roost_tui.spans import Span, Spans, Tone

PHASES = {
    StopPhase.ASKED: "asked to stop",
    StopPhase.IGNORED: "stop ignored",
    StopPhase.TERMINATING: "TERM sent",
    StopPhase.KILLING: "KILL sent",
}

SHORT_PHASES = {
    StopPhase.ASKED: "asked",
    StopPhase.IGNORED: "ignored",
    StopPhase.TERMINATING: "TERM",
    StopPhase.KILLING: "KILL",
}

_RUNGS = {
    RunKind.COMMAND: (StopPhase.ASKED, StopPhase.TERMINATING, StopPhase.KILLING),
}
"""What a stop may come to, by kind; of the others the asking, and what it does come to."""


def phase_of(run: RunView) -> StopPhase | None:
    """Return how far the stop of a run under way has come, if one was asked for."""
    if not run.status.is_active:
        return None
    asked = StopPhase.ASKED if run.stop_requested_at is not None else None
    return run.stop_phase or asked


def phase_wordings(phase: StopPhase) -> tuple[str, ...]:
    """Return the words of a phase, longest first."""
    return PHASES[phase], SHORT_PHASES[phase]


def waits_for(run: RunView) -> str:
    """Return why a run of a task is pending, as the daemon names it; nothing for any other."""
    return (run.waits or "") if run.status is RunStatus.PENDING else ""


def is_suspended(run: RunView) -> bool:
    """Say whether it goes on only once the person it acts for resumes it."""
    return waits_for(run) == "user"


def states(run: RunView) -> str:
    """Return what a filter finds as its state: the status, and the word that stands for it."""
    if not waits_for(run):
        return run.status
    return f"{run.status},{'suspended' if is_suspended(run) else 'waiting'}"


def waits_wordings(run: RunView, now: int) -> tuple[str, ...]:
    """Return the few words of why a run waits, longest first; none for one that does not."""
    match waits_for(run):
        case "worker":
            return ("no worker",)
        case "slot":
            return "slots taken", "slots"
        case "retry":
            left = render.countdown(run.available_at, now)
            return (f"retry {left}" if left == "now" else f"retry in {left}", f"retry {left}", left)
        case "user":
            who = run.on_behalf_of or "somebody"
            return f"waits for {who}", f"for {who}", who
        case "":
            return ()
        case other:
            return (f"waits for {other.replace('_', ' ')}",)


def waits_tone(run: RunView) -> Tone:
    """Return how loudly it is said: what somebody has to do stands out."""
    return Tone.WARN if waits_for(run) in ("worker", "user") else Tone.MUTED


def waits_text(run: RunView, now: int) -> str:
    """Return what is said of a run that waits: why it does, and what lets it go on."""
    match waits_for(run):
        case "worker":
            return "waits: no worker of its task is ready"
        case "slot":
            return "waits: every slot of its task is taken"
        case "retry":
            left = render.countdown(run.available_at, now)
            return f"is tried again {left if left == 'now' else f'in {left}'}"
        case "user":
            return f"waits for {run.on_behalf_of}, who alone can resume it"
        case other:
            return f"waits for {other.replace('_', ' ')}" if other else ""


def ladder(run: RunView, glyphs: Glyphs) -> Spans:
    """Return the rungs of a stop, with those that it has come to."""
    phase = phase_of(run) or run.stop_phase or StopPhase.ASKED
    rungs = _RUNGS.get(run.kind, (StopPhase.ASKED,))
    if phase not in rungs:
        rungs = (*rungs, phase)
    reached = rungs.index(phase)
    spans: list[Span] = []
    for index, rung in enumerate(rungs):
        is_here = index == reached and run.status.is_active
        mark = glyphs.run_active if is_here else glyphs.chosen if index <= reached else glyphs.todo
        if index > reached and not run.status.is_active:
            continue  # it is no step that has to come
        tone = Tone.WARN if is_here else Tone.TEXT if index <= reached else Tone.MUTED
        spans.append((f"{mark} {PHASES[rung]}  ", tone))
    end = glyphs.todo if run.status.is_active else glyphs.chosen
    spans.append((f"{end} ended", Tone.MUTED if run.status.is_active else Tone.TEXT))
    return tuple(spans)


def stop_meaning(run: RunView, children: Sequence[RunView], *, others: int = 0) -> str:
    """Return what a stop of this run would do, in a sentence or two.

    Args:
        run: an active run.
        children: the runs that it has begun.
        others: other active runs of the same bundle.
    """
    active = [child.id for child in children if child.status.is_active]
    also = f" It stops {listed(active)} too." if active else ""
    return _meaning(run, others) + also


def _meaning(run: RunView, others: int) -> str:
    match run.kind:
        case RunKind.COMMAND:
            return "TERM goes to its whole process group, and KILL when that is not enough."
        case RunKind.TOOL_CALL:
            cut = f", which would cut {render.plural(others, 'other run')}" if others else ""
            if run.stop_phase is StopPhase.IGNORED:
                return (
                    f"{run.bundle or 'The server'} goes on although the call was cancelled. Only "
                    f"its respawn ends the work{cut}."
                )
            return (
                f"The call is cancelled. If {run.bundle or 'the server'} ignores that, only its "
                f"respawn ends the work{cut}."
            )
        case RunKind.EXTERNAL:
            return "Whoever does the work learns of it at the next report and ends it."
        case _ if run.status is RunStatus.PENDING:
            return "It ends at once: no worker has it."
        case _:
            return "Its worker learns of it and ends the work."


def listed(ids: Sequence[str], most: int = 5) -> str:
    """Return ids for a sentence, with a count for what is too many to name."""
    shown = ", ".join(ids[:most])
    return f"{shown} and {len(ids) - most} more" if len(ids) > most else shown
