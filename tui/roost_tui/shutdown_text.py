"""A daemon's shutdown in words: what it waits for by name, how long it takes, how it ended."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from roost_tui import render
from roost_tui.connection_text import Room
from roost_tui.glyphs import Glyphs
from roost_tui.shutdown import Awaited, Shutdown, begun
from roost_tui.spans import Span, Spans, Tone, clip, width_of
from roost_tui.state import Link

AROUND = 2
"""Lines around the list: the headline and the keys."""

WORD_WIDTH = 9
"""Cells of the word beside each name, and the gap behind it."""

TIME_WIDTH = 8
"""Cells of how long each took, and the gap before it."""

NAMED = 3
"""Names in one sentence at most; the list below has them all."""

INDENT = "   "


def stopping(link: Link, now: int, leave_key: str, room: Room, glyphs: Glyphs) -> tuple[Spans, ...]:
    """Return the view of a daemon that is stopping."""
    shutdown = link.shutdown or begun(now)
    now = max(now, shutdown.at)
    head: list[Span] = [
        (" The daemon is stopping   ", Tone.WARN),
        (f"for {render.duration(now - shutdown.began_at)}", Tone.TEXT),
    ]
    if shutdown.deadline_at is not None:
        left = render.countdown(shutdown.deadline_at, now)
        forced = "forced to end now" if left == "now" else f"forced to end in {left}"
        head.append((f", {forced}", Tone.MUTED))
    if shutdown.silent_since is not None:
        silence = render.duration(now - shutdown.silent_since)
        head += [("   ", Tone.TEXT), (f"no answer for {silence}", Tone.FAULT)]
    keys = _keys(((leave_key, "leaves   "),))
    promise = "It stops all the same; what should run starts with the next daemon."
    return (
        _with_reason(tuple(head), link.reason, room[0]),
        *_list(shutdown, now, room, glyphs),
        (*keys, (promise if keys else f" {promise}", Tone.MUTED)),
    )


def stopped(
    link: Link, below: str, keys: Sequence[tuple[str, str]], room: Room, glyphs: Glyphs
) -> tuple[Spans, ...]:
    """Return the view of a daemon that has stopped.

    Args:
        link: how it ended.
        below: said of the rows that are still shown.
        keys: keys and what they do.
        room: columns and lines there are.
        glyphs: the set of characters.
    """
    shutdown = link.shutdown or begun(0)
    now = shutdown.gone_at or shutdown.at
    return (
        _with_reason(_headline(shutdown, now, below), link.reason, room[0]),
        *_list(shutdown, now, room, glyphs),
        _keys(keys),
    )


def ending(shutdown: Shutdown) -> str:
    """Return how it ended in one sentence, for the messages."""
    took = render.elapsed((shutdown.gone_at or shutdown.at) - shutdown.began_at)
    if shutdown.was_forced:
        return (
            f"the daemon was forced to end after {took}: it still waited for "
            f"{_names(shutdown.pending)}; its log says more"
        )
    return f"the daemon has stopped after {took}"


def _headline(shutdown: Shutdown, now: int, below: str) -> Spans:
    took = render.elapsed(now - shutdown.began_at)
    if shutdown.was_forced:
        return (
            (f" The daemon was forced to end after {took}", Tone.FAULT),
            (f": it still waited for {_names(shutdown.pending)}", Tone.TEXT),
        )
    return ((f" The daemon has stopped{below}   ", Tone.WARN), (f"after {took}", Tone.TEXT))


def _names(awaited: Sequence[Awaited]) -> str:
    names = [entry.name for entry in awaited]
    if len(names) > NAMED:
        names = [*names[: NAMED - 1], f"{len(names) - NAMED + 1} more"]
    return ", ".join(names[:-1]) + (" and " if len(names) > 1 else "") + names[-1]


def _with_reason(head: Spans, reason: str, width: int) -> Spans:
    """Put the daemon's reason at the right where there is room for all of it."""
    gap = width - width_of(head) - cell_len(reason) - 1
    if gap < len(INDENT):
        return head
    return (*head, (" " * gap, Tone.TEXT), (reason, Tone.MUTED))


def _keys(keys: Sequence[tuple[str, str]]) -> Spans:
    spans: list[Span] = []
    for key, words in keys:
        if key:
            spans += [("  " if spans else " ", Tone.TEXT), (key, Tone.TITLE)]
            spans.append((f" {words}", Tone.MUTED))
    return tuple(spans)


# The list -----------------------------------------------------------------------------------------


def _list(shutdown: Shutdown, now: int, room: Room, glyphs: Glyphs) -> list[Spans]:
    """Return a line each, in the order in which they came; what does not fit is counted."""
    width, height = room[0], max(room[1] - AROUND, 1)
    entries = list(shutdown.awaited)
    if len(entries) <= height:
        return _rows(entries, shutdown, now, width, glyphs)
    # What is still awaited must not be missed, then what has just ended.
    entries.sort(key=lambda entry: -(entry.ended_at or now + 1))
    kept, left = entries[: height - 1], entries[height - 1 :]
    over = sum(entry.ended_at is not None for entry in left)
    more = f"{INDENT}and {render.grouped(len(left))} more, {render.grouped(over)} of them ended"
    return [*_rows(kept, shutdown, now, width, glyphs), ((more, Tone.MUTED),)]


def _rows(
    entries: Sequence[Awaited], shutdown: Shutdown, now: int, width: int, glyphs: Glyphs
) -> list[Spans]:
    longest = max((cell_len(entry.name) for entry in entries), default=0)
    room = max(width - len(INDENT) - len("g ") - WORD_WIDTH - TIME_WIDTH, 8)
    return [_row(entry, shutdown, now, min(longest, room), glyphs) for entry in entries]


def _row(entry: Awaited, shutdown: Shutdown, now: int, width: int, glyphs: Glyphs) -> Spans:
    glyph, word, tone = _face(entry, shutdown, glyphs)
    name = clip(entry.name, width, glyphs.ellipsis)
    took = render.elapsed((entry.ended_at or now) - entry.since)
    return (
        (f"{INDENT}{glyph} {word:<{WORD_WIDTH}}", tone),
        (name + " " * (width - cell_len(name)), Tone.TEXT if tone is not Tone.MUTED else tone),
        (f"{took:>{TIME_WIDTH}}", Tone.MUTED),
    )


def _face(entry: Awaited, shutdown: Shutdown, glyphs: Glyphs) -> tuple[str, str, Tone]:
    if entry.ended_at is not None:
        return glyphs.run_done, "ended", Tone.OK
    if shutdown.gone_at is None:
        return glyphs.run_active, "waiting", Tone.BUSY
    if shutdown.was_forced:
        return glyphs.run_failed, "cut off", Tone.FAULT
    return glyphs.off, "gone", Tone.MUTED
