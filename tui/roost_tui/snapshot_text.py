"""A startup snapshot in words: its state with the reason, what starts cost, how far a build is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from roost.models import (
    SnapshotDetail,
    SnapshotPhase,
    SnapshotPolicy,
    SnapshotState,
    SnapshotView,
    StartTimes,
)
from roost_tui import render
from roost_tui.glyphs import Glyphs
from roost_tui.notes import RowNote
from roost_tui.render import NOTHING, Face
from roost_tui.spans import Span, Spans, Tone, width_of
from roost_tui.text_blocks import INDENT, blank, pair, sentence, wrapped_pair

POLICY_WORDS = {
    SnapshotPolicy.AUTO: "use its snapshot when a valid one is there",
    SnapshotPolicy.REQUIRE: "need its snapshot: without a valid one they fail",
    SnapshotPolicy.OFF: "do not use a snapshot",
}
"""What starts of a bundle do."""

NOT_LOOKED_AT = "not_looked_at"
"""Code of the reason while nobody knows yet whether there can be a snapshot."""

NOTE_PREFIX = "snapshot "
"""What notes of actions on snapshots begin with, for the row of the bundle has them, too."""

LONGEST_BAR = 40
"""Cells of a bar at most: longer ones tell nothing more."""

BESIDE_BAR = 62
"""Cells that a line of start times takes without its bar."""

_PHASES = tuple(SnapshotPhase)


def face(view: SnapshotView, glyphs: Glyphs) -> Face:
    """Return how the state looks; a snapshot that cannot be is told from one that is not."""
    if view.state is None:
        return Face(glyphs.off, _without_one(view), Tone.MUTED)
    faces = {
        SnapshotState.BUILDING: Face(glyphs.busy, "building", Tone.BUSY),
        SnapshotState.READY: Face(glyphs.up, "ready", Tone.OK),
        SnapshotState.STALE: Face(glyphs.waiting, "stale", Tone.WARN),
        SnapshotState.REFUSED: Face(glyphs.down, "refused", Tone.FAULT),
        SnapshotState.FAILED: Face(glyphs.down, "failed", Tone.FAULT),
    }
    return faces[view.state]


def _without_one(view: SnapshotView) -> str:
    if view.is_eligible:
        return "none"
    is_unknown = view.reason is not None and view.reason.code == NOT_LOOKED_AT
    return "not looked at" if is_unknown else "not possible"


def beside_state(view: SnapshotView) -> str:
    """Return the word beside the state: how far a build is, or that its template lives."""
    if view.state is SnapshotState.BUILDING and view.phase is not None:
        return f"{view.phase} {_PHASES.index(view.phase) + 1}/{len(_PHASES)}"
    if view.state is SnapshotState.FAILED and view.phase is not None:
        return f"at {view.phase}"
    return "warm" if view.is_warm else ""


def gain(view: SnapshotView) -> str:
    """Return how much sooner a restored start is ready: ``21x``; nothing while that is unknown."""
    cold, restored = view.cold.p50_ms, view.restored.p50_ms
    if not cold or not restored:
        return ""
    ratio = cold / restored
    return f"{ratio:.0f}x" if ratio >= 9.95 else f"{ratio:.1f}x"


# The panel of the dashboard -----------------------------------------------------------------------


def panel_lines(
    known: SnapshotDetail | str | None,
    width: int,
    *,
    note: RowNote | None,
    now: int,
    glyphs: Glyphs,
) -> Sequence[Spans]:
    """Return the short form.

    Args:
        known: the snapshot, why it cannot be read, or None while nothing is known.
        width: cells of a line.
        note: what the operator did to it.
        now: epoch milliseconds.
        glyphs: the set of characters.
    """
    if isinstance(known, str):
        return sentence(known, width, Tone.WARN)
    if known is None:
        return [((f"{INDENT}No snapshot is known of it yet.", Tone.MUTED),)]
    view = known.view
    lines = [*standing(view, width, note=note, now=now, glyphs=glyphs), blank()]
    if view.state is SnapshotState.BUILDING:
        lines += [*track(known, width, glyphs), blank()]
    if starts := start_lines(view, width, glyphs):
        lines += [*starts, blank()]
    return [*lines, *facts(view, width)]


def standing(
    view: SnapshotView, width: int, *, note: RowNote | None, now: int, glyphs: Glyphs
) -> list[Spans]:
    """Return the title with the state, and the reason for it below."""
    look = face(view, glyphs)
    beside = beside_state(view)
    title: Spans = (
        (f"{INDENT}{view.name}", Tone.STRONG),
        (f"  {look.glyph} {look.word}", look.tone),
        (f"  {beside}" if beside else "", Tone.MUTED if view.is_warm else look.tone),
        (f"  built {_ago(view.built_at, now)}" if view.built_at else "", Tone.MUTED),
        *_note(note, view, now, glyphs),
    )
    return [title, *_why(view, width)]


def _ago(then: int, now: int) -> str:
    return f"{render.duration(now - then)} ago"


def _note(note: RowNote | None, view: SnapshotView, now: int, glyphs: Glyphs) -> Spans:
    if note is None or note.is_over(now):
        return ()
    if note.words.removeprefix(NOTE_PREFIX) == "built" and view.built_at:
        return ()  # the title tells when
    return (("  ", Tone.TEXT), (note_wordings(note, view, glyphs)[0], note.tone))


def note_wordings(note: RowNote, view: SnapshotView, glyphs: Glyphs) -> tuple[str, ...]:
    """Return what was done to it as it stands beside its state, longest first.

    That it was done to the snapshot goes without saying there, and so does an outcome that is
    the state itself.
    """
    short = replace(note, words=note.words.removeprefix(NOTE_PREFIX))
    if short.words == face(view, glyphs).word and not note.is_pending:
        return (render.clock_minute(note.at),)
    return short.wordings()


def _why(view: SnapshotView, width: int) -> list[Spans]:
    if view.reason is not None:
        tone = Tone.WARN if view.state is SnapshotState.READY else Tone.TEXT
        return sentence(view.reason.sentence, width, tone)
    if view.state is None:
        text = "None was built yet, so its starts are cold. A build does not touch what runs."
        return sentence(text, width, Tone.MUTED)
    return []


def facts(view: SnapshotView, width: int) -> list[Spans]:
    """Return how starts use it, how it is made and what it costs."""
    found = wrapped_pair("policy", f"{view.policy}: starts {POLICY_WORDS[view.policy]}", width)
    if view.backend is not None:
        found.append(pair("how", (view.backend, Tone.TEXT)))
    if view.modules:
        left = f", {view.excluded} left to each start" if view.excluded else ""
        found.append(pair("modules", (f"{render.grouped(view.modules)} loaded{left}", Tone.TEXT)))
    if view.template_bytes is not None:
        text = f"{render.size(view.template_bytes)}, the template with its share of what is common"
        found += wrapped_pair("memory", text, width)
    elif view.state in (SnapshotState.READY, SnapshotState.STALE):
        found.append(pair("memory", ("no template lives, so it takes none", Tone.MUTED)))
    return found


# What starts cost ---------------------------------------------------------------------------------


def start_lines(view: SnapshotView, width: int, glyphs: Glyphs) -> list[Spans]:
    """Return cold against restored starts as bars of one scale, a line each."""
    most = max(view.cold.p50_ms or 0, view.restored.p50_ms or 0)
    room = max(min(LONGEST_BAR, width - BESIDE_BAR), 8)
    found = []
    for label, times in (("cold", view.cold), ("restored", view.restored)):
        if times.p50_ms is not None:
            spans = bar_spans(times.p50_ms, most, room, glyphs, is_good=times is view.restored)
            more = f"  {gain(view)} as fast" if times is view.restored and gain(view) else ""
            rest = f"p95 {render.latency(times.p95_ms)} of {render.plural(times.count, 'start')}"
            found.append(pair(label, *spans, (f"  {rest}", Tone.MUTED), (more, Tone.OK)))
    return found


def bar_spans(value: int, most: int, room: int, glyphs: Glyphs, *, is_good: bool) -> Spans:
    """Return a time as a bar of at most `room` cells, with the number behind it."""
    full = max(round(value / most * room), 1) if most else 0
    return (
        (glyphs.bar_full * full, Tone.OK if is_good else Tone.ACCENT),
        (glyphs.bar_empty * (room - full), Tone.MUTED),
        (f"  {render.latency(value):>6}", Tone.STRONG),
    )


def times_text(times: StartTimes) -> str:
    """Return the median, or a dash."""
    return NOTHING if times.p50_ms is None else render.latency(times.p50_ms)


# How far a build is -------------------------------------------------------------------------------


def track(detail: SnapshotDetail, width: int, glyphs: Glyphs) -> list[Spans]:
    """Return the phases of a build with their marks and how long they took."""
    view = detail.view
    is_building = view.state is SnapshotState.BUILDING
    taken = {} if is_building else dict(detail.phases_ms)
    reached = _PHASES.index(view.phase) if view.phase is not None else len(_PHASES)
    pieces: list[Span] = []
    for index, phase in enumerate(_PHASES):
        glyph, tone = _mark(index, reached, glyphs, is_building=is_building)
        time = f" {render.latency(taken[phase])}" if phase in taken else ""
        pieces.append((f"{glyph} {phase}{time}", tone))
    return _flowed(pieces, width)


def _mark(index: int, reached: int, glyphs: Glyphs, *, is_building: bool) -> tuple[str, Tone]:
    if index < reached:
        return glyphs.run_done, Tone.OK
    if index > reached:
        return glyphs.todo, Tone.MUTED
    return (glyphs.run_active, Tone.BUSY) if is_building else (glyphs.run_failed, Tone.FAULT)


def _flowed(pieces: Iterable[Span], width: int) -> list[Spans]:
    """Lay pieces out over as many lines as they need, without breaking one."""
    lines: list[Spans] = []
    line: Spans = ()
    for piece in pieces:
        gap: Span = (INDENT, Tone.TEXT)
        if line and width_of((*line, gap, piece)) > width:
            lines.append(line)
            line = ()
        line = (*line, gap, piece)
    return [*lines, line]


# One line for the page of its bundle --------------------------------------------------------------


def short_line(view: SnapshotView, glyphs: Glyphs) -> Spans:
    """Return how a bundle's snapshot stands, on one line."""
    look = face(view, glyphs)
    rest = [beside_state(view), view.backend or "", _saved(view)]
    if view.policy is not SnapshotPolicy.AUTO:
        rest.append(f"policy {view.policy}")
    words = ", ".join(word for word in rest if word)
    return pair("snapshot", (f"{look.glyph} {look.word}", look.tone), (f"  {words}", Tone.MUTED))


def _saved(view: SnapshotView) -> str:
    cold, restored = view.cold.p50_ms, view.restored.p50_ms
    if not cold or not restored:
        return ""
    return f"{render.latency(restored)} to ready instead of {render.latency(cold)}"
