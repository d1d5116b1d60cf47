"""The rows of the snapshots screen: columns, order and what the filter sees."""

from __future__ import annotations

from collections.abc import Sequence

from roost.models import SnapshotState, SnapshotView
from roost_tui import render, snapshot_text
from roost_tui.columns import Column, Drawing
from roost_tui.filters import Subject
from roost_tui.render import NOTHING
from roost_tui.row_model import Choice, RowModel
from roost_tui.spans import Spans, Tone, widest, width_of

SNAPSHOT_KEYS = frozenset({"state", "name", "workspace", "policy", "how", "warm"})
"""What a filter can name."""

WIDE = 100
"""Cells from which on all columns are shown; below it those of a narrow terminal."""

BESIDE = 2
"""Cells between a state and what stands beside it."""

GAIN_BAR = 10
"""Cells of the bar beside the gain: a tenth of a cold start each."""

GAIN_WIDTH = GAIN_BAR + 6
"""Cells of the gain with its bar."""

DEFAULT_ORDER = "NAME"

_UNKNOWN_LAST = 10**9
"""Orders what was not measured behind everything that was."""

_WEIGHT = (
    SnapshotState.REFUSED,
    SnapshotState.FAILED,
    SnapshotState.STALE,
    SnapshotState.BUILDING,
    SnapshotState.READY,
    None,
)


def subject_of(view: SnapshotView) -> Subject:
    """Return what a filter sees of a snapshot."""
    state = str(view.state) if view.state else "none"
    reason = view.reason.sentence if view.reason else ""
    return Subject(
        text=f"{view.name} {view.workspace} {state} {reason}",
        at=view.built_at or 0,
        fields={
            "state": state if view.is_eligible or view.state else "not possible",
            "name": view.name,
            "workspace": view.workspace,
            "policy": view.policy,
            "how": view.backend or "",
            "warm": "yes" if view.is_warm else "no",
        },
    )


def is_faulty(view: SnapshotView) -> bool:
    """Say whether something is to be done about a snapshot."""
    is_bad = view.state in (SnapshotState.REFUSED, SnapshotState.FAILED, SnapshotState.STALE)
    return is_bad or (view.state is SnapshotState.READY and view.reason is not None)


def _state_cells(view: SnapshotView, drawing: Drawing, width: int) -> Spans:
    look = snapshot_text.face(view, drawing.glyphs)
    state: Spans = ((f"{look.glyph} {look.word}", look.tone),)
    wordings, tone = _beside_state(view, drawing)
    words = widest(wordings, width - width_of(state) - BESIDE)
    return (*state, (" " * BESIDE, Tone.TEXT), (words, tone)) if words else state


def _beside_state(view: SnapshotView, drawing: Drawing) -> tuple[Sequence[str], Tone]:
    """Return what stands beside the state; the phases of a build say more than that it pends."""
    note = drawing.notes.get((view.workspace, view.name))
    is_building = view.state is SnapshotState.BUILDING
    is_told = note is not None and note.is_pending and is_building
    if note is not None and not note.is_over(drawing.now) and not is_told:
        return snapshot_text.note_wordings(note, view, drawing.glyphs), note.tone
    words = snapshot_text.beside_state(view)
    return (words, words.rpartition(" ")[2]), Tone.BUSY if is_building else Tone.MUTED


def _gain_cells(view: SnapshotView, drawing: Drawing, width: int) -> Spans:
    """Return how much sooner restored starts are ready, with what is left of a cold one."""
    text = snapshot_text.gain(view)
    if not text:
        return ((NOTHING, Tone.MUTED),)
    if width < GAIN_WIDTH:
        return ((text, Tone.OK),)
    cold, restored = view.cold.p50_ms or 0, view.restored.p50_ms or 0
    most = max(cold, restored)
    bar = snapshot_text.bar_spans(restored, most, GAIN_BAR, drawing.glyphs, is_good=True)[:2]
    return (*bar, (f" {text:>5}", Tone.OK))


def _gain_order(view: SnapshotView) -> float:
    cold, restored = view.cold.p50_ms, view.restored.p50_ms
    return -(cold / restored) if cold and restored else 0.0


def _text(value: str, tone: Tone = Tone.TEXT) -> Spans:
    return ((value, Tone.MUTED if value == NOTHING else tone),)


def _memory(view: SnapshotView) -> str:
    return NOTHING if view.template_bytes is None else render.size(view.template_bytes)


def _why(view: SnapshotView) -> str:
    return view.reason.sentence if view.reason else ""


def _why_cells(view: SnapshotView, *_: object) -> Spans:
    is_quiet = view.state is None
    return ((_why(view), Tone.MUTED if is_quiet else Tone.TEXT),)


WORKSPACE_COLUMN: Column[SnapshotView] = Column(
    "WORKSPACE",
    9,
    lambda view, *_: _text(view.workspace, Tone.MUTED),
    lambda view: view.workspace,
    weight=1,
    most=16,
)
"""Added while several workspaces are shown."""

COLUMNS: tuple[Column[SnapshotView], ...] = (
    Column("STATE", 24, _state_cells, lambda view: _WEIGHT.index(view.state), most=30),
    Column(
        "NAME",
        10,
        lambda view, *_: ((view.name, Tone.STRONG if view.is_eligible else Tone.MUTED),),
        lambda view: view.name,
        weight=2,
        most=24,
    ),
    Column(
        "HOW",
        7,
        lambda view, *_: _text(view.backend or NOTHING, Tone.MUTED),
        lambda view: view.backend or "",
        from_width=WIDE + 30,
    ),
    Column(
        "POLICY",
        7,
        lambda view, *_: _text(view.policy, Tone.MUTED),
        lambda view: view.policy,
        from_width=WIDE,
    ),
    Column(
        "COLD",
        6,
        lambda view, *_: _text(snapshot_text.times_text(view.cold)),
        lambda view: -(view.cold.p50_ms or 0),
        "right",
    ),
    Column(
        "RESTORED",
        8,
        lambda view, *_: _text(snapshot_text.times_text(view.restored)),
        lambda view: view.restored.p50_ms or _UNKNOWN_LAST,
        "right",
    ),
    Column("GAIN", 5, _gain_cells, _gain_order, weight=2, most=GAIN_WIDTH),
    Column(
        "MEM",
        5,
        lambda view, *_: _text(_memory(view)),
        lambda view: -(view.template_bytes or 0),
        "right",
    ),
    Column("WHY", 10, _why_cells, _why, weight=8, from_width=WIDE),
)


def model() -> RowModel[SnapshotView]:
    """Return the row model of the table."""
    return RowModel(lambda view: view.workspace, subject_of, is_faulty, arranged)


def columns(*, has_workspaces: bool) -> tuple[Column[SnapshotView], ...]:
    """Return the columns of the table."""
    return (COLUMNS[0], WORKSPACE_COLUMN, *COLUMNS[1:]) if has_workspaces else COLUMNS


def arranged(rows: Sequence[SnapshotView], choice: Choice) -> list[SnapshotView]:
    """Return the rows ordered by the column that was chosen, ties by name and workspace."""
    by_name = sorted(rows, key=lambda view: (view.name, view.workspace))
    known = (*COLUMNS, WORKSPACE_COLUMN)
    column = next((entry for entry in known if entry.title == choice.sort_title), COLUMNS[1])
    return sorted(by_name, key=column.order, reverse=choice.is_descending)
