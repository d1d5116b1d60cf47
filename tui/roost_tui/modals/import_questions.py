"""`QuestionsPage`: what the chosen entries ask for, on one form; sensitive answers are masked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget

from roost.models import ImportEntry, ImportQuestion
from roost_tui.modals.controls import ChoicePick, LineInput, Segments
from roost_tui.modals.form_row import FormRow
from roost_tui.modals.frame import paragraph
from roost_tui.modals.import_pages import Draft, Page
from roost_tui.modals.secret_input import SecretInput

_FEW = 4
"""Choices that are shown side by side; more of them are a list."""

ALLOW = "secret_arguments"
"""Key of the row that asks whether a secret may stand in a command line."""


class AnswerRow(FormRow):
    """One question of one entry."""

    def __init__(self, entry: ImportEntry, question: ImportQuestion, text: str) -> None:
        super().__init__(
            question.key,
            question.title,
            _control(question, text),
            required=question.is_required,
            hint="kept in the vault" if question.is_sensitive else "",
        )
        self.entry = entry
        self.question = question


class ConsentRow(FormRow):
    """Asks whether the secrets of an entry may stand in its command line."""

    def __init__(self, entry: ImportEntry, *, is_allowed: bool) -> None:
        names = ", ".join(entry.secret_arguments)
        control = Segments((("no", ""), ("yes", "true")), "true" if is_allowed else "")
        hint = f"{names} stands in its command line, which every user of this machine can read"
        super().__init__(ALLOW, "Allow", control, required=True, hint=hint)
        self.entry = entry


class QuestionsPage(Page):
    """The form; it goes on once everything required is answered."""

    DEFAULT_CSS = """
    QuestionsPage .entry { text-style: bold; color: $text-primary; height: auto; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "go", "next", id="import.go", tooltip="On to the confirmation"),
    ]

    AUTO_FOCUS = "FormRow .field"

    def __init__(self, draft: Draft) -> None:
        super().__init__(f"Import into {draft.workspace}", "2 of 3: what they ask for")
        self._draft = draft

    def compose_body(self) -> Iterable[Widget]:
        """Yield a row per question, by entry."""
        for entry in self._draft.asking:
            yield paragraph(entry.name, "entry")
            if entry.secret_arguments:
                yield ConsentRow(entry, is_allowed=entry.id in self._draft.allowed)
            given = self._draft.answers.get(entry.id, {})
            for question in entry.questions:
                yield AnswerRow(entry, question, str(given.get(question.key, "")))

    @on(FormRow.Edited)
    def _edited(self, message: FormRow.Edited) -> None:
        message.stop()
        message.row.say()

    def action_go(self) -> None:
        """Go on, unless something required is not answered."""
        bad = [row for row in self.query(FormRow) if self._problem(row)]
        for row in bad:
            row.say(problem=self._problem(row))
        if bad:
            bad[0].control.focus()
            return
        self._keep()
        super().action_go()

    def action_close(self) -> None:
        """Go back; what was typed is kept for when the page is shown again."""
        self._keep()
        super().action_close()

    def _problem(self, row: FormRow) -> str:
        if isinstance(row, ConsentRow) and row.text != "true":
            return "it cannot be imported without this; say yes, or go back and take its mark"
        if isinstance(row, AnswerRow) and row.question.is_required and not row.text.strip():
            return "it is required"
        return ""

    def _keep(self) -> None:
        draft = self._draft
        for consent in self.query(ConsentRow):
            draft.allowed -= {consent.entry.id}
            if consent.text == "true":
                draft.allowed.add(consent.entry.id)
        for row in self.query(AnswerRow):
            answers = draft.answers.setdefault(row.entry.id, {})
            answers.pop(row.key, None)
            if row.text:
                answers[row.key] = row.text


def _control(question: ImportQuestion, text: str) -> Widget:
    text = text or (question.default or "" if not question.is_sensitive else "")
    if question.choices:
        choices = [(choice, choice) for choice in question.choices]
        return Segments(choices, text) if len(choices) <= _FEW else ChoicePick(choices, text)
    if question.is_sensitive:
        control = SecretInput()
        control.value = text
        return control
    return LineInput(text)
