"""What is said below the header while what is shown may not be what is."""

from __future__ import annotations

from roost_tui import render
from roost_tui.glyphs import Glyphs
from roost_tui.spans import Spans, Tone
from roost_tui.state import Link, LinkPhase

Room = tuple[int, int]
"""Columns and lines that may be taken."""


def lines(
    link: Link,
    now: int,
    *,
    has_rows: bool,
    keys: tuple[str, str],
    is_read_only: bool,
    room: Room,
    glyphs: Glyphs,
) -> tuple[Spans, ...]:
    """Return what is said about the connection; nothing while all is well.

    Args:
        link: how it stands.
        now: epoch milliseconds.
        has_rows: whether rows of before are still shown.
        keys: the keys that try again and that leave; empty where none is bound.
        is_read_only: whether nothing is started from here.
        room: columns and lines there are.
        glyphs: the set of characters.
    """
    retry_key, leave_key = keys
    below = "; last known below" if has_rows else ""
    match link.phase:
        case LinkPhase.LIVE:
            return ()
        case LinkPhase.CONNECTING:
            return (((f" Connecting to the daemon{below}", Tone.WARN),),) if has_rows else ()
        case LinkPhase.LOST:
            return _lost(link, now, below, retry_key)
    from roost_tui import shutdown_text  # most screens never see a daemon stop

    if link.phase is LinkPhase.CLOSING:
        return shutdown_text.stopping(link, now, leave_key, room, glyphs)
    verb = "connects" if is_read_only else "starts it"
    again = (retry_key, f"{verb} again") if retry_key else ("roost", "starts it again")
    return shutdown_text.stopped(link, below, (again, (leave_key, "leaves")), room, glyphs)


def _lost(link: Link, now: int, below: str, retry_key: str) -> tuple[Spans, ...]:
    left = render.countdown(link.retry_at, now)
    wait = "trying now" if left == "now" else f"next try in {left}"
    again = f"{retry_key} tries now" if retry_key and left != "now" else ""
    head: Spans = (
        (f" The daemon does not answer{below}   ", Tone.FAULT),
        (", ".join(part for part in (wait, again) if part), Tone.TEXT),
    )
    return head, ((f" {link.reason}", Tone.MUTED),)
