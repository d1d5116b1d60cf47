"""`RowTable`: a table over a sequence of rows that lays out and draws only those in view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip

from roost_tui.actions import KeyAction, Place
from roost_tui.columns import GAP, Column, Drawing, lay_out
from roost_tui.glyphs import UNICODE, Glyphs
from roost_tui.notes import RowKey
from roost_tui.spans import Span, Spans, Tone, fit
from roost_tui.widgets.span_view import SpanView

Row = TypeVar("Row")

HEADER = 1
"""Lines of the heading, which does not scroll."""

MARGIN = 2
"""Cells before the first column: the cursor's mark."""

EDGE = 1
"""Cells behind the last column, so that figures do not touch the scroll bar."""


class RowTable(SpanView, Generic[Row], inherit_bindings=False):
    """Rows under a cursor that stays on its row by key, however the order changes."""

    @dataclass
    class CursorMoved(Message):
        """The cursor is on another row, or on none."""

        table: RowTable[Any]
        key: RowKey | None

    @dataclass
    class Opened(Message):
        """A row was opened by a second click on it."""

        table: RowTable[Any]
        key: RowKey

    def __init__(
        self,
        entries: Sequence[KeyAction],
        place: Place,
        columns: Sequence[Column[Row]],
        glyphs: Glyphs = UNICODE,
    ) -> None:
        super().__init__(entries, place, glyphs)
        self.columns: tuple[Column[Row], ...] = tuple(columns)
        self.sort_title = ""
        self.is_descending = False
        self.rows: Sequence[Row] = ()
        self.cursor_key: RowKey | None = None
        self._cursor = 0
        self._drawing = Drawing(0)
        self._positions: dict[RowKey, int] = {}
        self._empty: tuple[Spans, ...] = ()

    def key_of(self, row: Row) -> RowKey:
        """Return what identifies a row."""
        raise NotImplementedError

    @property
    def cursor_row(self) -> Row | None:
        """The row under the cursor, if there is any."""
        return self.rows[self._cursor] if self._cursor < len(self.rows) else None

    def show(self, rows: Sequence[Row], drawing: Drawing) -> None:
        """Take other rows; the cursor and what is visible stay where they are by key."""
        before, offset = self._cursor, self._cursor - round(self.scroll_y)
        self._drawing = drawing
        if rows is not self.rows:
            self.rows = rows
            self._positions = {self.key_of(row): index for index, row in enumerate(rows)}
            self._place_cursor()
        self.virtual_size = Size(0, len(rows) + HEADER if rows else len(self._empty))
        if self._cursor != before and self.scroll_y > 0:
            self.jump_to(self._cursor - offset)
        self._keep_cursor_visible()
        self.repaint()

    def show_empty(self, lines: Sequence[Spans]) -> None:
        """Say why there are no rows."""
        if tuple(lines) != self._empty:
            self._empty = tuple(lines)
            self.refresh()

    def show_order(self, title: str, *, is_descending: bool) -> None:
        """Mark the column that the rows are ordered by."""
        if (title, is_descending) != (self.sort_title, self.is_descending):
            self.sort_title, self.is_descending = title, is_descending
            self.refresh()

    def shown_titles(self) -> list[str]:
        """Return the titles of the columns that fit."""
        layout = lay_out(self.columns, self.line_width - MARGIN - EDGE)
        return [column.title for column, _ in layout]

    def show_columns(self, columns: Sequence[Column[Row]]) -> None:
        """Take other columns."""
        if tuple(columns) != self.columns:
            self.columns = tuple(columns)
            self.refresh()

    def select(self, key: RowKey) -> bool:
        """Put the cursor on a row; false when it is not among the rows."""
        position = self._positions.get(key)
        if position is None:
            return False
        self._go_to(position)
        return True

    def _place_cursor(self) -> None:
        position = None if self.cursor_key is None else self._positions.get(self.cursor_key)
        if position is None:
            position = min(self._cursor, max(len(self.rows) - 1, 0))
        self._cursor = position
        self._announce()

    def _announce(self) -> None:
        row = self.cursor_row
        key = None if row is None else self.key_of(row)
        if key != self.cursor_key:
            self.cursor_key = key
            self.post_message(self.CursorMoved(self, key))

    def _go_to(self, position: int) -> None:
        self._cursor = max(0, min(position, len(self.rows) - 1))
        self._announce()
        self._keep_cursor_visible()
        self.repaint()

    def _keep_cursor_visible(self) -> None:
        body = max(self.page - HEADER, 1)
        top = round(self.scroll_y)
        if self._cursor < top:
            self.jump_to(self._cursor)
        elif self._cursor >= top + body:
            self.jump_to(self._cursor - body + 1)

    def move(self, where: str) -> None:
        body = max(self.page - HEADER, 1)
        steps = {
            "up": -1,
            "down": 1,
            "half_up": -(body // 2),
            "half_down": body // 2,
            "page_up": -body,
            "page_down": body,
            "top": -len(self.rows),
            "bottom": len(self.rows),
        }
        if step := steps.get(where, 0):
            self._go_to(self._cursor + step)

    def step(self, by: int) -> None:
        """Move the cursor by rows, round the ends."""
        if self.rows:
            self._go_to((self._cursor + by) % len(self.rows))

    # Drawing

    def draw(self, y: int) -> Strip:
        if not self.rows and self._empty:
            return self._draw_empty(y)
        layout = lay_out(self.columns, self.line_width - MARGIN - EDGE)
        if y == 0:
            return self._draw_header(layout)
        index = round(self.scroll_y) + y - HEADER
        if index >= len(self.rows):
            return self.blank()
        is_cursor = index == self._cursor
        base = self.cursor_ground if is_cursor else self.ground
        return self.strip(self._row_spans(index, layout, is_cursor), base)

    def _draw_empty(self, y: int) -> Strip:
        if y >= len(self._empty):
            return self.blank()
        return self.strip(((" " * MARGIN, Tone.TEXT), *self._empty[y]))

    def _draw_header(self, layout: Sequence[tuple[Column[Row], int]]) -> Strip:
        spans: list[Span] = [(" " * MARGIN, Tone.MUTED)]
        for column, width in layout:
            spans += fit(self._title(column, width), width, column.align)
            spans.append((" " * GAP, Tone.MUTED))
        return self.strip(tuple(spans))

    def _title(self, column: Column[Row], width: int) -> Spans:
        if column.title != self.sort_title:
            return ((column.title, Tone.MUTED),)
        arrow = self.glyphs.descending if self.is_descending else self.glyphs.ascending
        return ((f"{column.title}{arrow}"[-width:], Tone.ACCENT),)

    def _row_spans(
        self, index: int, layout: Sequence[tuple[Column[Row], int]], is_cursor: bool
    ) -> Spans:
        row = self.rows[index]
        mark = f"{self.glyphs.cursor} " if is_cursor and self.has_focus else " " * MARGIN
        spans: list[Span] = [(mark, Tone.ACCENT)]
        for column, width in layout:
            cells = column.cells(row, self._drawing, width)
            spans += fit(cells, width, column.align, self.glyphs.ellipsis)
            spans.append((" " * GAP, Tone.TEXT))
        return tuple(spans)

    # Pointer and focus

    def on_click(self, event: events.Click) -> None:
        index = round(self.scroll_y) + event.y - HEADER
        if event.y < HEADER or index >= len(self.rows):
            return
        self._go_to(index)
        if event.chain == 2 and self.cursor_key is not None:
            self.post_message(self.Opened(self, self.cursor_key))

    def on_focus(self) -> None:
        self.repaint()

    def on_blur(self) -> None:
        self.repaint()
