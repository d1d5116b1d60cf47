"""`Welcome`: stands in place of the panels until there is a first bundle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual.reactive import reactive
from textual.strip import Strip

from roost_tui import first_run_text
from roost_tui.spans import fit
from roost_tui.widgets.span_line import SpanLine
from roost_tui.widgets.tones import Swatch, strip_of


class Welcome(SpanLine, can_focus=True):
    """Three ways to begin, with the number of servers that could be imported.

    Args:
        keys: the key of each action that may be done and is bound.
    """

    DEFAULT_CSS = "Welcome { height: 1fr; display: none; }"

    swatch: ClassVar[str] = Swatch.PANELS

    found: reactive[int | None] = reactive(None)
    """Servers of MCP clients on this machine; None while that is not known."""
    is_looking: reactive[bool] = reactive(False)

    def __init__(self, keys: Mapping[str, str]) -> None:
        super().__init__(id="welcome")
        self._keys = keys

    def render_line(self, y: int) -> Strip:
        width, height = self.size
        lines = first_run_text.lines(
            self._keys, self.found, is_looking=self.is_looking, width=width, height=height
        )
        if y >= len(lines):
            return Strip.blank(width, self.rich_style)
        return strip_of(fit(lines[y], width), self.tone, self.rich_style)
