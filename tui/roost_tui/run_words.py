"""Words about runs: how far a stop has come, and what a stop would mean."""

from __future__ import annotations

from collections.abc import Sequence

from roost.models import RunKind, RunView, StopPhase
from roost_tui import render
from roost_tui.glyphs import Glyphs
from roost_tui.spans import Span, Spans, Tone

PHASES = {
    StopPhase.ASKED: "asked to stop",
    StopPhase.TERMINATING: "TERM sent",
    StopPhase.KILLING: "KILL sent",
}

SHORT_PHASES = {
    StopPhase.ASKED: "asked",
    StopPhase.TERMINATING: "TERM",
    StopPhase.KILLING: "KILL",
}

_RUNGS = {
    RunKind.COMMAND: (StopPhase.ASKED, StopPhase.TERMINATING, StopPhase.KILLING),
}
"""What a stop may come to, by kind; of the others only the asking is seen."""


def phase_of(run: RunView) -> StopPhase | None:
    """Return how far the stop of a run under way has come, if one was asked for."""
    if not run.status.is_active:
        return None
    asked = StopPhase.ASKED if run.stop_requested_at is not None else None
    return run.stop_phase or asked


def phase_wordings(phase: StopPhase) -> tuple[str, ...]:
    """Return the words of a phase, longest first."""
    return PHASES[phase], SHORT_PHASES[phase]


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
            return (
                f"The call is cancelled. If {run.bundle or 'the server'} ignores that, only its "
                f"respawn ends the work{cut}."
            )
        case RunKind.EXTERNAL:
            return "Whoever does the work learns of it at the next report and ends it."
        case _:
            return "Its worker learns of it and ends the work."


def listed(ids: Sequence[str], most: int = 5) -> str:
    """Return ids for a sentence, with a count for what is too many to name."""
    shown = ", ".join(ids[:most])
    return f"{shown} and {len(ids) - most} more" if len(ids) > most else shown
