"""`ToolRow`: one property of a tool's input in the form."""

from __future__ import annotations

import json

from textual.widget import Widget

from roost_tui.modals.argument_checks import choice_label, hint_of
from roost_tui.modals.controls import ChoicePick, LineInput, LinesArea, Segments
from roost_tui.modals.form_row import FormRow
from roost_tui.modals.tool_schema import Shape, ToolField


class ToolRow(FormRow):
    """A property with the control that its shape asks for."""

    def __init__(self, entry: ToolField, text: str) -> None:
        super().__init__(
            entry.key,
            entry.label,
            _control(entry, text),
            required=entry.required,
            hint=hint_of(entry),
        )


def _control(entry: ToolField, text: str) -> Widget:
    if entry.shape is Shape.BOOLEAN and text in ("", "true", "false"):
        return Segments([*_unset(entry), ("yes", "true"), ("no", "false")], text)
    choices = [(choice_label(choice), json.dumps(choice)) for choice in entry.choices]
    if choices and text in ("", *(known for _, known in choices)):
        return ChoicePick(choices, text)
    is_list = entry.shape in (Shape.LINES, Shape.JSON)
    if is_list or entry.is_long or "\n" in text:
        return LinesArea(text)
    return LineInput(text)


def _unset(entry: ToolField) -> list[tuple[str, str]]:
    return [] if entry.required else [("not set", "")]
