"""What a credential form says and writes: texts to values, drafts to one `CredentialWrite`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from roost.models import (
    ConfigField,
    CredentialField,
    CredentialForm,
    CredentialOutcome,
    CredentialWrite,
    FieldType,
    FieldValue,
)
from roost_tui.modals.wording import number_text, value_text

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


class Unfit(ValueError):
    """A text that is no value of its field; the message says why, for the line below the field."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What stands in one field of the form, not yet written."""

    text: str = ""
    cleared: bool = False
    """Marked to be cleared; typing takes the mark away."""


class Change(StrEnum):
    """What saving would do to a field."""

    KEEP = "keep"
    SET = "set"
    CLEAR = "clear"


def initial_text(entry: CredentialField) -> str:
    """Return the text a field starts with; always empty for a sensitive one."""
    if entry.field.sensitive or entry.value is None:
        return ""
    return value_text(entry.value)


def change_of(entry: CredentialField, draft: Draft) -> Change:
    """Say what saving this draft would do to its field."""
    if draft.cleared:
        return Change.CLEAR if entry.is_set else Change.KEEP
    if draft.text == initial_text(entry):
        return Change.KEEP
    if draft.text.strip() == "":
        is_emptied = entry.is_set and not entry.field.sensitive
        return Change.CLEAR if is_emptied else Change.KEEP
    return Change.SET


def parse_text(field: ConfigField, text: str) -> FieldValue:
    """Turn the text of a field into its value.

    Raises:
        Unfit: the text is no value of the field's type, or out of its bounds.
    """
    if field.multiple:
        return _parse_lines(field, text)
    if field.type is FieldType.BOOLEAN:
        return _parse_boolean(text)
    if field.type is FieldType.NUMBER:
        return _parse_number(field, text)
    return text


def _parse_lines(field: ConfigField, text: str) -> list[str]:
    items = [line.strip() for line in text.splitlines() if line.strip()]
    for number, item in enumerate(items, start=1):
        try:
            parse_text(replace(field, multiple=False), item)
        except Unfit as problem:
            raise Unfit(f"line {number}: {problem}") from problem
    return items


def _parse_boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise Unfit("choose yes or no")
    return text == "true"


def _parse_number(field: ConfigField, text: str) -> float:
    stripped = text.strip()
    if not _NUMBER.fullmatch(stripped):
        raise Unfit("not a number")
    number = float(stripped)
    if field.minimum is not None and number < field.minimum:
        raise Unfit(f"the least allowed is {number_text(field.minimum)}")
    if field.maximum is not None and number > field.maximum:
        raise Unfit(f"the most allowed is {number_text(field.maximum)}")
    return int(number) if number.is_integer() else number


def problem_of(entry: CredentialField, draft: Draft) -> str | None:
    """Return why this draft cannot be saved, or None."""
    if change_of(entry, draft) is not Change.SET:
        return None
    try:
        parse_text(entry.field, draft.text)
    except Unfit as problem:
        return str(problem)
    return None


def clears_sensitive(form: CredentialForm, drafts: Mapping[str, Draft]) -> bool:
    """Say whether saving would clear a sensitive field."""
    return any(
        entry.field.sensitive and change_of(entry, drafts[entry.field.key]) is Change.CLEAR
        for entry in form.fields
    )


def build_write(
    form: CredentialForm, drafts: Mapping[str, Draft], reason: str | None = None
) -> CredentialWrite:
    """Build the write that holds only what was changed.

    Args:
        form: The form as it was read.
        drafts: What stands in it, by field key.
        reason: Why a sensitive field is cleared, where that is asked for.

    Raises:
        Unfit: a draft has a problem; `problem_of` names it per field.
    """
    values: dict[str, FieldValue] = {}
    cleared: list[str] = []
    for entry in form.fields:
        key = entry.field.key
        change = change_of(entry, drafts[key])
        if change is Change.SET:
            values[key] = parse_text(entry.field, drafts[key].text)
        elif change is Change.CLEAR:
            cleared.append(key)
    return CredentialWrite(set=values, clear=tuple(cleared), reason=reason)


def form_after(
    form: CredentialForm, write: CredentialWrite, outcome: CredentialOutcome, now_ms: int
) -> CredentialForm:
    """Return the form as it stands after a write, without a sensitive value in it."""
    fields = tuple(_entry_after(entry, write, outcome, now_ms) for entry in form.fields)
    can_restore = form.can_restore or form.revision > 0
    return replace(form, revision=outcome.revision, fields=fields, can_restore=can_restore)


def _entry_after(
    entry: CredentialField, write: CredentialWrite, outcome: CredentialOutcome, now_ms: int
) -> CredentialField:
    key = entry.field.key
    if key in write.clear:
        return CredentialField(field=entry.field, is_set=False)
    if key not in write.set:
        return entry
    value = None if entry.field.sensitive else write.set[key]
    return CredentialField(entry.field, True, value, outcome.revision, now_ms, "you")
