"""`LinesView`: text that is built for the width of the panel, for detail and events."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual import events
from textual.geometry import Size
from textual.strip import Strip

from roost_tui.spans import Spans, plain
from roost_tui.widgets.span_view import SpanView

Builder = Callable[[int], Sequence[Spans]]
"""Returns the lines for a width in cells."""


class LinesView(SpanView, inherit_bindings=False):
    """Lines without a cursor."""

    _build: Builder | None = None
    _lines: Sequence[Spans] = ()
    _about: object = None

    def show(self, build: Builder, *, about: object) -> None:
        """Take another text; one about something else is shown from its beginning."""
        self._build = build
        if about != self._about:
            self._about = about
            self.jump_to(0)
        self._rebuild()

    @property
    def text(self) -> str:
        """Everything as plain text."""
        return "\n".join(plain(line).rstrip() for line in self._lines)

    def _rebuild(self) -> None:
        if self._build is None or self.line_width <= 0:
            return
        self._lines = self._build(self.line_width)
        self.virtual_size = Size(0, len(self._lines))
        self.repaint()

    def move(self, where: str) -> None:
        page = self.page
        steps = {
            "up": -1,
            "down": 1,
            "half_up": -(page // 2),
            "half_down": page // 2,
            "page_up": -page,
            "page_down": page,
            "top": -len(self._lines),
            "bottom": len(self._lines),
        }
        if step := steps.get(where, 0):
            self.jump_to(self.scroll_y + step)

    def draw(self, y: int) -> Strip:
        index = round(self.scroll_y) + y
        if index >= len(self._lines):
            return self.blank()
        return self.strip(self._lines[index])

    def on_resize(self, event: events.Resize) -> None:
        super().on_resize(event)
        self._rebuild()
