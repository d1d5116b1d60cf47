"""Everything about one startup snapshot as text: starts, build, findings, what it was made from."""

from __future__ import annotations

from collections.abc import Sequence

from roost.models import GuardAction, GuardFinding, SnapshotDetail, SnapshotState, StartTimes
from roost_tui import render, snapshot_text
from roost_tui.glyphs import Glyphs
from roost_tui.notes import RowNote
from roost_tui.snapshot_text import LONGEST_BAR, bar_spans
from roost_tui.spans import Span, Spans, Tone
from roost_tui.text_blocks import INDENT, blank, heading, pair, sentence, wrapped_pair

BESIDE_BAR = 46
"""Cells that a line of one start time takes without its bar."""

KEY_SHOWN = 16
"""Characters of the key: enough to tell two builds apart."""


def lines(
    known: SnapshotDetail | str | None,
    width: int,
    *,
    note: RowNote | None,
    now: int,
    glyphs: Glyphs,
) -> Sequence[Spans]:
    """Return the lines of the page.

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
        return [((f"{INDENT}Reading what is known of it...", Tone.MUTED),)]
    view = known.view
    blocks = [
        snapshot_text.standing(view, width, note=note, now=now, glyphs=glyphs),
        snapshot_text.facts(view, width),
        _starts(known, width, glyphs),
        _build(known, width, glyphs),
        _findings(known, width, glyphs),
        _made_from(known, width),
        _names("LEFT TO EACH START", known.excluded, width),
        _names("MAY COPY THE ENVIRONMENT", known.allowed, width),
        _names("VARIABLES READ WHILE IT WAS LOADED", known.environment, width),
        _about(known, width),
    ]
    found: list[Spans] = []
    for block in blocks:
        if block:
            found += [*block, blank()]
    return found[:-1]


# What starts cost ---------------------------------------------------------------------------------


def _starts(detail: SnapshotDetail, width: int, glyphs: Glyphs) -> list[Spans]:
    view = detail.view
    known = [view.cold.p95_ms, view.cold.p50_ms, view.restored.p95_ms, view.restored.p50_ms]
    most = max((value for value in known if value is not None), default=0)
    if not most:
        return []
    room = max(min(LONGEST_BAR, width - BESIDE_BAR), 8)
    saved = snapshot_text.gain(view)
    beside = f"{saved} as fast" if saved else ""
    return [
        heading("STARTS, FROM SPAWN TO READINESS"),
        *_mode("cold", view.cold, most, room, glyphs),
        *_mode("restored", view.restored, most, room, glyphs, beside=beside),
    ]


def _mode(
    label: str, times: StartTimes, most: int, room: int, glyphs: Glyphs, *, beside: str = ""
) -> list[Spans]:
    if times.p50_ms is None:
        return [pair(label, ("none was counted yet", Tone.MUTED))]
    is_good = label == "restored"
    counted = f"  of {render.plural(times.count, 'start')}"
    found = [
        pair(
            label,
            ("p50  ", Tone.MUTED),
            *bar_spans(times.p50_ms, most, room, glyphs, is_good=is_good),
            (f"  {beside}" if beside else "", Tone.OK),
        )
    ]
    if times.p95_ms is not None:
        spans = bar_spans(times.p95_ms, most, room, glyphs, is_good=is_good)
        found.append(pair("", ("p95  ", Tone.MUTED), *spans, (counted, Tone.MUTED)))
    return found


# How it was built ---------------------------------------------------------------------------------


def _build(detail: SnapshotDetail, width: int, glyphs: Glyphs) -> list[Spans]:
    view = detail.view
    if view.state is None:
        return []
    is_over = view.state in (SnapshotState.READY, SnapshotState.STALE)
    took = f", {render.latency(view.build_ms)}" if view.build_ms and is_over else ""
    title = "BUILD UNDER WAY" if view.state is SnapshotState.BUILDING else f"BUILD{took}"
    return [heading(title), *snapshot_text.track(detail, width, glyphs)]


# What the guards found ----------------------------------------------------------------------------


def _findings(detail: SnapshotDetail, width: int, glyphs: Glyphs) -> list[Spans]:
    """Return what the guards found, what refuses it first; nothing is said twice."""
    if not detail.findings:
        return []
    reason = detail.view.reason
    told = reason.sentence if reason else ""
    found = [heading("FINDINGS")]
    for finding in sorted(detail.findings, key=lambda entry: _ACTIONS.index(entry.action)):
        found += _finding(finding, width, glyphs, is_told=finding.sentence == told)
    return found


_ACTIONS = (GuardAction.REFUSE, GuardAction.EXCLUDE, GuardAction.WARN)
"""In the order of their weight."""


def _finding(finding: GuardFinding, width: int, glyphs: Glyphs, *, is_told: bool) -> list[Spans]:
    glyph, tone = _look(finding.action, glyphs)
    title: tuple[Span, ...] = (
        (f"{INDENT}{glyph} {finding.action:<8}", tone),
        (f"{finding.guard.replace('_', ' ')}  ", Tone.STRONG),
        (finding.module or "", Tone.ACCENT),
    )
    found = [title]
    if not is_told:
        found += _deeper(sentence(finding.sentence, width - len(INDENT)))
    if finding.importers:
        text = f"with it, because they import it: {', '.join(finding.importers)}"
        found += _deeper(sentence(text, width - len(INDENT), Tone.MUTED))
    return found


def _look(action: GuardAction, glyphs: Glyphs) -> tuple[str, Tone]:
    looks = {
        GuardAction.REFUSE: (glyphs.down, Tone.FAULT),
        GuardAction.EXCLUDE: (glyphs.off, Tone.WARN),
        GuardAction.WARN: (glyphs.attention, Tone.WARN),
    }
    return looks[action]


def _deeper(wrapped: Sequence[Spans]) -> list[Spans]:
    return [((INDENT, Tone.TEXT), *line) for line in wrapped]


# What it was made from ----------------------------------------------------------------------------


def _made_from(detail: SnapshotDetail, width: int) -> list[Spans]:
    if not detail.parts:
        return []
    found = [heading("MADE FROM; WHAT CHANGES OF IT MAKES IT STALE")]
    for part in detail.parts:
        found += wrapped_pair(part.what, part.sentence, width)
    return found


def _names(title: str, names: Sequence[str], width: int) -> list[Spans]:
    return [heading(title), *sentence(", ".join(names), width)] if names else []


def _about(detail: SnapshotDetail, width: int) -> list[Spans]:
    found: list[Spans] = []
    known = {part.what for part in detail.parts}
    for label, text in (("entry", detail.entry), ("interpreter", detail.interpreter)):
        if text and label not in known:
            found += wrapped_pair(label, text, width)
    if detail.key:
        found.append(pair("key", (detail.key[:KEY_SHOWN], Tone.MUTED)))
    return found
