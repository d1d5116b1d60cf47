"""The rows of the run table: columns, order and what the filter sees."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from roost.models import RunStatus, RunView
from roost_tui import render, run_words
from roost_tui.columns import Column, Drawing
from roost_tui.filters import Subject
from roost_tui.render import NOTHING
from roost_tui.spans import Spans, Tone, widest

WIDE = 100
"""Cells from which on all columns are shown."""

BAR_WIDTH = 10

ID_WIDTH = 14
"""Cells of a whole run id; its last letters are what tells two runs apart."""

STATUS_ORDER = tuple(RunStatus)


def subject_of(run: RunView) -> Subject:
    """Return what a filter sees of a run."""
    error = run.error.sentence if run.error else ""
    states = run_words.states(run)
    return Subject(
        text=f"{run.id} {run.title} {run.scope or ''} {states} {run.workspace} {error}",
        at=run.created_at,
        fields={
            "status": run.status,
            "state": states,
            "waits": run_words.waits_for(run),
            "kind": run.kind,
            "bundle": run.bundle or "",
            "task": run.task or "",
            "tool": run.tool or "",
            "scope": run.scope or "",
            "workspace": run.workspace,
            "run": run.id,
        },
    )


def status_cells(run: RunView, drawing: Drawing, _: int) -> Spans:
    """Return the state as a glyph and a word."""
    face = render.run_face(run, drawing.glyphs)
    return ((f"{face.glyph} ", face.tone), (face.word, face.tone))


def progress_cells(run: RunView, drawing: Drawing, _: int) -> Spans:
    """Return how far a run under way is, as a bar and a count."""
    if run.progress is None or not run.status.is_active:
        return ()
    drawn = render.bar(run.progress, BAR_WIDTH, drawing.glyphs)
    full = drawn.rstrip(drawing.glyphs.bar_empty)
    count = render.progress_count(run.progress)
    gap = "  " if drawn else ""
    rest = drawn[len(full) :]
    return ((full, Tone.ACCENT), (rest, Tone.MUTED), (gap, Tone.TEXT), (count, Tone.TEXT))


def _remark_cells(run: RunView, drawing: Drawing, width: int) -> Spans:
    wordings, said_tone = beside_status(run, drawing)
    if wordings:
        return ((widest(wordings, width), said_tone),)
    tone = Tone.TEXT if run.status is RunStatus.FAILED else Tone.MUTED
    return ((render.run_remark(run), tone),)


def beside_status(run: RunView, drawing: Drawing) -> tuple[Sequence[str], Tone]:
    """Return what is under way on a run or was done to it, longest first.

    How far its stop has come says more than that it is pending.
    """
    note = drawing.notes.get((run.workspace, run.id))
    phase = run_words.phase_of(run)
    is_noted = note is not None and not note.is_pending and not note.is_over(drawing.now)
    if phase is not None and not is_noted:
        return run_words.phase_wordings(phase), Tone.WARN
    if note is not None and not note.is_over(drawing.now):
        return note.wordings(), note.tone
    return run_words.waits_wordings(run, drawing.now), run_words.waits_tone(run)


def scope_cells(run: RunView, *_: object) -> Spans:
    """Return the scope, or a dash."""
    return ((render.run_place(run), Tone.MUTED),)


def title_cells(run: RunView, *_: object) -> Spans:
    """Return what it does."""
    return ((run.title, Tone.STRONG if run.status.is_active else Tone.TEXT),)


def time_cells(run: RunView, drawing: Drawing, _: int) -> Spans:
    """Return how long it took, or has taken so far."""
    text = render.run_time(run, drawing.now)
    return ((text, Tone.MUTED if text == NOTHING else Tone.TEXT),)


def taken_ms(run: RunView) -> int:
    """Return how long a settled run took, in milliseconds."""
    if run.started_at is None:
        return 0
    return (run.finished_at or run.created_at) - run.started_at


WORKSPACE_COLUMN: Column[RunView] = Column(
    "WORKSPACE",
    9,
    lambda run, *_: ((run.workspace, Tone.MUTED),),
    lambda run: run.workspace,
    weight=1,
    most=16,
    from_width=WIDE,
)
"""Added while several workspaces are shown."""

COLUMNS: tuple[Column[RunView], ...] = (
    Column("STATUS", 11, status_cells, lambda run: STATUS_ORDER.index(run.status)),
    Column(
        "RUN",
        ID_WIDTH,
        lambda run, *_: ((run.id, Tone.MUTED),),
        lambda run: run.id,
    ),
    Column(
        "SCOPE",
        9,
        scope_cells,
        lambda run: run.scope or "",
        weight=1,
        most=16,
        from_width=WIDE,
    ),
    Column("WHAT", 14, title_cells, lambda run: run.title, weight=3, most=40),
    Column("PROGRESS", 17, progress_cells, lambda run: run.status, from_width=WIDE),
    Column("TIME", 5, time_cells, taken_ms, "right"),
    Column("REMARK", 10, _remark_cells, lambda run: render.run_remark(run), weight=4),
)

DEFAULT_ORDER = ""
"""Active runs first, then the newest."""


def newest_first(runs: Iterable[RunView]) -> list[RunView]:
    """Return the runs as they come in: active ones first, then by age.

    Args:
        runs: oldest first.
    """
    active: list[RunView] = []
    settled: list[RunView] = []
    for run in list(runs)[::-1]:
        (active if run.status.is_active else settled).append(run)
    return active + settled


def arranged(
    runs: Iterable[RunView], column: Column[RunView] | None, *, descending: bool
) -> list[RunView]:
    """Return the runs ordered by a column, or as they come in without one."""
    ordered = newest_first(runs)
    if column is None:
        return ordered[::-1] if descending else ordered
    return sorted(ordered, key=column.order, reverse=descending)
