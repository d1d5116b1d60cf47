"""`SpanLine`: a one-line widget that draws spans."""

from __future__ import annotations

from functools import cached_property
from typing import ClassVar

from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from roost_tui.spans import Spans, Tone, fit
from roost_tui.widgets.tones import Swatch, strip_of


class SpanLine(Widget):
    """One line across the screen; subclasses say what is on it in `spans`."""

    DEFAULT_CSS = "SpanLine { height: 1; width: 1fr; }"

    swatch: ClassVar[str] = Swatch.FRAME
    """Id of the swatch whose tones it draws with."""

    def spans(self, width: int) -> Spans:
        """Return what is drawn on `width` cells."""
        raise NotImplementedError

    def tone(self, tone: Tone) -> Style:
        """Return the style of a tone in the present theme."""
        return self._tones.tone(tone)

    @cached_property
    def _tones(self) -> Swatch:
        return self.screen.query_exactly_one(f"#{self.swatch}", Swatch)

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if y or width <= 0:
            return Strip.blank(width)
        return strip_of(fit(self.spans(width), width), self.tone, self.rich_style)
