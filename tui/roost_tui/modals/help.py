"""`HelpModal`: the keys by section, in columns on wide screens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from roost_tui.modals.frame import Body, Frame, paragraph
from roost_tui.modals.help_layout import HelpSection, column_count, key_width, spread


class _KeyRow(Horizontal):
    """One key and what it does."""

    def __init__(self, key: str, text: str, width: int) -> None:
        super().__init__()
        self._key = key
        self._text = text
        self._width = width

    def compose(self) -> ComposeResult:
        key = Static(Content(self._key), classes="key")
        key.styles.width = self._width + 2
        yield key
        yield Static(Content(self._text), classes="text")


class _Section(Vertical):
    """A heading and its keys."""

    def __init__(self, section: HelpSection, width: int) -> None:
        super().__init__()
        self._section = section
        self._width = width

    def compose(self) -> ComposeResult:
        heading, rows = self._section
        yield Static(Content(heading), classes="heading")
        for key, text in rows:
            yield _KeyRow(key, text, self._width)


class HelpModal(Frame[None]):
    """Show what every key does.

    Args:
        sections: Headings with their keys and texts, in the order to read them.
    """

    DEFAULT_CSS = """
    HelpModal > .panel { width: 124; }
    HelpModal .columns { height: auto; }
    HelpModal .column { width: 1fr; height: auto; margin-right: 3; }
    HelpModal .column.-last { margin-right: 0; }
    HelpModal _Section { height: auto; margin-bottom: 1; }
    HelpModal _KeyRow { height: auto; }
    HelpModal .heading { text-style: bold; color: $text-primary; height: auto; }
    HelpModal .key { color: $text-accent; text-style: bold; height: auto; }
    HelpModal .text { width: 1fr; height: auto; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll(-1)", "scroll", id="help.up", key_display="up/down"),
        Binding("down,j", "scroll(1)", "Scroll down", id="help.down", show=False),
        Binding("question_mark,f1,q", "close", "Close", id="help.close", show=False),
    ]

    def __init__(self, sections: Sequence[HelpSection]) -> None:
        super().__init__("Help")
        self._sections = tuple(sections)
        self._columns = 0
        self.add_class("-wide")

    def compose_body(self) -> Iterable[Widget]:
        """Yield the place of the columns, or a word when no key is bound."""
        if not self._sections:
            yield paragraph("No keys are bound here.", "muted")
        yield Horizontal(classes="columns")

    def size_changed(self) -> None:
        """Lay the sections out again when another number of columns fits."""
        self.call_later(self._lay_out_columns)

    async def _lay_out_columns(self) -> None:
        body = self.query_one(Body)
        columns = column_count(body.size.width or self.size.width, len(self._sections))
        if columns == self._columns or not self._sections:
            return
        self._columns = columns
        place = self.query_one(".columns")
        await place.remove_children()
        await place.mount_all(self._built_columns(columns))

    def _built_columns(self, columns: int) -> list[Vertical]:
        width = key_width(self._sections)
        heights = [len(rows) + 2 for _, rows in self._sections]
        built = [
            Vertical(*(_Section(self._sections[i], width) for i in column), classes="column")
            for column in spread(heights, columns)
        ]
        built[-1].add_class("-last")
        return built

    def action_scroll(self, rows: int) -> None:
        """Scroll by rows."""
        self.query_one(Body).scroll_relative(y=rows, animate=False)
