"""`LogView`: lines as they are written, drawn only where they are visible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, chop_cells
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip

from roost_tui import render
from roost_tui.actions import KeyAction, Place
from roost_tui.filters import NO_FILTER, Filter
from roost_tui.glyphs import Glyphs
from roost_tui.log_buffer import LogBuffer
from roost_tui.log_entries import LogEntry
from roost_tui.spans import Spans, Tone, fit
from roost_tui.widgets.span_view import SpanView
from roost_tui.widgets.tones import strip_of

LABEL_WIDTH = 8
SIDE_STEP = 20
"""Cells that one step to the side moves."""


class LogView(SpanView, inherit_bindings=False):
    """A log under a line cursor. Moving up pauses following; new lines are counted."""

    @dataclass
    class OlderWanted(Message):
        """The top was reached and there may be older lines."""

    @dataclass
    class TailWanted(Message):
        """Following should begin anew from the end: the newest lines are not here."""

    @dataclass
    class Changed(Message):
        """What the panel's title says has changed."""

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, LogView.Changed)

    def __init__(self, entries: Sequence[KeyAction], glyphs: Glyphs) -> None:
        super().__init__(entries, Place.LOGS, glyphs)
        self.is_following = True
        self.is_wrapping = False
        self.has_stamps = True
        self.new_lines = 0
        self.dropped = 0
        self.has_older = False
        self.past = ""
        """Which earlier log this is; nothing is added to one."""
        self.filter = NO_FILTER
        self._buffer = LogBuffer()
        self._parts: list[tuple[LogEntry, str, bool]] = []
        self._cursor = 0
        self._side = 0
        self._empty: Spans = ()
        self._now = 0

    # What is shown

    @property
    def shown(self) -> int:
        """Lines that the filter leaves."""
        return len(self._buffer.shown)

    @property
    def total(self) -> int:
        """Lines held."""
        return self._buffer.total

    @property
    def lines(self) -> Sequence[LogEntry]:
        """The lines that the filter leaves, oldest first."""
        return self._buffer.shown

    @property
    def cursor_line(self) -> LogEntry | None:
        """The line under the cursor; while following, the newest one."""
        if not self._parts:
            return None
        return self._parts[-1 if self.is_following else self._cursor][0]

    def reset(self, empty: Spans = (), *, past: str = "") -> None:
        """Forget everything and begin anew.

        Args:
            empty: said until a line comes.
            past: which earlier log is shown; without it what comes is followed.
        """
        self._buffer.clear()
        self._empty, self.new_lines, self.dropped, self._side = empty, 0, 0, 0
        self.is_following, self.has_older, self.past = not past, False, past
        self._cursor = 0
        self._rebuild()

    def say_empty(self, empty: Spans) -> None:
        """Say why there are no lines."""
        self._empty = empty
        self.refresh()

    def append(self, entries: Sequence[LogEntry], now: int) -> None:
        """Add newer lines."""
        self._now = now
        if self._buffer.is_tail_missing:
            self.new_lines += len(entries)
            self.post_message(self.Changed())
            return
        before = self.shown
        if not self.is_following:
            self.new_lines += len(entries)
        if self._buffer.append(entries, now):
            self._keep_place()
            return
        for entry in self._buffer.shown[before:]:
            self._parts.extend(self._split(entry))
        self._settle()

    def prepend(self, entries: Sequence[LogEntry], now: int, *, has_older: bool) -> None:
        """Add older lines above; what is visible stays where it is."""
        self.has_older = has_older
        height = len(self._parts)
        self._buffer.prepend(entries, now)
        self._parts = [part for entry in self._buffer.shown for part in self._split(entry)]
        added = len(self._parts) - height
        self._cursor = max(self._cursor + added, 0)
        self._resize()
        if not self.is_following and added > 0:
            self.jump_to(self.scroll_y + added)
        self._settle()

    def set_filter(self, wanted: Filter, now: int) -> None:
        """Show only the lines that the filter leaves."""
        if wanted is self.filter:
            return
        self.filter, self._now = wanted, now
        self._buffer.set_filter(wanted, now)
        self._rebuild()
        self._want_older_if_short()

    def follow(self, on: bool) -> None:
        """Follow what is written, or hold still."""
        if on and (self.past or self._buffer.is_tail_missing):
            self.post_message(self.TailWanted())
            return
        if self.is_following and not on:
            self._cursor = max(len(self._parts) - 1, 0)
        self.is_following = on
        self.new_lines = 0 if on else self.new_lines
        self._settle()

    def toggle_wrap(self) -> None:
        """Wrap long lines, or let them run off to the right."""
        self.is_wrapping, self._side = not self.is_wrapping, 0
        self._rebuild()

    def toggle_stamps(self) -> None:
        """Show or hide the times."""
        self.has_stamps = not self.has_stamps
        self._rebuild()

    # Moving

    def move(self, where: str) -> None:
        if where in ("left", "right"):
            self._move_side(SIDE_STEP if where == "right" else -SIDE_STEP)
            return
        if where == "bottom" and not self.past:
            self.follow(True)
            return
        page = self.page
        steps = {
            "up": -1,
            "down": 1,
            "half_up": -(page // 2),
            "half_down": page // 2,
            "page_up": -page,
            "page_down": page,
            "top": -len(self._parts),
            "bottom": len(self._parts),
        }
        self.step(steps[where])

    def step(self, by: int, *, wraps: bool = False) -> None:
        """Move the line cursor; upwards this pauses following."""
        if not self._parts or (self.is_following and by > 0 and not wraps):
            return
        self.follow(False)
        target = self._cursor + by
        last = len(self._parts) - 1
        self._cursor = target % (last + 1) if wraps else max(0, min(target, last))
        self._keep_cursor_visible()
        self.repaint()
        if self._cursor == 0:
            self._want_older()
        self.post_message(self.Changed())

    def _move_side(self, by: int) -> None:
        if not self.is_wrapping:
            self._side = max(self._side + by, 0)
            self.repaint()

    def _keep_cursor_visible(self) -> None:
        top = round(self.scroll_y)
        if self._cursor < top:
            self.jump_to(self._cursor)
        elif self._cursor >= top + self.page:
            self.jump_to(self._cursor - self.page + 1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self.follow(False)
        self._cursor = max(round(self.scroll_y) - 1, 0)
        if self.scroll_y <= 1:
            self._want_older()

    def _want_older(self) -> None:
        if self.has_older:
            self.has_older = False  # asked for once; the answer says whether there is more
            self.post_message(self.OlderWanted())

    def _want_older_if_short(self) -> None:
        is_half_full = self.total >= self._buffer.window // 2
        if self.filter and self.shown < self.page and not is_half_full:
            self._want_older()

    # Lines

    def _split(self, entry: LogEntry) -> list[tuple[LogEntry, str, bool]]:
        width = self._text_width()
        if not self.is_wrapping or width < 1 or cell_len(entry.text) <= width:
            return [(entry, entry.text, True)]
        pieces = chop_cells(entry.text, width)
        return [(entry, piece, index == 0) for index, piece in enumerate(pieces)]

    def _text_width(self) -> int:
        return self.line_width - self._prefix_width()

    def _prefix_width(self) -> int:
        return 2 + (10 if self.has_stamps else 0) + LABEL_WIDTH

    def _rebuild(self) -> None:
        self._parts = [part for entry in self._buffer.shown for part in self._split(entry)]
        self._cursor = max(min(self._cursor, len(self._parts) - 1), 0)
        self._settle()
        self.refresh()

    def _keep_place(self) -> None:
        height = len(self._parts)
        self._parts = [part for entry in self._buffer.shown for part in self._split(entry)]
        lost = max(height - len(self._parts), 0)
        self._cursor = max(self._cursor - lost, 0)
        if not self.is_following:
            self.jump_to(max(self.scroll_y - lost, 0))
        self._settle()

    def _resize(self) -> None:
        self.virtual_size = Size(0, len(self._parts))

    def _settle(self) -> None:
        self._resize()
        if self.is_following:
            end = max(len(self._parts) - self.page, 0)
            self.jump_to(end)
        self._want_older_if_short()
        self.repaint()
        self.post_message(self.Changed())

    def on_resize(self, event: events.Resize) -> None:
        super().on_resize(event)
        # The new height only counts for scrolling once the layout is through.
        self.call_after_refresh(self._rebuild)

    # Drawing

    def draw(self, y: int) -> Strip:
        if not self._parts:
            return self._draw_empty(y)
        index = round(self.scroll_y) + y
        if index >= len(self._parts):
            return self.blank()
        entry, text, is_first = self._parts[index]
        is_cursor = not self.is_following and index == self._cursor
        base = self.cursor_ground if is_cursor else self.ground
        prefix = self._prefix(entry, is_first, is_cursor and self.has_focus)
        body = fit(
            ((text, entry.tone),), self._side + self._text_width(), ellipsis=self.glyphs.ellipsis
        )
        moved = strip_of(body, self.tone, base).crop(self._side)
        return Strip.join([strip_of(prefix, self.tone, base), moved])

    def _prefix(self, entry: LogEntry, is_first: bool, is_cursor: bool) -> Spans:
        mark = f"{self.glyphs.cursor} " if is_cursor else "  "
        stamp = f"{render.clock_time(entry.at)}  " if self.has_stamps else ""
        if not is_first:
            return ((mark, Tone.ACCENT), (" " * (len(stamp) + LABEL_WIDTH), Tone.MUTED))
        label = entry.label.ljust(LABEL_WIDTH)[:LABEL_WIDTH]
        return ((mark, Tone.ACCENT), (stamp, Tone.MUTED), (label, Tone.MUTED))

    def _draw_empty(self, y: int) -> Strip:
        if y or not self._empty:
            return self.blank()
        return self.strip((("  ", Tone.TEXT), *self._empty))

    def on_focus(self) -> None:
        self.repaint()

    def on_blur(self) -> None:
        self.repaint()
