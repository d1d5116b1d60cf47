"""`RunList`: the table of the runs screen, with marks and a way to what lies further back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.message import Message

from roost.models import RunView
from roost_tui import run_list_rows
from roost_tui.actions import KeyAction, Place
from roost_tui.columns import Column, Drawing
from roost_tui.glyphs import Glyphs
from roost_tui.marks import Marks, frozen_order
from roost_tui.notes import RowKey
from roost_tui.spans import Spans, Tone
from roost_tui.widgets.table import RowTable


class RunList(RowTable[RunView], inherit_bindings=False):
    """Runs, one line each; their order stands still while some are marked."""

    @dataclass
    class EndNeared(Message):
        """The last rows are in view, or nearly."""

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, RunList.EndNeared)

    def __init__(self, entries: Sequence[KeyAction], glyphs: Glyphs) -> None:
        super().__init__(entries, Place.RUN_LIST, run_list_rows.COLUMNS, glyphs)
        self.marks = Marks()

    def key_of(self, row: RunView) -> RowKey:
        return row.workspace, row.id

    @property
    def marked(self) -> tuple[RunView, ...]:
        """The marked runs, in the order they are shown."""
        return tuple(row for row in self.rows if self.key_of(row) in self.marks)

    @property
    def is_near_end(self) -> bool:
        """Whether the last rows are within a page of what is in view."""
        return round(self.scroll_y) + 2 * self.page >= len(self.rows)

    def show(self, rows: Sequence[RunView], drawing: Drawing) -> None:
        if self.marks:
            self.marks.keep({self.key_of(row) for row in rows})
            rows = frozen_order([self.key_of(row) for row in self.rows], rows, self.key_of)
        super().show(rows, drawing)

    def toggle_mark(self) -> None:
        """Mark the row under the cursor, or take its mark away."""
        if self.cursor_key is not None:
            self.marks.toggle(self.cursor_key)
            self.repaint()

    def mark_range(self) -> None:
        """Mark the rows from the one marked last to the one under the cursor."""
        if self.cursor_key is not None:
            self.marks.extend_to([self.key_of(row) for row in self.rows], self.cursor_key)
            self.repaint()

    def clear_marks(self) -> None:
        """Take every mark away."""
        self.marks.clear()
        self.repaint()

    def _row_spans(
        self, index: int, layout: Sequence[tuple[Column[RunView], int]], is_cursor: bool
    ) -> Spans:
        spans = super()._row_spans(index, layout, is_cursor)
        if self.key_of(self.rows[index]) not in self.marks:
            return spans
        (margin, tone), *rest = spans
        return ((margin[0], tone), (self.glyphs.marked, Tone.WARN), *rest)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if self.is_near_end:
            self.post_message(self.EndNeared())
