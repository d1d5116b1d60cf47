"""`MessagesModal`: everything that was said so far, newest first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from roost.client.amounts import plural
from roost_tui.glyphs import Glyphs, glyphs_of
from roost_tui.modals.frame import Body, Frame, paragraph
from roost_tui.modals.palette import BAD, GOOD, MUTED, WARN

Line = tuple[str, str, str]
"""Time, severity and text of one message."""


def severity_piece(severity: str, glyphs: Glyphs) -> Content:
    """Draw how much a message matters: glyph, word and colour."""
    glyph, style = {
        "information": (glyphs.run_done, GOOD),
        "warning": (glyphs.attention, WARN),
        "error": (glyphs.run_failed, BAD),
    }.get(severity, (glyphs.todo, MUTED))
    return Content.styled(f"{glyph} {severity}", style)


class _Row(Horizontal):
    """One message: its time, its severity as glyph and word, and its whole text."""

    def __init__(self, line: Line) -> None:
        super().__init__()
        self._line = line

    def compose(self) -> ComposeResult:
        time, severity, text = self._line
        yield Static(Content(time), classes="time")
        yield Static(severity_piece(severity, glyphs_of(self.app)), classes="severity")
        yield Static(Content(text), classes="text")


class MessagesModal(Frame[None]):
    """Show the messages so far.

    Args:
        lines: Time, severity (``information``, ``warning``, ``error``) and text of each, in the
            order in which they were said.
    """

    DEFAULT_CSS = """
    MessagesModal > .panel { width: 100; }
    MessagesModal _Row { height: auto; }
    MessagesModal .time { width: auto; margin-right: 2; color: $text-muted; }
    MessagesModal .severity { width: 15; }
    MessagesModal .text { width: 1fr; height: auto; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll(-1)", "scroll", id="messages.up", key_display="up/down"),
        Binding("down,j", "scroll(1)", "Scroll down", id="messages.down", show=False),
        Binding("q", "close", "Close", id="messages.close", show=False),
    ]

    def __init__(self, lines: Sequence[Line]) -> None:
        super().__init__("Messages", plural(len(lines), "message") if lines else "")
        self._lines = tuple(lines)
        self.add_class("-wide")

    def compose_body(self) -> Iterable[Widget]:
        """Yield the messages, or a word when there are none."""
        if not self._lines:
            yield paragraph("Nothing has been said yet: no notice, no warning, no error.", "muted")
        for line in reversed(self._lines):
            yield _Row(line)

    def action_scroll(self, rows: int) -> None:
        """Scroll by rows."""
        self.query_one(Body).scroll_relative(y=rows, animate=False)
