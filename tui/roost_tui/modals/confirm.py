"""`ConfirmModal`: yes or no, with what a yes would cut."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Button

from roost_tui.modals.frame import Frame, paragraph


class ConfirmModal(Frame[bool]):
    """Ask yes or no and say what a yes cuts; No has the focus.

    Args:
        title: What would be done, such as ``Respawn db-query``.
        question: The question in a sentence.
        cut: What a yes would cut, such as ``cuts 2 runs``; may be empty.
        yes_label: What the button that does it says.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "yes", id="confirm.yes", tooltip="Do it"),
        Binding("n", "answer(False)", "no", id="confirm.no", tooltip="Leave it as it is"),
        Binding("left,right", "other", "Other button", id="confirm.other", show=False),
    ]

    AUTO_FOCUS = "#no"

    def __init__(self, title: str, question: str, cut: str, *, yes_label: str) -> None:
        super().__init__(title)
        self._question = question
        self._cut = cut
        self._yes_label = yes_label
        self.add_class("-danger")

    def compose_body(self) -> Iterable[Widget]:
        """Yield the question and what it would cut."""
        yield paragraph(self._question)
        if self._cut:
            yield paragraph(f"{self.glyphs.attention} {self._cut}", "cut")

    def compose_buttons(self) -> Iterable[Button]:
        """Yield No first; it is the default."""
        yield Button("No", id="no", compact=True)
        yield Button(self._yes_label, id="yes", variant="error", compact=True)

    @on(Button.Pressed)
    def _answer_pressed(self, message: Button.Pressed) -> None:
        message.stop()
        self.dismiss(message.button.id == "yes")

    def action_answer(self, is_yes: bool) -> None:
        """Answer and close."""
        self.dismiss(is_yes)

    def action_close(self) -> None:
        """Close with a no."""
        self.dismiss(False)

    def action_other(self) -> None:
        """Move between the two buttons."""
        is_on_no = self.focused is not None and self.focused.id == "no"
        self.query_one("#yes" if is_on_no else "#no").focus()
