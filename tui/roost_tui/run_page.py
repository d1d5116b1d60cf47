"""The page of one run: what it is, its steps over time, what a stop would mean, in and out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from roost.models import RunDetail, RunEvent, RunView
from roost_tui import render, run_text, run_timeline
from roost_tui.glyphs import Glyphs
from roost_tui.notes import RowNote
from roost_tui.run_words import stop_meaning
from roost_tui.spans import Spans, Tone
from roost_tui.text_blocks import blank, heading, pair, sentence, wrapped_pair


@dataclass(frozen=True, slots=True)
class RunPage:
    """What is known of a run."""

    run: RunView
    detail: RunDetail | None = None
    steps: Sequence[RunEvent] = ()
    children: tuple[RunView, ...] = ()
    others: int = 0
    """Other active runs of the same bundle."""
    note: RowNote | None = None
    """What the operator did to it."""
    problem: str = ""
    """Why nothing beyond the row is known."""
    remark: str = ""
    """What is missing of its events."""


def lines(page: RunPage, width: int, *, now: int, glyphs: Glyphs) -> list[Spans]:
    """Return the page."""
    shown = run_text.head_lines(page.run, now, width, glyphs)
    if page.children:
        shown += wrapped_pair("children", _children(page.children), width)
    if page.note is not None and not page.note.is_over(now):
        shown.append(pair("you", (page.note.wordings()[0], page.note.tone)))
    if page.run.status.is_active and page.run.stop_requested_at is None:
        meaning = stop_meaning(page.run, page.children, others=page.others)
        shown += wrapped_pair("a stop", meaning, width, Tone.MUTED)
    if page.problem:
        return [*shown, blank(), *sentence(page.problem, width, Tone.WARN)]
    if page.detail is None:
        return [*shown, blank(), (("  Reading its events...", Tone.MUTED),)]
    shown += [blank(), heading("steps")]
    if page.remark:
        shown += sentence(page.remark, width, Tone.WARN)
    shown += run_timeline.lines(page.run, page.steps, now, width, glyphs)
    return [*shown, *run_text.outcome_lines(page.detail)]


def _children(children: Sequence[RunView]) -> str:
    active = sum(child.status.is_active for child in children)
    ids = ", ".join(f"{child.id} {child.status}" for child in children)
    count = f"{render.plural(active, 'active run')}: " if active else ""
    return f"{count}{ids}"
