"""`ActionMenu`: what can be done with the selected row, each with its key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len
from textual import on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.events import Key

from roost_tui.modals.choice_list import Choice, ChoiceList
from roost_tui.modals.frame import Frame
from roost_tui.modals.palette import ACCENT

MenuEntry = tuple[str, str, str]
"""Id of an action, its key and its label."""


def menu_choices(entries: Sequence[MenuEntry]) -> list[Choice]:
    """Return the entries with their keys in one column."""
    width = max((cell_len(key) for _, key, _ in entries), default=0)
    return [_choice(entry, width) for entry in entries]


def _choice(entry: MenuEntry, width: int) -> Choice:
    action_id, key, label = entry
    padding = " " * (width - cell_len(key))
    prompt = Content.assemble((key, f"bold {ACCENT}"), f"{padding}   ", label)
    return Choice(action_id, prompt, label)


class ActionMenu(Frame[str | None]):
    """Choose an action by cursor or by its own key.

    Args:
        title: What the actions act on.
        entries: Id, key and label of each action.
    """

    DEFAULT_CSS = """
    ActionMenu > .panel { width: 48; }
    ActionMenu ChoiceList { margin-top: 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "move('cursor_down')", "Down", id="menu.down", show=False),
        Binding("k", "move('cursor_up')", "Up", id="menu.up", show=False),
    ]

    AUTO_FOCUS = "ChoiceList"

    def __init__(self, title: str, entries: Sequence[MenuEntry]) -> None:
        super().__init__(title)
        self._entries = tuple(entries)

    def compose_main(self) -> ChoiceList:
        """Return the list."""
        return ChoiceList(menu_choices(self._entries), takes_focus=True)

    def on_key(self, event: Key) -> None:
        """Take an entry's own key before it moves the cursor."""
        for action_id, key, _ in self._entries:
            if key in (event.key, event.character):
                event.stop()
                event.prevent_default()
                self.dismiss(action_id)
                return

    @on(ChoiceList.Chosen)
    def _chosen(self, message: ChoiceList.Chosen) -> None:
        message.stop()
        self.dismiss(message.value)

    def action_move(self, how: str) -> None:
        """Move the cursor."""
        getattr(self.query_one(ChoiceList), f"action_{how}")()
