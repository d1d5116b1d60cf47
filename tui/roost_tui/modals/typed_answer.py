"""`TypeNameModal` and `ReasonModal`: questions answered by a line of text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, TypeVar

from textual import on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Button, Input, Static
from textual.widgets.button import ButtonVariant

from roost_tui.modals.frame import Frame, paragraph
from roost_tui.modals.palette import ACCENT

T = TypeVar("T")


class AnswerLine(Input):
    """The line of a question; enter confirms what is an answer."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "confirm", id="answer.confirm", key_display="enter"),
    ]

    is_ready = reactive(False, bindings=True)
    """Whether what stands in it is an answer."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Confirm nothing but an answer."""
        return self.is_ready if action == "submit" else True


class TypedAnswer(Frame[T]):
    """A question whose button is enabled while the typed line is an answer."""

    DEFAULT_CSS = """
    TypedAnswer .ask { margin-top: 1; width: 1fr; height: auto; }
    """

    AUTO_FOCUS = "#answer"

    variant: ClassVar[ButtonVariant] = "primary"
    """How the button looks that does it."""

    def __init__(self, title: str, question: str, ask: Content, yes_label: str) -> None:
        super().__init__(title)
        self._question = question
        self._ask = ask
        self._yes_label = yes_label

    def is_answer(self, text: str) -> bool:
        """Say whether this line may be confirmed."""
        raise NotImplementedError

    def confirm(self, text: str) -> None:
        """Close with the answer."""
        raise NotImplementedError

    def compose_body(self) -> Iterable[Widget]:
        """Yield the question and the line to type in."""
        yield paragraph(self._question)
        yield Static(self._ask, classes="ask")
        yield AnswerLine(id="answer", classes="field")

    def compose_buttons(self) -> Iterable[Button]:
        """Yield Cancel and the button that waits for an answer."""
        yield Button("Cancel", id="no", compact=True)
        yield Button(self._yes_label, id="yes", variant=self.variant, compact=True, disabled=True)

    @on(Input.Changed, "#answer")
    def _answer_changed(self, message: Input.Changed) -> None:
        message.stop()
        is_ready = self.is_answer(message.value)
        self.query_one(AnswerLine).is_ready = is_ready
        self.query_one("#yes").disabled = not is_ready

    @on(Input.Submitted, "#answer")
    @on(Button.Pressed, "#yes")
    def _try_to_confirm(self, message: Input.Submitted | Button.Pressed) -> None:
        message.stop()
        text = self.query_one("#answer", Input).value
        if self.is_answer(text):
            self.confirm(text)

    @on(Button.Pressed, "#no")
    def _cancelled(self, message: Button.Pressed) -> None:
        message.stop()
        self.action_close()


class TypeNameModal(TypedAnswer[bool]):
    """Ask to type a name before something is destroyed; only the exact name is an answer.

    Args:
        title: What would be done, such as ``Remove db-query``.
        question: What is lost, in a sentence.
        name: The name to type.
        yes_label: What the button says.
    """

    variant = "error"

    def __init__(self, title: str, question: str, name: str, yes_label: str = "Confirm") -> None:
        ask = Content.assemble("Type ", (name, f"bold {ACCENT}"), " to go on:")
        super().__init__(title, question, ask, yes_label)
        self._expected = name
        self.add_class("-danger")

    def is_answer(self, text: str) -> bool:
        """Say whether the name is typed exactly."""
        return text == self._expected

    def confirm(self, text: str) -> None:
        """Close with a yes."""
        self.dismiss(True)

    def action_close(self) -> None:
        """Close with a no."""
        self.dismiss(False)


class ReasonModal(TypedAnswer[str | None]):
    """Ask why; the reason goes to the audit log and must not be empty.

    Args:
        title: What would be done.
        question: Why a reason is asked for, in a sentence.
        yes_label: What the button says.
    """

    def __init__(self, title: str, question: str, yes_label: str = "Continue") -> None:
        super().__init__(title, question, Content("Reason, kept in the audit log:"), yes_label)

    def is_answer(self, text: str) -> bool:
        """Say whether there is a reason at all."""
        return bool(text.strip())

    def confirm(self, text: str) -> None:
        """Close with the reason."""
        self.dismiss(text.strip())
