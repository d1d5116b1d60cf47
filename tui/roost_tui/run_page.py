"""The page of one run: what it is, its steps over time, what a stop would mean, in and out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from roost.models import RunDetail, RunEvent, RunEventKind, RunKind, RunView
from roost_tui import render, run_text, run_timeline
from roost_tui.glyphs import Glyphs
from roost_tui.notes import RowNote
from roost_tui.run_words import stop_meaning
from roost_tui.spans import Spans, Tone
from roost_tui.text_blocks import blank, heading, pair, sentence, wrapped_pair

if TYPE_CHECKING:
    from roost.models import TaskRunDetail  # loaded when a run of a task is first shown


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
    task: TaskRunDetail | None = None
    """What a run of a task has besides."""


def lines(page: RunPage, width: int, *, now: int, glyphs: Glyphs) -> list[Spans]:
    """Return the page."""
    if page.run.kind is RunKind.TASK:
        return _of_task(page, width, now, glyphs)
    shown = run_text.head_lines(page.run, now, width, glyphs) + _around(page, width, now)
    if (missing := _missing(page, width)) or page.detail is None:
        return [*shown, *missing]
    shown += [blank(), heading("steps"), *_remark(page, width)]
    shown += run_timeline.lines(page.run, page.steps, now, width, glyphs)
    return [*shown, *run_text.outcome_lines(page.detail)]


def _of_task(page: RunPage, width: int, now: int, glyphs: Glyphs) -> list[Spans]:
    """Return the page of a task's run: what it did over time comes before what it is."""
    from roost_tui import task_run_text  # loaded when a run of a task is first shown

    run, task = page.run, page.task
    shown = run_text.title_lines(run, now, width, glyphs)
    if task is not None:
        shown += [blank(), *task_run_text.lines(run, task, now, width, glyphs)]
    if any(event.kind is RunEventKind.STEP for event in page.steps):
        steps = run_timeline.lines(run, page.steps, now, width, glyphs)
        shown += [blank(), heading("progress"), *_remark(page, width), *steps]
    shown += [blank(), *run_text.fact_lines(run, now, width, glyphs)]
    if task is not None:
        shown += task_run_text.fact_lines(run, task, width)
    shown += _around(page, width, now)
    if (missing := _missing(page, width)) or page.detail is None:
        return [*shown, *missing]
    return [*shown, *run_text.outcome_lines(page.detail)]


def _around(page: RunPage, width: int, now: int) -> list[Spans]:
    """Return what hangs on the run, what was done to it and what a stop would mean."""
    shown: list[Spans] = []
    if page.children:
        shown += wrapped_pair("children", _children(page.children), width)
    if page.note is not None and not page.note.is_over(now):
        shown.append(pair("you", (page.note.wordings()[0], page.note.tone)))
    if page.run.status.is_active and page.run.stop_requested_at is None:
        meaning = stop_meaning(page.run, page.children, others=page.others)
        shown += wrapped_pair("a stop", meaning, width, Tone.MUTED)
    return shown


def _missing(page: RunPage, width: int) -> list[Spans]:
    """Return why no more is known, or that it is being read; nothing when it is known."""
    if page.problem:
        return [blank(), *sentence(page.problem, width, Tone.WARN)]
    if page.detail is None:
        return [blank(), (("  Reading its events...", Tone.MUTED),)]
    return []


def _remark(page: RunPage, width: int) -> list[Spans]:
    return sentence(page.remark, width, Tone.WARN) if page.remark else []


def _children(children: Sequence[RunView]) -> str:
    active = sum(child.status.is_active for child in children)
    ids = ", ".join(f"{child.id} {child.status}" for child in children)
    count = f"{render.plural(active, 'active run')}: " if active else ""
    return f"{count}{ids}"
