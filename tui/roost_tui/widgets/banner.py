"""`Banner`: says that what is shown may not be what is, and follows a daemon that is stopping."""

from __future__ import annotations

from textual.reactive import reactive
from textual.strip import Strip

from roost_tui import connection_text
from roost_tui.connection_text import Room
from roost_tui.glyphs import UNICODE, Glyphs
from roost_tui.spans import Spans, fit
from roost_tui.state import LinkPhase, ScreenState
from roost_tui.widgets.span_line import SpanLine
from roost_tui.widgets.tones import strip_of

SHARE = 3
"""It takes at most one line in so many: the rows it is about stay in sight."""

LEAST = 4
"""Lines it may take on the smallest terminal."""


class Banner(SpanLine):
    """Lines below the header, as many as there is to say; none while all is well.

    Args:
        glyphs: the set of characters.
        keys: the keys that try again and that leave; empty where none is bound.
        is_read_only: whether nothing is started from here.
    """

    DEFAULT_CSS = """
    Banner { height: auto; background: $surface; display: none; }
    Banner.-shown { display: block; }
    """

    state: reactive[ScreenState] = reactive(ScreenState())
    now: reactive[int] = reactive(0)

    def __init__(
        self,
        glyphs: Glyphs = UNICODE,
        *,
        keys: tuple[str, str] = ("", ""),
        is_read_only: bool = False,
    ) -> None:
        super().__init__(id="banner")
        self._glyphs = glyphs
        self._keys = keys
        self._is_read_only = is_read_only

    @property
    def lines(self) -> tuple[Spans, ...]:
        """What is said; empty while all is well."""
        link = self.state.link
        if link.phase is LinkPhase.LIVE:
            return ()
        return connection_text.lines(
            link,
            self.now,
            has_rows=self.state.has_seen_engine,
            keys=self._keys,
            is_read_only=self._is_read_only,
            room=self._room,
            glyphs=self._glyphs,
        )

    @property
    def _room(self) -> Room:
        width, height = self.screen.size
        return width, max(height // SHARE, LEAST)

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        return len(self.lines)

    def watch_state(self) -> None:
        count = len(self.lines)
        self.set_class(bool(count), "-shown")
        if count != self.size.height:
            self.refresh(layout=True)

    def render_line(self, y: int) -> Strip:
        width, lines = self.size.width, self.lines
        if y >= len(lines):
            return Strip.blank(width)
        spans = fit(lines[y], width, ellipsis=self._glyphs.ellipsis)
        return strip_of(spans, self.tone, self.rich_style)
