"""`CredentialRow`: one field of the credential form."""

from __future__ import annotations

from textual.widget import Widget

from roost.models import CredentialField, FieldType
from roost_tui.modals.controls import LineInput, LinesArea, Segments
from roost_tui.modals.credential_values import Draft, initial_text, problem_of
from roost_tui.modals.credential_wording import hint_of, status_of, warning_of
from roost_tui.modals.form_row import FormRow
from roost_tui.modals.secret_input import SecretArea, SecretInput


class CredentialRow(FormRow):
    """A field with what is stored for it; a sensitive value never gets into the row."""

    def __init__(self, entry: CredentialField) -> None:
        field = entry.field
        super().__init__(
            field.key,
            field.title or field.key,
            _control(entry),
            required=field.required,
            hint=hint_of(field),
        )
        self._entry = entry
        self._is_marked = False
        self._told_problem: str | None = None

    @property
    def entry(self) -> CredentialField:
        """The field with what is stored for it."""
        return self._entry

    @property
    def draft(self) -> Draft:
        """What stands in the row."""
        return Draft(self.text, self._is_marked and self.text == "")

    def load(self, entry: CredentialField) -> None:
        """Show a field as it is stored now."""
        self._entry = entry
        self._is_marked = False
        self._told_problem = None
        self.disabled = False
        self.text = initial_text(entry)

    def seal(self, status: str) -> None:
        """Take the value away and allow no change, because what is stored is not known here."""
        self.drop()
        self.disabled = True
        self.say(status=status)

    def toggle_clear(self) -> None:
        """Mark a set field to be cleared, or take the mark back; empty a field that is not set."""
        if self.draft.cleared:
            self._is_marked = False
            self.text = initial_text(self._entry)
            return
        self._is_marked = self._entry.is_set
        self.text = ""

    def drop(self) -> None:
        """Forget what was typed."""
        self.text = ""

    def tell_problem(self, problem: str) -> None:
        """Show a problem that only the engine could see, until the text is changed."""
        self._told_problem = problem

    def edited(self) -> None:
        """Take back what was said about the text before."""
        self._told_problem = None
        if self.text:
            self._is_marked = False

    def review(self, now_ms: int) -> str | None:
        """Say anew what stands below the control and return the problem, if there is one.

        Args:
            now_ms: The present in epoch milliseconds.
        """
        draft = self.draft
        problem = self._told_problem or problem_of(self._entry, draft)
        self.say(
            status=status_of(self._entry, draft, now_ms),
            warning=warning_of(self._entry, draft),
            problem=problem,
        )
        return problem


def _control(entry: CredentialField) -> Widget:
    field = entry.field
    text = initial_text(entry)
    if field.multiple:
        return SecretArea() if field.sensitive else LinesArea(text)
    if field.type is FieldType.BOOLEAN:
        unset = "keep" if field.sensitive and entry.is_set else "not set"
        return Segments([(unset, ""), ("yes", "true"), ("no", "false")], text)
    if field.sensitive:
        return SecretInput()
    return LinesArea(text) if "\n" in text else LineInput(text)
