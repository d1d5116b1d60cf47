"""A run of a task beyond other runs: its attempts side by side, and its journal over time."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from typing import Any

from roost.models import JournalEntry, RunAttempt, RunStatus, RunView, StepState, TaskRunDetail
from roost_tui import render
from roost_tui.glyphs import Glyphs
from roost_tui.log_entries import harmless
from roost_tui.render import NOTHING, Face
from roost_tui.spans import Span, Spans, Tone, clip
from roost_tui.task_words import RECOVERIES, retry_text
from roost_tui.text_blocks import INDENT, blank, heading, wrapped_pair

ROOMY = 100
"""Cells from which on there is room for times of day, long bars and long names."""

VALUE_CELLS = 60
"""Cells of a step's value at most; `roost run show` prints all of it."""

NAME_CELLS = (20, 32)
"""Cells of a step's name at most, on a narrow and on a roomy screen."""

BAR_CELLS = (12, 24)
"""Cells of a step's bar, on a narrow and on a roomy screen."""

WORKER_CELLS = 20
"""Cells of a worker's name with its generation at most."""


def lines(run: RunView, detail: TaskRunDetail, now: int, width: int, glyphs: Glyphs) -> list[Spans]:
    """Return the blocks of a task's run, without the blank line before them.

    Args:
        run: the run.
        detail: its journal and its attempts.
        now: epoch milliseconds.
        width: cells of a line.
        glyphs: the set of characters.
    """
    shown = _attempts(run, detail.attempts, now, width)
    if detail.journal:
        shown += [blank(), *_journal(run, detail.journal, now, width, glyphs)]
    return shown


def fact_lines(run: RunView, detail: TaskRunDetail, width: int) -> list[Spans]:
    """Return which task it is a run of, and what happens when its worker ends or it fails."""
    spec = detail.spec
    if spec is None:
        gone = f"{run.task or run.title}, which no worker offers any more"
        return wrapped_pair("task", gone, width, Tone.WARN)
    found = wrapped_pair("task", spec.description or spec.name, width)
    found += wrapped_pair("recovery", f"{spec.recovery}: {RECOVERIES[spec.recovery]}", width)
    if spec.retry.attempts:
        found += wrapped_pair("retries", retry_text(spec.retry), width)
    return found


# Attempts -----------------------------------------------------------------------------------------


def _attempts(run: RunView, attempts: Sequence[RunAttempt], now: int, width: int) -> list[Spans]:
    if not attempts:
        return [((f"{INDENT}No worker has begun it yet.", Tone.MUTED),)]
    begun = f"{'BEGAN':<8}  " if width >= ROOMY else ""
    titles = f"{'ATTEMPT':>7}  {'WORKER':<{WORKER_CELLS}}  {begun}{'TOOK':>6}  ENDED"
    found = [heading(titles)]
    for attempt in attempts:
        found += _attempt(run, attempt, now, width, is_last=attempt is attempts[-1])
    return found


def _attempt(
    run: RunView, attempt: RunAttempt, now: int, width: int, *, is_last: bool
) -> list[Spans]:
    took = render.elapsed((attempt.ended_at or now) - attempt.started_at)
    begun = f"{render.clock_time(attempt.started_at)}  " if width >= ROOMY else ""
    left: Spans = (
        (f"{INDENT}{attempt.number:>7}  ", Tone.STRONG),
        (f"{clip(_worker(attempt), WORKER_CELLS):<{WORKER_CELLS}}  ", Tone.TEXT),
        (begun, Tone.MUTED),
        (f"{took:>6}  ", Tone.TEXT),
    )
    taken = sum(len(text) for text, _ in left)
    words, tone = _end(run, attempt, is_last=is_last)
    first, *rest = textwrap.wrap(harmless(words), max(width - taken - 1, 16)) or [""]
    return [(*left, (first, tone)), *(((" " * taken + line, tone),) for line in rest)]


def _worker(attempt: RunAttempt) -> str:
    generation = f" gen {attempt.generation}" if attempt.generation is not None else ""
    return f"{attempt.bundle or NOTHING}{generation}"


def _end(run: RunView, attempt: RunAttempt, *, is_last: bool) -> Span:
    if attempt.error is not None:
        return attempt.error.sentence, Tone.WARN
    if attempt.ended_at is None:
        return "under way", Tone.BUSY
    if not is_last or run.status.is_active:
        return "ended", Tone.MUTED
    return run.status.value, Tone.OK if run.status is RunStatus.SUCCEEDED else Tone.TEXT


