"""Glyphs: single-width in every terminal, never drawn as an emoji, each with a plain ASCII form."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Glyphs:
    """One set of the characters that carry state and structure."""

    up: str
    busy: str
    down: str
    ask: str
    waiting: str
    off: str
    run_active: str
    run_pending: str
    run_done: str
    run_failed: str
    run_aborted: str
    bar_full: str
    bar_empty: str
    rule: str
    ellipsis: str
    descending: str
    ascending: str
    cursor: str
    todo: str
    chosen: str
    option_on: str
    option_off: str
    attention: str
    marked: str
    spark: str
    """Heights of a sparkline's cells, lowest first; none is full, for rows must not touch."""


UNICODE = Glyphs(
    up="◉",
    busy="◌",
    down="✗",
    ask="?",
    waiting="↻",
    off="◦",
    run_active="▸",
    run_pending="◌",
    run_done="✓",
    run_failed="✗",
    run_aborted="⊘",
    bar_full="▰",
    bar_empty="▱",
    rule="─",
    ellipsis="…",
    descending="▾",
    ascending="▴",
    cursor="❯",  # noqa: RUF001
    todo="◦",
    chosen="✓",
    option_on="◉",
    option_off="◦",
    attention="!",
    marked="*",
    spark="▁▂▃▄▅▆▇",
)
"""East Asian width "neutral" throughout for what carries state, so no terminal draws it wide."""

ASCII = Glyphs(
    up="o",
    busy="~",
    down="!",
    ask="?",
    waiting="~",
    off="-",
    run_active=">",
    run_pending="~",
    run_done="+",
    run_failed="!",
    run_aborted="x",
    bar_full="#",
    bar_empty=".",
    rule="-",
    ellipsis="~",
    descending="v",
    ascending="^",
    cursor=">",
    todo=".",
    chosen="*",
    option_on="*",
    option_off="-",
    attention="!",
    marked="*",
    spark="_.-=+*#",
)
"""For terminals and fonts without more."""


def glyphs_of(app: object) -> Glyphs:
    """Return the set that an app draws with; one that chose none draws `UNICODE`."""
    glyphs = getattr(app, "glyphs", UNICODE)
    assert isinstance(glyphs, Glyphs)
    return glyphs
