"""The columns of the runs screen: what there is room for when runs have the screen alone."""

from __future__ import annotations

from roost.models import RunStatus, RunView
from roost_tui import render
from roost_tui.columns import Column, Drawing
from roost_tui.run_rows import (
    ID_WIDTH,
    STATUS_ORDER,
    WIDE,
    beside_status,
    progress_cells,
    scope_cells,
    status_cells,
    taken_ms,
    time_cells,
    title_cells,
)
from roost_tui.spans import Spans, Tone, widest, width_of

BESIDE = 2
"""Cells between a state and what stands beside it."""


def _state_cells(run: RunView, drawing: Drawing, width: int) -> Spans:
    state = status_cells(run, drawing, width)
    wordings, tone = beside_status(run, drawing)
    words = widest(wordings, width - width_of(state) - BESIDE)
    return (*state, (" " * BESIDE, Tone.TEXT), (words, tone)) if words else state


def _progress_cells(run: RunView, drawing: Drawing, width: int) -> Spans:
    """Say how far it is and with what, or why it ended badly."""
    remark = render.run_remark(run)
    if not run.status.is_active:
        return ((remark, Tone.TEXT if run.status is RunStatus.FAILED else Tone.MUTED),)
    progress = progress_cells(run, drawing, width)
    return (*progress, (f"  {remark}", Tone.MUTED)) if remark else progress


def kind_text(run: RunView) -> str:
    """Return the kind in words."""
    return run.kind.value.replace("_", " ")


COLUMNS: tuple[Column[RunView], ...] = (
    Column("STATE", 20, _state_cells, lambda run: STATUS_ORDER.index(run.status), most=34),
    Column("ID", ID_WIDTH, lambda run, *_: ((run.id, Tone.MUTED),), lambda run: run.id),
    Column("SCOPE", 8, scope_cells, lambda run: run.scope or "", from_width=WIDE + 1, most=14),
    Column("WHAT", 15, title_cells, lambda run: run.title, weight=3, most=40),
    Column("KIND", 9, lambda run, *_: ((kind_text(run), Tone.MUTED),), kind_text, from_width=WIDE),
    Column("PROGRESS", 16, _progress_cells, lambda run: run.status, weight=4, from_width=WIDE),
    Column("TIME", 5, time_cells, taken_ms, "right"),
    Column(
        "BY",
        8,
        lambda run, *_: ((run.created_by or render.NOTHING, Tone.MUTED),),
        lambda run: run.created_by,
        weight=1,
        most=12,
    ),
)
