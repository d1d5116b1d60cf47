"""The rows of the bundle table: columns, order and what the filter sees."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from roost.models import BundleView, SlotState
from roost_tui import render
from roost_tui.columns import Column, Drawing
from roost_tui.filters import Subject
from roost_tui.render import NOTHING
from roost_tui.spans import Span, Spans, Tone, widest, width_of

WIDE = 100
"""Cells from which on all columns are shown; below it those of a narrow terminal."""

BESIDE = 2
"""Cells between a state and what stands beside it."""

UNDER_WAY = (SlotState.STARTING, SlotState.STOPPING)

_SEVERITY = (
    SlotState.DEAD,
    SlotState.NEEDS_CREDENTIALS,
    SlotState.BACKING_OFF,
    SlotState.STARTING,
    SlotState.STOPPING,
    SlotState.RUNNING,
    SlotState.STOPPED,
)


def subject_of(bundle: BundleView) -> Subject:
    """Return what a filter sees of a bundle."""
    reason = bundle.reason.sentence if bundle.reason else ""
    return Subject(
        text=f"{bundle.name} {bundle.title} {bundle.state} {bundle.workspace} {reason}",
        at=bundle.since,
        fields={
            "state": bundle.state,
            "kind": bundle.kind,
            "name": bundle.name,
            "workspace": bundle.workspace,
            "runtime": bundle.runtime,
            "stale": ",".join(bundle.stale),
            "gen": str(bundle.generation.number) if bundle.generation else "",
        },
    )


def _state_cells(bundle: BundleView, drawing: Drawing, width: int) -> Spans:
    face = render.state_face(bundle.state, drawing.glyphs)
    state: Spans = ((f"{face.glyph} ", face.tone), (face.word, face.tone))
    wordings, tone = _beside_state(bundle, drawing)
    words = widest(wordings, width - width_of(state) - BESIDE)
    return (*state, (" " * BESIDE, Tone.TEXT), (words, tone)) if words else state


def _beside_state(bundle: BundleView, drawing: Drawing) -> tuple[Sequence[str], Tone]:
    """Return what stands beside the state, in several lengths.

    The steps of an action under way say more than that it is pending.
    """
    note = drawing.notes.get((bundle.workspace, bundle.name))
    is_under_way = bundle.state in UNDER_WAY or render.is_handing_over(bundle)
    is_told_by_state = note is not None and note.is_pending and is_under_way
    if note is not None and not note.is_over(drawing.now) and not is_told_by_state:
        return note.wordings(beside=bundle.state), note.tone
    if render.is_handing_over(bundle):
        return render.short_reasons(bundle, drawing.now), Tone.BUSY
    is_warning = bundle.state is SlotState.RUNNING
    reasons = render.short_reasons(bundle, drawing.now)
    return reasons, Tone.WARN if is_warning else Tone.MUTED


def _name_cells(bundle: BundleView, *_: object) -> Spans:
    tone = Tone.MUTED if bundle.state is SlotState.STOPPED else Tone.STRONG
    return ((bundle.name, tone),)


def _text(value: str, tone: Tone = Tone.TEXT) -> Spans:
    return (_quiet(value, tone),)


def _quiet(value: str, tone: Tone) -> Span:
    return (value, Tone.MUTED if value == NOTHING else tone)


def _kind(bundle: BundleView) -> str:
    return render.kind_text(bundle)


def _generation(bundle: BundleView) -> str:
    return str(bundle.generation.number) if bundle.generation else NOTHING


def _is_up(bundle: BundleView) -> bool:
    return bundle.state in (SlotState.RUNNING, SlotState.STOPPING, SlotState.STARTING)


def _pid(bundle: BundleView) -> str:
    generation = bundle.generation
    if generation is None or generation.pid is None or generation.ended_at is not None:
        return NOTHING
    return str(generation.pid)


def _cpu(bundle: BundleView) -> str:
    figures = bundle.figures
    return render.percent(figures.cpu_percent) if figures and _is_up(bundle) else NOTHING


def _memory(bundle: BundleView) -> str:
    figures = bundle.figures
    return render.size(figures.rss_bytes) if figures and _is_up(bundle) else NOTHING


def _calls(bundle: BundleView) -> str:
    return str(bundle.calls.per_minute) if bundle.calls and _is_up(bundle) else NOTHING


def _p95(bundle: BundleView) -> str:
    return render.latency(bundle.calls.p95_ms) if bundle.calls and _is_up(bundle) else NOTHING


def _started_at(bundle: BundleView) -> int:
    return -(bundle.generation.spawned_at if bundle.generation and _is_up(bundle) else 0)


WORKSPACE_COLUMN: Column[BundleView] = Column(
    "WORKSPACE",
    9,
    lambda bundle, *_: _text(bundle.workspace, Tone.MUTED),
    lambda bundle: bundle.workspace,
    weight=1,
    most=16,
)
"""Added while several workspaces are shown."""

COLUMNS: tuple[Column[BundleView], ...] = (
    Column(
        "STATE",
        28,
        _state_cells,
        lambda bundle: _SEVERITY.index(bundle.state),
        weight=3,
        most=46,
    ),
    Column("NAME", 10, _name_cells, lambda bundle: bundle.name, weight=2, most=30),
    Column(
        "KIND",
        11,
        lambda bundle, *_: _text(_kind(bundle), Tone.MUTED),
        _kind,
        weight=1,
        most=13,
        from_width=WIDE,
    ),
    Column(
        "GEN",
        3,
        lambda bundle, *_: _text(_generation(bundle)),
        lambda bundle: bundle.generation.number if bundle.generation else 0,
        "right",
    ),
    Column(
        "PID",
        7,
        lambda bundle, *_: _text(_pid(bundle), Tone.MUTED),
        lambda bundle: bundle.generation.pid or 0 if bundle.generation else 0,
        "right",
        from_width=WIDE + 1,
    ),
    Column(
        "UP",
        5,
        lambda bundle, drawing, _: _text(render.uptime(bundle, drawing.now)),
        _started_at,
        "right",
    ),
    Column(
        "CPU",
        5,
        lambda bundle, *_: _text(_cpu(bundle)),
        lambda bundle: -(bundle.figures.cpu_percent if bundle.figures else -1.0),
        "right",
    ),
    Column(
        "MEM",
        5,
        lambda bundle, *_: _text(_memory(bundle)),
        lambda bundle: -(bundle.figures.rss_bytes if bundle.figures else -1),
        "right",
    ),
    Column(
        "CALLS/m",
        7,
        lambda bundle, *_: _text(_calls(bundle)),
        lambda bundle: -(bundle.calls.per_minute if bundle.calls else -1),
        "right",
        from_width=WIDE,
    ),
    Column(
        "P95",
        5,
        lambda bundle, *_: _text(_p95(bundle)),
        lambda bundle: -((bundle.calls.p95_ms or 0) if bundle.calls else -1),
        "right",
        from_width=WIDE,
    ),
    Column(
        "START",
        10,
        lambda bundle, *_: _text(render.start_text(bundle.generation), Tone.MUTED),
        lambda bundle: (bundle.generation.ready_ms or 0) if bundle.generation else 0,
        weight=1,
        most=14,
        from_width=WIDE + 2,
    ),
)

DEFAULT_ORDER = "NAME"


def arranged(
    bundles: Iterable[BundleView], column: Column[BundleView], *, descending: bool
) -> list[BundleView]:
    """Return the bundles ordered by a column, ties by workspace and name."""
    by_name = sorted(bundles, key=lambda bundle: (bundle.name, bundle.workspace))
    return sorted(by_name, key=column.order, reverse=descending)
