"""`ChoiceList`: a list narrowed by what is typed in a line beside it, which keeps the focus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from roost_tui.modals.bounded import Bounded

_NO_MATCH = "Nothing matches; backspace widens the filter."
_NO_CHOICE = "There is nothing to choose from."


@dataclass(frozen=True, slots=True)
class Choice:
    """One entry: its value, how it looks and the words that the filter searches."""

    value: str
    prompt: Content
    words: str


def matching(choices: Sequence[Choice], query: str) -> list[Choice]:
    """Return the choices that contain every word of the query, in their order."""
    wanted = query.lower().split()
    return [c for c in choices if all(word in c.words.lower() for word in wanted)]


class FilterLine(Input):
    """The line that narrows a list and moves its cursor by the screen's action `move`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "choose", id="list.choose", key_display="enter"),
        Binding("up", "screen.move('cursor_up')", "move", id="list.up", key_display="up/down"),
        Binding("down", "screen.move('cursor_down')", "Down", id="list.down", show=False),
        Binding("pageup", "screen.move('page_up')", "Page up", id="list.page_up", show=False),
        Binding(
            "pagedown", "screen.move('page_down')", "Page down", id="list.page_down", show=False
        ),
    ]

    def __init__(self) -> None:
        super().__init__(placeholder="type to filter", classes="field filter")


class ChoiceList(Bounded, OptionList):
    """The entries that match; a line beside the list filters it and moves its cursor."""

    DEFAULT_CSS = """
    ChoiceList {
        height: auto;
        border: none;
        padding: 0;
        background: transparent;
        scrollbar-size-vertical: 1;
    }
    ChoiceList:focus { border: none; background-tint: $foreground 0%; }
    ChoiceList > .option-list--option { padding: 0 1; }
    ChoiceList > .option-list--option-highlighted {
        background: $primary 30%;
        color: $foreground;
        text-style: bold;
    }
    ChoiceList:focus > .option-list--option-highlighted {
        background: $primary 30%;
        color: $foreground;
        text-style: bold;
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", "choose", id="list.select", key_display="enter"),
    ]

    class Chosen(Message):
        """An entry was chosen."""

        def __init__(self, value: str) -> None:
            super().__init__()
            self.value = value

    def __init__(
        self,
        choices: Sequence[Choice],
        *,
        selected: str | None = None,
        takes_focus: bool = False,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id, markup=False, compact=True)
        self.can_focus = takes_focus
        self._choices = tuple(choices)
        self._shown: list[Choice] = []
        self._show(self._choices, selected)

    @property
    def current(self) -> str | None:
        """The value under the cursor; None when nothing matches."""
        at = self.highlighted
        return self._shown[at].value if at is not None and at < len(self._shown) else None

    def narrow(self, query: str) -> None:
        """Show what matches the query; the cursor stays on its entry while that is shown."""
        self._show(matching(self._choices, query), self.current)

    def replace(self, choices: Sequence[Choice], selected: str | None = None) -> None:
        """Show other choices; the cursor stays on its entry, or goes to the selected one."""
        if tuple(choices) == self._choices and selected is None:
            return
        current = selected or self.current
        self._choices = tuple(choices)
        self._show(self._choices, current)

    def choose(self) -> None:
        """Choose the entry under the cursor."""
        if (value := self.current) is not None:
            self.post_message(self.Chosen(value))

    def _show(self, choices: Sequence[Choice], selected: str | None) -> None:
        self._shown = list(choices)
        self.clear_options()
        if not choices:
            self.add_option(Option(_NO_MATCH if self._choices else _NO_CHOICE, disabled=True))
            return
        self.add_options([Option(choice.prompt) for choice in choices])
        values = [choice.value for choice in choices]
        self.highlighted = values.index(selected) if selected in values else 0

    @on(OptionList.OptionSelected)
    def _option_selected(self, message: OptionList.OptionSelected) -> None:
        message.stop()
        self.choose()
