"""`Banner`: says that what is shown may not be what is."""

from __future__ import annotations

from textual.reactive import reactive
from textual.strip import Strip

from roost_tui import overview
from roost_tui.spans import Spans, fit
from roost_tui.state import ScreenState
from roost_tui.widgets.span_line import SpanLine
from roost_tui.widgets.tones import strip_of


class Banner(SpanLine):
    """Two lines below the header while the daemon is away or about to be."""

    DEFAULT_CSS = """
    Banner { height: 2; background: $surface; display: none; }
    Banner.-shown { display: block; }
    """

    state: reactive[ScreenState] = reactive(ScreenState())
    now: reactive[int] = reactive(0)
    retry_key: reactive[str] = reactive("")

    def __init__(self) -> None:
        super().__init__(id="banner")

    @property
    def lines(self) -> tuple[Spans, ...]:
        """What is said; empty while all is well."""
        return overview.banner(
            self.state.link,
            self.now,
            has_seen_engine=self.state.has_seen_engine,
            retry_key=self.retry_key,
        )

    def watch_state(self) -> None:
        self.set_class(bool(self.lines), "-shown")

    def render_line(self, y: int) -> Strip:
        width, lines = self.size.width, self.lines
        if y >= len(lines):
            return Strip.blank(width)
        return strip_of(fit(lines[y], width), self.tone, self.rich_style)
