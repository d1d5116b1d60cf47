"""`EntryList`: the servers that were found, by client, with a mark on each that is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events, on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from roost.models import ImportEntry
from roost_tui.glyphs import glyphs_of
from roost_tui.import_text import (
    groups,
    is_choosable,
    remark_text,
    what_runs,
    widths,
)
from roost_tui.modals.bounded import Bounded
from roost_tui.modals.palette import ACCENT, GOOD, MUTED, TONE_STYLES
from roost_tui.spans import Tone, clip, fit, plain

_STYLES = TONE_STYLES | {Tone.TEXT: "", Tone.ACCENT: ACCENT}

_MARK_CELLS = 6
"""Cells before the name: padding, the mark, and what says that a copy is pinned."""


class EntryList(Bounded, OptionList):
    """Rows under a cursor; headings are skipped.

    Args:
        entries: what was found.
        marked: ids of what is chosen; changed in place.
        pinned: ids of what is replaced by a pinned copy; changed in place.
    """

    DEFAULT_CSS = """
    EntryList {
        height: auto;
        margin-top: 1;
        border: none;
        padding: 0;
        background: transparent;
        scrollbar-size-vertical: 1;
    }
    EntryList:focus { border: none; background-tint: $foreground 0%; }
    EntryList > .option-list--option { padding: 0 1; }
    EntryList > .option-list--option-disabled { color: $text-primary; text-style: bold; }
    EntryList > .option-list--option-highlighted,
    EntryList:focus > .option-list--option-highlighted {
        background: $primary 30%;
        color: $foreground;
        text-style: none;
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", "mark", id="import.mark", key_display="space"),
        Binding("V", "mark_all", "all", id="import.all", tooltip="Mark all, or none"),
        Binding("p", "pin", "pin", id="import.pin", tooltip="Add an installed, pinned copy"),
        Binding("enter", "screen.go", "next", id="import.next", key_display="enter"),
        Binding("down,j", "cursor_down", "Down", id="import.down", show=False),
        Binding("up,k", "cursor_up", "Up", id="import.up", show=False),
        Binding("g,home", "first", "First", id="import.first", show=False),
        Binding("G,end", "last", "Last", id="import.last", show=False),
        Binding("pagedown,ctrl+d", "page_down", "Page down", id="import.page_down", show=False),
        Binding("pageup,ctrl+u", "page_up", "Page up", id="import.page_up", show=False),
    ]

    class Moved(Message):
        """The cursor is on another entry, or an entry was marked."""

    def __init__(self, entries: Sequence[ImportEntry], marked: set[str], pinned: set[str]) -> None:
        super().__init__(id="entries", markup=False, compact=True)
        self._entries = tuple(entries)
        self._by_id = {entry.id: entry for entry in entries}
        self.marked = marked
        self.pinned = pinned

    @property
    def current(self) -> ImportEntry | None:
        """The entry under the cursor."""
        if self.highlighted is None:
            return None
        return self._by_id.get(self.get_option_at_index(self.highlighted).id or "")

    def on_mount(self) -> None:
        """Draw the rows for the width there will be."""
        self._fill(self.screen.size.width)

    def on_resize(self, event: events.Resize) -> None:
        """Draw the rows for the width there is."""
        self._fill(event.size.width)

    def _fill(self, width: int) -> None:
        at = self.highlighted
        self._widths = widths(self._entries, max(width - 2 - _MARK_CELLS, 30))
        options = []
        for group in groups(self._entries):
            options.append(Option(Content(group.title), disabled=True))
            options += [Option(self._row(entry), id=entry.id) for entry in group.entries]
        self.set_options(options)
        if self._entries:
            self.highlighted = at if at is not None else 1

    def _row(self, entry: ImportEntry) -> Content:
        glyphs = glyphs_of(self.app)
        is_marked = entry.id in self.marked
        mark = glyphs.option_on if is_marked else glyphs.option_off
        room = self._widths
        runs = plain(fit(((what_runs(entry), Tone.TEXT),), room.runs, ellipsis=glyphs.ellipsis))
        name = f"{clip(entry.name, room.name, glyphs.ellipsis):<{room.name}}"
        is_quiet = not is_choosable(entry)
        return Content.assemble(
            (f"{mark if is_choosable(entry) else ' '} ", GOOD if is_marked else MUTED),
            ("pin " if entry.id in self.pinned else "    ", ACCENT),
            (name, MUTED if is_quiet else "bold" if is_marked else ""),
            "  ",
            (runs, MUTED),
            "  ",
            *(
                (words, _STYLES.get(tone, MUTED))
                for words, tone in remark_text(entry, room.remarks, glyphs.ellipsis)
            ),
        )

    # Marking

    def action_mark(self) -> None:
        """Mark the entry under the cursor, or take its mark, and go on to the next."""
        entry = self.current
        if entry is None or not is_choosable(entry):
            return
        self.marked ^= {entry.id}
        self._redraw(entry)
        self.action_cursor_down()

    def action_mark_all(self) -> None:
        """Mark everything that can be imported, or nothing where all of it is."""
        all_ids = {entry.id for entry in self._entries if is_choosable(entry)}
        wanted = set() if all_ids <= self.marked else all_ids
        self.marked.clear()
        self.marked.update(wanted)
        for entry in self._entries:
            self._redraw(entry)

    def action_pin(self) -> None:
        """Have a pinned copy in place of the command, or the command as it is."""
        entry = self.current
        if entry is not None and entry.copy is not None:
            self.pinned ^= {entry.id}
            self._redraw(entry)

    def _redraw(self, entry: ImportEntry) -> None:
        self.replace_option_prompt(entry.id, self._row(entry))
        self.post_message(self.Moved())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what can be done to the entry under the cursor."""
        entry = self.current
        if action == "pin":
            return entry is not None and entry.copy is not None
        if action == "mark":
            return entry is not None and is_choosable(entry)
        return True

    @on(OptionList.OptionHighlighted)
    def _highlighted(self, message: OptionList.OptionHighlighted) -> None:
        message.stop()
        self.post_message(self.Moved())

    @on(OptionList.OptionSelected)
    def _selected(self, message: OptionList.OptionSelected) -> None:
        message.stop()
        self.action_mark()
