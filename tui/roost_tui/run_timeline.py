"""The steps of a run over time: when each began, how long it took, where it lies in the whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from roost.models import RunEvent, RunEventKind, RunProgress, RunView
from roost_tui import render
from roost_tui.glyphs import Glyphs
from roost_tui.log_entries import harmless
from roost_tui.spans import Spans, Tone
from roost_tui.text_blocks import INDENT

STEPS_SHOWN = 100
"""Lines of the timeline at most; the newest steps stay."""

WIDE = 100
"""Cells from which on bars are long."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step; reports in a row with the same words are one. Times are epoch milliseconds."""

    words: str
    began_at: int
    ended_at: int
    is_open: bool = False
    """Whether it is still going on."""
    progress: RunProgress | None = None


def steps_of(run: RunView, events: Sequence[RunEvent], now: int) -> list[Step]:
    """Return the steps of a run in order; the last one goes on until its end, or until now."""
    reports = [event for event in events if event.kind is RunEventKind.STEP]
    end = run.finished_at if run.finished_at is not None else now
    begins = [
        event
        for index, event in enumerate(reports)
        if index == 0 or _words(event) != _words(reports[index - 1])
    ]
    lasts = _last_of_each(reports)
    ends = [event.at for event in begins[1:]] + [end]
    last = len(begins) - 1
    return [
        Step(
            _words(event),
            event.at,
            max(until, event.at),
            is_open=index == last and run.status.is_active,
            progress=_progress(lasts[index]),
        )
        for index, (event, until) in enumerate(zip(begins, ends, strict=False))
    ]


def _words(event: RunEvent) -> str:
    return harmless(event.message)


def _last_of_each(reports: Sequence[RunEvent]) -> list[RunEvent]:
    """Return the last report of each step: it says how far the step came."""
    return [
        event
        for index, event in enumerate(reports)
        if index + 1 == len(reports) or _words(event) != _words(reports[index + 1])
    ]


def _progress(event: RunEvent) -> RunProgress | None:
    return None if event.current is None else RunProgress(event.current, event.total)


def lines(
    run: RunView, events: Sequence[RunEvent], now: int, width: int, glyphs: Glyphs
) -> list[Spans]:
    """Return the timeline, a line per step."""
    steps = steps_of(run, events, now)
    if not steps:
        said = "No step was reported yet." if run.status.is_active else "It reported no steps."
        return [((f"{INDENT}{said}", Tone.MUTED),)]
    start = min(run.started_at or steps[0].began_at, steps[0].began_at)
    whole = max(steps[-1].ended_at - start, 1)
    cells = 24 if width >= WIDE else 12
    shown = [_line(step, start, whole, cells, glyphs) for step in steps[-STEPS_SHOWN:]]
    hidden = len(steps) - len(shown)
    if hidden:
        before = f"{INDENT}{render.plural(hidden, 'earlier step')} not shown"
        shown.insert(0, ((before, Tone.MUTED),))
    return shown


def _line(step: Step, start: int, whole: int, cells: int, glyphs: Glyphs) -> Spans:
    left = min((step.began_at - start) * cells // whole, cells - 1)
    right = max(-(-(step.ended_at - start) * cells // whole), left + 1)
    took = render.elapsed(step.ended_at - step.began_at)
    count = f"  {render.progress_count(step.progress)}" if step.progress else ""
    tone = Tone.BUSY if step.is_open else Tone.ACCENT
    return (
        (f"{INDENT}{render.clock_time(step.began_at)}  ", Tone.MUTED),
        (f"{took:>6}  ", Tone.TEXT),
        (glyphs.bar_empty * left, Tone.RULE),
        (glyphs.bar_full * (right - left), tone),
        (glyphs.bar_empty * (cells - right), Tone.RULE),
        (f"  {step.words}", Tone.STRONG if step.is_open else Tone.TEXT),
        (count, Tone.MUTED),
    )
