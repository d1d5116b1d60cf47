"""`CommandModal`: a command line that is split like a shell does, and shown before it is run."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Sequence

from textual import on
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static

from roost_tui.modals.confirm import ConfirmModal
from roost_tui.modals.frame import paragraph
from roost_tui.modals.typed_answer import TypedAnswer


def split(text: str) -> tuple[str, ...]:
    """Split a line into an argument vector.

    Raises:
        ValueError: a quotation is not closed, or a backslash ends the line.
    """
    return tuple(shlex.split(text))


def vector_text(command: Sequence[str]) -> str:
    """Return an argument vector so that every boundary can be seen."""
    return json.dumps(list(command), ensure_ascii=False)


class CommandModal(TypedAnswer[tuple[str, ...] | None]):
    """Ask for a command; no shell takes part, so the arguments are shown while they are typed.

    Args:
        workspace: where it is run.
    """

    def __init__(self, workspace: str) -> None:
        question = "It runs in the workspace's folder. Quotes work; pipes and variables do not."
        title = f"Run a command in {workspace}"
        super().__init__(title, question, Content("Command:"), "Review")

    def is_answer(self, text: str) -> bool:
        """Say whether there is a command that can be split."""
        try:
            return bool(split(text))
        except ValueError:
            return False

    def confirm(self, text: str) -> None:
        """Close with the argument vector."""
        self.dismiss(split(text))

    def compose_body(self) -> Iterable[Widget]:
        """Yield the question, the line and what it is split into."""
        yield from super().compose_body()
        yield Static(Content(""), id="vector", classes="question muted")

    @on(Input.Changed, "#answer")
    def _show_vector(self, message: Input.Changed) -> None:
        try:
            said = vector_text(split(message.value)) if message.value.strip() else ""
        except ValueError as error:
            said = f"{error}"
        self.query_one("#vector", Static).update(Content(said))


class ReviewModal(ConfirmModal):
    """Show the argument vector before it is run; No has the focus."""

    def __init__(self, workspace: str, command: Sequence[str]) -> None:
        super().__init__(f"Run in {workspace}", "Run exactly this?", "", yes_label="Run")
        self._command = tuple(command)
        self.remove_class("-danger")

    def compose_body(self) -> Iterable[Widget]:
        """Yield the question and each argument on a line of its own."""
        yield from super().compose_body()
        for number, argument in enumerate(self._command):
            yield paragraph(f"{number}  {json.dumps(argument, ensure_ascii=False)}", "argument")
