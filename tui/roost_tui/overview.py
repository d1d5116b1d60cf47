"""The header as text: counts over what is shown, and what must not be missed."""

from __future__ import annotations

from roost.models import BundleView, SlotState
from roost_tui import render
from roost_tui.glyphs import Glyphs
from roost_tui.spans import Span, Spans, Tone, clip, width_of
from roost_tui.state import ScreenState

ROOMY = 130
"""Cells from which on the header spreads out."""

NARROW = 100
"""Cells below which the header keeps only what must not be missed."""


def header(
    state: ScreenState,
    workspace: str | None,
    marks: tuple[str, ...],
    now: int,
    width: int,
    glyphs: Glyphs,
) -> Spans:
    """Return the header over `width` cells; what does not fit is left out from the least on."""
    is_only_one = len(state.workspaces) == 1
    name = workspace or (next(iter(state.workspaces)) if is_only_one else "all workspaces")
    left: Spans = (
        (" roost ", Tone.TITLE),
        (" ", Tone.TEXT),
        (clip(name, max(width // 4, 8), glyphs.ellipsis), Tone.STRONG),
    )
    clock = f"{render.clock_time(now)} "
    room = width - width_of(left) - len(clock) - 1
    groups = _groups(state, workspace, marks, is_narrow=width < NARROW)
    middle: list[Span] = []
    gap = "   " if width >= ROOMY else "  "
    for group in groups:
        if width_of(group) + len(gap) > room:
            continue
        middle += [(gap, Tone.TEXT), *group]
        room -= width_of(group) + len(gap)
    return (*left, *middle, (" " * (room + 1), Tone.TEXT), (clock, Tone.MUTED))


def _groups(
    state: ScreenState, workspace: str | None, marks: tuple[str, ...], *, is_narrow: bool
) -> list[Spans]:
    bundles = [view for view in state.bundles.values() if workspace in (None, view.workspace)]
    runs = [run for run in state.runs.values() if workspace in (None, run.workspace)]
    active = sum(run.status.is_active for run in runs)
    urgent = [_mark(mark) for mark in marks]
    if not state.has_seen_engine:
        return urgent
    health = _narrow_health(bundles) if is_narrow else _wide_health(bundles)
    orphans = state.daemon.orphans if state.daemon else 0
    groups: list[Spans] = [
        *urgent,
        health,
        (_count(active, "run active" if active == 1 else "runs active", Tone.ACCENT),),
        (("orphans ", Tone.MUTED), (str(orphans), Tone.FAULT if orphans else Tone.MUTED)),
    ]
    if state.daemon is not None and not is_narrow:
        cpu, memory = state.daemon.cpu_percent, state.daemon.rss_bytes
        figures = f"{render.percent(cpu)} {render.size(memory)}"
        groups.append((("daemon ", Tone.MUTED), (figures, Tone.TEXT)))
    return groups


def _mark(mark: str) -> Spans:
    return ((mark, Tone.WARN),)


def _wide_health(bundles: list[BundleView]) -> Spans:
    starting = sum(view.state is SlotState.STARTING for view in bundles)
    running = sum(view.state is SlotState.RUNNING for view in bundles)
    spans: list[Span] = [
        (render.plural(len(bundles), "bundle"), Tone.TEXT),
        ("  ", Tone.TEXT),
        _count(running, "running", Tone.OK),
    ]
    if starting:
        spans += [("  ", Tone.TEXT), _count(starting, "starting", Tone.BUSY)]
    return (*spans, ("  ", Tone.TEXT), _down(bundles))


def _narrow_health(bundles: list[BundleView]) -> Spans:
    running = sum(view.state is SlotState.RUNNING for view in bundles)
    return (
        _count(running, "up", Tone.OK),
        ("  ", Tone.TEXT),
        _down(bundles),
    )


def _down(bundles: list[BundleView]) -> Span:
    return _count(sum(render.is_down(view) for view in bundles), "down", Tone.FAULT)


def _count(count: int, word: str, tone: Tone) -> Span:
    return f"{render.grouped(count)} {word}", tone if count else Tone.MUTED