# Journal ------------------------------------------------------------------------------------------


def _journal(
    run: RunView, journal: Sequence[JournalEntry], now: int, width: int, glyphs: Glyphs
) -> list[Spans]:
    start = min(entry.started_at for entry in journal)
    is_going_on = run.status is RunStatus.RUNNING
    until = now if is_going_on else run.finished_at or start
    whole = max(until - start, *(_end_of(entry, run, now) - start for entry in journal), 1)
    most = NAME_CELLS[width >= ROOMY]
    cells = min(max(4, *(len(harmless(entry.name)) for entry in journal)), most)
    states = max(len(step_face(entry, run, glyphs).word) for entry in journal)
    measure = start, whole, cells, states
    shown = [_step(entry, run, now, measure, width, glyphs) for entry in journal]
    begun = f"{'BEGAN':<8}  " if width >= ROOMY else ""
    bar = BAR_CELLS[width >= ROOMY]
    return [heading(f"{begun}{'TOOK':>6}  {'':<{bar}}  {'STEP':<{cells}}  STATE"), *shown]


def _step(
    entry: JournalEntry,
    run: RunView,
    now: int,
    measure: tuple[int, int, int, int],
    width: int,
    glyphs: Glyphs,
) -> Spans:
    start, whole, cells, states = measure
    is_roomy = width >= ROOMY
    face = step_face(entry, run, glyphs)
    room = BAR_CELLS[is_roomy]
    end = _end_of(entry, run, now)
    left = min((entry.started_at - start) * room // whole, room - 1)
    right = min(max(-(-(end - start) * room // whole), left + 1), room)
    is_over = entry.ended_at is not None or _is_under_way(entry, run)
    took = render.elapsed(end - entry.started_at) if is_over else NOTHING
    begun = f"{render.clock_time(entry.started_at)}  " if is_roomy else ""
    return (
        (f"{INDENT}{begun}", Tone.MUTED),
        (f"{took:>6}  ", Tone.TEXT),
        (glyphs.bar_empty * left, Tone.RULE),
        (glyphs.bar_full * (right - left), _bar_tone(face)),
        (glyphs.bar_empty * (room - right), Tone.RULE),
        (f"  {clip(harmless(entry.name), cells):<{cells}}", Tone.STRONG),
        (f"  {face.glyph} {face.word:<{states}}", face.tone),
        *_remarks(entry, run),
    )


def _bar_tone(face: Face) -> Tone:
    return Tone.ACCENT if face.tone is Tone.OK else face.tone


def _remarks(entry: JournalEntry, run: RunView) -> Spans:
    attempt = f"  attempt {entry.attempt}" if run.attempt > 1 else ""
    was_cut = entry.was_interrupted and entry.state is not StepState.STARTED
    again = "  interrupted before" if was_cut else ""
    value = f"  {_value(entry.value)}" if entry.value is not None else ""
    return (attempt, Tone.MUTED), (again, Tone.WARN), (value, Tone.MUTED)


def _value(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return clip(harmless(text), VALUE_CELLS)


def step_face(entry: JournalEntry, run: RunView, glyphs: Glyphs) -> Face:
    """Return how a named step looks; one that was begun and is not under way was interrupted."""
    if entry.state is StepState.DONE:
        return Face(glyphs.chosen, "done", Tone.OK)
    if entry.state is StepState.FAILED:
        return Face(glyphs.run_failed, "failed", Tone.FAULT)
    if _is_under_way(entry, run):
        return Face(glyphs.run_active, "running", Tone.BUSY)
    return Face(glyphs.run_aborted, "interrupted", Tone.WARN)


def _is_under_way(entry: JournalEntry, run: RunView) -> bool:
    is_begun = entry.state is StepState.STARTED and entry.attempt == run.attempt
    return is_begun and run.status is RunStatus.RUNNING


def _end_of(entry: JournalEntry, run: RunView, now: int) -> int:
    """Return where its bar ends: nobody knows when a step was interrupted."""
    if entry.ended_at is not None:
        return max(entry.ended_at, entry.started_at)
    return max(now, entry.started_at) if _is_under_way(entry, run) else entry.started_at
