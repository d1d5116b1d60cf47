"""Blocks of text for the panels: headings, label and value, wrapped sentences."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable
from typing import Any

from roost_tui.log_entries import harmless
from roost_tui.spans import Span, Spans, Tone

INDENT = "  "
LABEL_WIDTH = 13

JSON_LINES = 400
"""Lines of a value shown at most; what is longer is read with the command line."""


def heading(text: str) -> Spans:
    """Return a small heading."""
    return ((INDENT + text, Tone.MUTED),)


def blank() -> Spans:
    """Return an empty line."""
    return ()


def pair(label: str, *value: Span) -> Spans:
    """Return a label with its value on one line."""
    return ((f"{INDENT}{label:<{LABEL_WIDTH}}", Tone.MUTED), *value)


def wrapped_pair(label: str, text: str, width: int, tone: Tone = Tone.TEXT) -> list[Spans]:
    """Return a label with a value that may take several lines."""
    room = max(width - len(INDENT) - LABEL_WIDTH - 1, 10)
    pieces = textwrap.wrap(harmless(text), room) or [""]
    rest = (pair("", (piece, tone)) for piece in pieces[1:])
    return [pair(label, (pieces[0], tone)), *rest]


def sentence(text: str, width: int, tone: Tone = Tone.TEXT) -> list[Spans]:
    """Return a sentence wrapped to the width."""
    room = max(width - len(INDENT) - 1, 10)
    return [((INDENT + line, tone),) for line in textwrap.wrap(harmless(text), room)]


def raw_lines(lines: Iterable[str], tone: Tone = Tone.TEXT) -> list[Spans]:
    """Return lines as they are, indented and harmless."""
    return [((INDENT + harmless(line), tone),) for line in lines]


def value_lines(value: Any) -> list[Spans]:
    """Return a JSON value, a line each, with a note when it is cut."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    lines = text.splitlines()
    shown = raw_lines(lines[:JSON_LINES])
    if len(lines) > JSON_LINES:
        note = f"{len(lines) - JSON_LINES} more lines; `roost run show --json` prints them all"
        shown.append(((INDENT + note, Tone.MUTED),))
    return shown
