"""`FilterBar`: where a filter is typed; it takes effect with every letter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.reactive import reactive
from textual.widgets import Input

from roost_tui.actions import Place
from roost_tui.spans import Spans, Tone, width_of
from roost_tui.widgets.span_line import SpanLine


class _Prompt(SpanLine):
    DEFAULT_CSS = "_Prompt { width: 3; }"

    def spans(self, width: int) -> Spans:
        return ((" / ", Tone.TITLE),)


class _Hint(SpanLine):
    DEFAULT_CSS = "_Hint { width: auto; max-width: 60%; }"

    said: reactive[Spans] = reactive((), layout=True)

    def get_content_width(self, container: object, viewport: object) -> int:
        return width_of(self.said) + 1

    def spans(self, width: int) -> Spans:
        return self.said


class FilterInput(Input):
    """The text field of the bar."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "clear", id="filter.clear", tooltip="Clear the filter")
    ]

    @dataclass
    class Left(Message):
        """Escape was pressed."""

    def action_leave(self) -> None:
        self.post_message(self.Left())


class FilterBar(Horizontal):
    """A line above the footer while a filter is typed."""

    DEFAULT_CSS = """
    FilterBar { height: 1; background: $surface; display: none; }
    FilterBar.-shown { display: block; }
    FilterBar FilterInput {
        width: 1fr; height: 1; border: none; padding: 0; background: $surface;
    }
    FilterBar FilterInput:focus { border: none; }
    """

    @dataclass
    class Typed(Message):
        """The text changed."""

        place: Place
        text: str

    @dataclass
    class Kept(Message):
        """The filter stays; back to the panel."""

        place: Place

    @dataclass
    class Cleared(Message):
        """The filter goes; back to the panel."""

        place: Place

    def __init__(self) -> None:
        super().__init__(id="filter-bar")
        self._place = Place.BUNDLES

    def compose(self) -> ComposeResult:
        yield _Prompt()
        yield FilterInput(placeholder="words  !not  state:dead  since:1h  ~regex", compact=True)
        yield _Hint()

    def open(self, place: Place, text: str) -> None:
        """Begin to type the filter of a panel."""
        self._place = place
        self.add_class("-shown")
        field = self.query_one(FilterInput)
        with field.prevent(Input.Changed):
            field.value = text
        field.cursor_position = len(text)
        field.focus()

    def close(self) -> None:
        """Put the bar away."""
        self.remove_class("-shown")

    def say(self, hint: Spans) -> None:
        """Say how many are left, or what is wrong with the text."""
        self.query_one(_Hint).said = hint

    @on(Input.Changed)
    def tell_text(self, message: Input.Changed) -> None:
        message.stop()
        self.post_message(self.Typed(self._place, message.value))

    @on(Input.Submitted)
    def tell_kept(self, message: Input.Submitted) -> None:
        message.stop()
        self.post_message(self.Kept(self._place))

    @on(FilterInput.Left)
    def tell_cleared(self, message: FilterInput.Left) -> None:
        message.stop()
        self.post_message(self.Cleared(self._place))
