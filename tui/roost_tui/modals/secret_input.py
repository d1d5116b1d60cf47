"""Fields for sensitive values: shown as bullets, kept out of messages, clipboard and undo."""

from __future__ import annotations

from rich.text import Text
from textual import events
from textual.message import Message
from textual.widgets import Input, TextArea

_BULLET = "\N{BULLET}"


class SecretInput(Input):
    """A line for a sensitive value.

    Its messages never hold the value, so that no message log does; it cannot be copied or selected.
    A pasted text of several lines, such as a private key, is kept whole.
    """

    ALLOW_SELECT = False

    class Edited(Message):
        """The value was changed; read it from the widget."""

    def __init__(self) -> None:
        super().__init__(password=True, classes="field")

    @property
    def text(self) -> str:
        """The value."""
        return self.value

    @text.setter
    def text(self, text: str) -> None:
        self.value = text

    def post_message(self, message: Message) -> bool:
        """Replace the messages that would carry the value."""
        if isinstance(message, Input.Changed):
            return super().post_message(self.Edited())
        if isinstance(message, Input.Blurred | Input.Submitted):
            return True
        return super().post_message(message)

    async def action_submit(self) -> None:
        """Go on to the next field."""
        self.screen.focus_next()

    def on_paste(self, event: events.Paste) -> None:
        """Take all lines of a pasted text, without the line end behind them."""
        event.stop()
        event.prevent_default()
        start, end = sorted(self.selection)
        self.replace("\n".join(event.text.splitlines()), start, end)

    def action_copy(self) -> None:
        """Copy nothing."""

    def action_cut(self) -> None:
        """Delete the selection without copying it."""
        self.delete_selection()


class SecretArea(TextArea):
    """Lines for several sensitive values; the same promises as `SecretInput`."""

    ALLOW_SELECT = False

    def __init__(self) -> None:
        super().__init__(
            soft_wrap=False,
            classes="field lines",
            highlight_cursor_line=False,
            max_checkpoints=0,
        )

    def get_line(self, line_index: int) -> Text:
        """Return bullets in place of a line, one per character."""
        return Text(_BULLET * len(self.document.get_line(line_index)), end="")

    def action_copy(self) -> None:
        """Copy nothing."""

    def action_cut(self) -> None:
        """Delete the selection, or the line, without copying it."""
        if self.selection.is_empty:
            self.action_delete_line()
            return
        start, end = self.selection
        self.delete(start, end)
