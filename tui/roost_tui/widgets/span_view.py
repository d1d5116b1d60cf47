"""`SpanView`: a scrolling view that draws only the lines that are visible."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import ClassVar

from rich.style import Style
from textual import events
from textual.binding import BindingsMap
from textual.geometry import Region
from textual.scroll_view import ScrollView
from textual.strip import Strip

from roost_tui.actions import KeyAction, Place, bindings_at
from roost_tui.glyphs import UNICODE, Glyphs
from roost_tui.spans import Spans, Tone, fit
from roost_tui.widgets.tones import Swatch, strip_of


class SpanView(ScrollView, can_focus=True, inherit_bindings=False):
    """Lines of spans under a cursor or a scroll position.

    Subclasses implement `draw(y)` for a line of the view and `move(where)`. What was drawn is
    kept, so `repaint` can refresh the lines that changed and no others.

    Args:
        entries: the table of actions; the panel binds those of its place.
        place: which panel this is; also its id.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {"row--cursor", "row--header"}
    DEFAULT_CSS = """
    SpanView {
        height: 1fr;
        background: $background;
        scrollbar-size: 1 1;
        scrollbar-gutter: stable;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-color: $roost-line;
        scrollbar-color-hover: $primary;
        scrollbar-color-active: $primary;
        scrollbar-background: $background;
        scrollbar-background-hover: $background;
        scrollbar-background-active: $background;
    }
    SpanView .row--header { color: $roost-muted; text-style: none; }
    SpanView .row--cursor { background: $roost-cursor-quiet; }
    SpanView:focus .row--cursor { background: $roost-cursor; }
    """

    def __init__(
        self, entries: Sequence[KeyAction], place: Place, glyphs: Glyphs = UNICODE
    ) -> None:
        super().__init__(id=place.value)
        self.place = place
        self.glyphs = glyphs
        # Keys differ by read-only mode and remapping, so they belong to the instance.
        self._bindings = BindingsMap(bindings_at(entries, place))
        self._drawn: dict[int, Strip] = {}
        self._ground: Style | None = None

    def draw(self, y: int) -> Strip:
        """Draw line `y` of what is visible."""
        raise NotImplementedError

    def move(self, where: str) -> None:
        """Move the cursor or the view: ``up``, ``half_down``, ``top`` and so on."""
        raise NotImplementedError

    def action_move(self, where: str) -> None:
        self.move(where)

    @property
    def page(self) -> int:
        """Lines that are visible at once."""
        return max(self.scrollable_content_region.height, 1)

    @property
    def line_width(self) -> int:
        """Cells of one line."""
        return max(self.scrollable_content_region.width, 0)

    def jump_to(self, y: float) -> None:
        """Scroll to a line at once, also while a layout that would show scroll bars is due."""
        self.scroll_to(y=y, animate=False, force=True, immediate=True)

    def tone(self, tone: Tone) -> Style:
        """Return the style of a tone in the present theme."""
        return self._tones.tone(tone)

    @cached_property
    def _tones(self) -> Swatch:
        return self.screen.query_exactly_one(f"#{Swatch.PANELS}", Swatch)

    def strip(self, spans: Spans, base: Style | None = None) -> Strip:
        """Draw spans over the whole width."""
        fitted = fit(spans, self.line_width, ellipsis=self.glyphs.ellipsis)
        return strip_of(fitted, self.tone, base or self.ground)

    def blank(self) -> Strip:
        """Draw a line with nothing on it."""
        return Strip.blank(self.line_width, self.ground)

    @property
    def ground(self) -> Style:
        """The style that lines are drawn on."""
        if self._ground is None:
            self._ground = self.rich_style
        return self._ground

    @property
    def cursor_ground(self) -> Style:
        """The style that the line under the cursor is drawn on."""
        return self.ground + self.get_component_rich_style("row--cursor", partial=True)

    def render_line(self, y: int) -> Strip:
        strip = self.draw(y)
        self._drawn[y] = strip
        return strip

    def repaint(self) -> None:
        """Refresh the visible lines that would look different now."""
        for y in range(self.size.height):
            before = self._drawn.get(y)
            if before is None or self.draw(y) != before:
                self.refresh(Region(0, y, self.size.width, 1))

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._drawn.clear()
        self._ground = None

    def on_resize(self, event: events.Resize) -> None:
        self._drawn.clear()
        self.refresh()
