"""The controls of a form's rows. Each has a `text`: what it stands for, as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Input, Select, TextArea

from roost.client.amounts import plural
from roost_tui.glyphs import glyphs_of
from roost_tui.modals.palette import MUTED


class HasText(Protocol):
    """What a row needs of its control."""

    text: str


class LineInput(Input):
    """One line of text; enter goes on to the next field."""

    class Trimmed(Message):
        """A pasted text had more lines than the one that was taken."""

        def __init__(self, lines: int) -> None:
            super().__init__()
            self.sentence = f"the pasted text has {plural(lines, 'line')}; only the first was taken"

    def __init__(self, text: str = "") -> None:
        super().__init__(text, classes="field", select_on_focus=False)

    @property
    def text(self) -> str:
        """The line."""
        return self.value

    @text.setter
    def text(self, text: str) -> None:
        self.value = text

    async def action_submit(self) -> None:
        """Go on to the next field."""
        self.screen.focus_next()

    def on_paste(self, event: events.Paste) -> None:
        """Take the first line, and say so when there are more."""
        event.stop()
        event.prevent_default()
        lines = event.text.splitlines()
        start, end = sorted(self.selection)
        self.replace(lines[0] if lines else "", start, end)
        if len(lines) > 1:
            self.post_message(self.Trimmed(len(lines)))


class LinesArea(TextArea):
    """Several lines of text; tab leaves it."""

    def __init__(self, text: str = "") -> None:
        super().__init__(text, classes="field lines", highlight_cursor_line=False)

    def on_mount(self) -> None:
        """Go on behind what is there."""
        self.move_cursor(self.document.end)


class ChoicePick(Select[str]):
    """One of several; empty text means that nothing is chosen."""

    def __init__(self, choices: Sequence[tuple[str, str]], text: str = "") -> None:
        """Build it.

        Args:
            choices: Label and text of each choice.
            text: The text of the one that is chosen.
        """
        is_known = text in [known for _, known in choices]
        super().__init__(
            choices,
            prompt="not set",
            value=text if is_known else Select.NULL,
            compact=True,
            classes="field",
        )

    @property
    def text(self) -> str:
        """The text of what is chosen."""
        return self.value if isinstance(self.value, str) else ""

    @text.setter
    def text(self, text: str) -> None:
        self.value = text or Select.NULL


class Segments(Widget, can_focus=True):
    """A few choices side by side, all in view; arrows and space move between them."""

    DEFAULT_CSS = """
    Segments { width: 1fr; height: 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "step(-1)", "Previous", show=False),
        Binding("right,space", "step(1)", "Next", show=False),
        Binding("enter", "leave", "Next field", show=False),
    ]

    text = reactive("", init=False)
    """The text of what is chosen."""

    class Changed(Message):
        """Another choice was made."""

    def __init__(self, choices: Sequence[tuple[str, str]], text: str = "") -> None:
        """Build it.

        Args:
            choices: Label and text of each choice.
            text: The text of the one that is chosen.
        """
        super().__init__(classes="field segments")
        self._choices = tuple(choices)
        self.set_reactive(Segments.text, text)

    def render(self) -> Content:
        """Draw the choices, the chosen one marked."""
        gap = Content("   ")
        return gap.join(self._drawn(label, text) for label, text in self._choices)

    def _drawn(self, label: str, text: str) -> Content:
        is_chosen = text == self.text
        glyphs = glyphs_of(self.app)
        mark = glyphs.option_on if is_chosen else glyphs.option_off
        return Content.styled(f"{mark} {label}", "bold" if is_chosen else MUTED)

    def watch_text(self) -> None:
        """Tell the row."""
        self.post_message(self.Changed())

    def action_step(self, by: int) -> None:
        """Choose the neighbour; past the end it goes on at the start."""
        texts = [text for _, text in self._choices]
        at = texts.index(self.text) if self.text in texts else -1
        self.text = texts[(at + by) % len(texts)]

    def action_leave(self) -> None:
        """Go on to the next field."""
        self.screen.focus_next()

    def on_click(self, event: events.Click) -> None:
        """Choose what was clicked."""
        start = 0
        offset = event.get_content_offset(self)
        for label, text in self._choices:
            end = start + self._drawn(label, text).cell_length
            if offset is not None and start <= offset.x < end:
                self.text = text
            start = end + 3
