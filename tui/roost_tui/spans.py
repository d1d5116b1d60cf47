"""Spans: pieces of text with a tone, the form in which rows and lines are drawn.

Pure code describes what is shown as spans; a widget turns tones into the colours of the theme.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Literal

from rich.cells import cell_len, set_cell_size

Align = Literal["left", "right"]

ELLIPSIS = "…"


class Tone(StrEnum):
    """What a piece of text means; the theme gives each a colour and a weight."""

    TEXT = "text"
    MUTED = "muted"
    STRONG = "strong"
    ACCENT = "accent"
    OK = "ok"
    BUSY = "busy"
    WARN = "warn"
    FAULT = "fault"
    TITLE = "title"
    RULE = "rule"


Span = tuple[str, Tone]
Spans = tuple[Span, ...]


def plain(spans: Spans) -> str:
    """Return the text without the tones."""
    return "".join(text for text, _ in spans)


def width_of(spans: Spans) -> int:
    """Return how many terminal cells the spans take."""
    return sum(cell_len(text) for text, _ in spans)


def widest(wordings: Sequence[str], width: int) -> str:
    """Return the first of `wordings`, longest first, that fits `width` cells, or else the last."""
    fitting = (text for text in wordings if cell_len(text) <= width)
    return next(fitting, wordings[-1] if wordings else "")


def clip(text: str, width: int, ellipsis: str = ELLIPSIS) -> str:
    """Cut `text` to `width` cells, with an ellipsis where something is missing."""
    if cell_len(text) <= width:
        return text
    if width <= len(ellipsis):
        return set_cell_size(text, max(width, 0))
    return set_cell_size(text, width - len(ellipsis)).rstrip() + ellipsis


def fit(spans: Spans, width: int, align: Align = "left", ellipsis: str = ELLIPSIS) -> Spans:
    """Clip or pad the spans to exactly `width` cells."""
    taken = 0
    kept: list[Span] = []
    for text, tone in spans:
        room = width - taken
        if room <= 0:
            break
        piece = clip(text, room, ellipsis)
        kept.append((piece, tone))
        taken += cell_len(piece)
        if piece != text:
            break
    if taken >= width:
        return tuple(kept)
    padding: Span = (" " * (width - taken), Tone.TEXT)
    return (padding, *kept) if align == "right" else (*kept, padding)
