"""`HeaderBar`: what is down, what runs and what is left over, always in sight."""

from __future__ import annotations

from textual.reactive import reactive

from roost_tui import overview
from roost_tui.glyphs import UNICODE, Glyphs
from roost_tui.spans import Spans
from roost_tui.state import ScreenState
from roost_tui.widgets.span_line import SpanLine
from roost_tui.widgets.tones import Swatch


class HeaderBar(SpanLine):
    """The first line of the screen."""

    swatch = Swatch.PANELS

    state: reactive[ScreenState] = reactive(ScreenState())
    workspace: reactive[str | None] = reactive(None)
    now: reactive[int] = reactive(0)
    marks: reactive[tuple[str, ...]] = reactive(())
    """Conditions of the screen: read only, paused, faults only."""

    def __init__(self, glyphs: Glyphs = UNICODE) -> None:
        super().__init__(id="header")
        self._glyphs = glyphs

    def spans(self, width: int) -> Spans:
        return overview.header(
            self.state, self.workspace, self.marks, self.now, width, self._glyphs
        )
