"""The arguments of a tool call: texts of a form to values and back, and what is wrong with them.

The checks cover what a form can explain at once; the server's own validation has the last word.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from roost_tui.modals.argument_checks import check_argument, choice_label, listed
from roost_tui.modals.tool_schema import Shape, ToolField, ToolForm

_INTEGER = re.compile(r"[+-]?\d+")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


class UnfitArgument(ValueError):
    """A text or value that does not fit its property; the message says why."""


class BadJson(ValueError):
    """A text that is not a JSON object.

    Args:
        sentence: What is wrong and where, for people.
        line: Line of the first problem, from 1.
        column: Column of the first problem, from 1.
    """

    def __init__(self, sentence: str, line: int = 1, column: int = 1) -> None:
        super().__init__(sentence)
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class Arguments:
    """Arguments with the problem of each property that has one."""

    values: dict[str, Any] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)


def read_texts(form: ToolForm, texts: Mapping[str, str], extra: Mapping[str, Any]) -> Arguments:
    """Turn the texts of a form into arguments.

    A text that does not fit is kept as a string, so that nothing typed is lost on the way to the
    JSON editor.

    Args:
        form: The fields of the form.
        texts: Their texts by key; an empty one leaves an optional property out.
        extra: Properties beside the form's that are sent too.
    """
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for entry in form.fields:
        text = texts.get(entry.key, "")
        if text == "":
            if entry.required:
                problems[entry.key] = "required"
            continue
        try:
            values[entry.key] = parse_argument(entry, text)
        except UnfitArgument as problem:
            values[entry.key] = text
            problems[entry.key] = str(problem)
    return Arguments(values | dict(extra), problems)


def parse_argument(entry: ToolField, text: str) -> Any:
    """Turn a text into the value of a property.

    Raises:
        UnfitArgument: it does not fit the property's schema.
    """
    value = _parse(entry, text)
    if problem := check_argument(entry, value):
        raise UnfitArgument(problem)
    return value


def _parse(entry: ToolField, text: str) -> Any:
    if entry.shape is Shape.TEXT:
        return text
    if entry.shape is Shape.INTEGER:
        return _parse_integer(text)
    if entry.shape is Shape.NUMBER:
        return _parse_number(text)
    if entry.shape is Shape.LINES and entry.item is not None:
        return _parse_lines(entry.item, text)
    return _parse_json_value(text)


def _parse_integer(text: str) -> int:
    if not _INTEGER.fullmatch(text.strip()):
        raise UnfitArgument("not a whole number")
    return int(text)


def _parse_number(text: str) -> float:
    if not _NUMBER.fullmatch(text.strip()):
        raise UnfitArgument("not a number")
    return int(text) if _INTEGER.fullmatch(text.strip()) else float(text)


def _parse_lines(item: ToolField, text: str) -> list[Any]:
    values = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() == "":
            continue
        try:
            values.append(parse_argument(item, _line_text(item, line)))
        except UnfitArgument as problem:
            raise UnfitArgument(f"line {number}: {problem}") from problem
    return values


def _line_text(item: ToolField, line: str) -> str:
    """Return the text of a line as its shape reads it: words stand for choices and booleans."""
    if item.shape is not Shape.CHOICE:
        return line.strip() if item.shape is not Shape.TEXT else line
    for choice in item.choices:
        if line.strip() == choice_label(choice):
            return json.dumps(choice)
    raise UnfitArgument(f"must be one of {listed(item.choices)}")


def _parse_json_value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UnfitArgument(_json_sentence(error)) from error


def argument_text(entry: ToolField, value: Any) -> str:
    """Write a value as the text of its property; one of another shape as JSON."""
    if entry.shape is Shape.TEXT and isinstance(value, str):
        return value
    is_plain_list = isinstance(value, list) and entry.item is not None
    if is_plain_list and all(_fits_a_line(item) for item in value):
        return "\n".join(choice_label(item) for item in value)
    if entry.shape in (Shape.INTEGER, Shape.NUMBER) and isinstance(value, str):
        return value
    if entry.shape is Shape.JSON:
        return json.dumps(value, indent=2, ensure_ascii=False)
    return json.dumps(value, ensure_ascii=False)


def _fits_a_line(item: Any) -> bool:
    return not isinstance(item, dict | list) and "\n" not in str(item)


def default_texts(form: ToolForm) -> dict[str, str]:
    """Return the texts a fresh form starts with: the defaults."""
    return {e.key: argument_text(e, e.default) if e.has_default else "" for e in form.fields}


def texts_of(form: ToolForm, values: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, Any]]:
    """Split arguments into the texts of a form and what the form has no field for."""
    known = {entry.key: entry for entry in form.fields}
    texts = {
        key: argument_text(entry, values[key]) if values.get(key) is not None else ""
        for key, entry in known.items()
    }
    return texts, {key: value for key, value in values.items() if key not in known}


def read_json(form: ToolForm, text: str) -> Arguments:
    """Read the arguments out of the JSON editor and check them.

    Raises:
        BadJson: the text is not a JSON object.
    """
    values = parse_object(text)
    return Arguments(values, _problems(form, values))


def parse_object(text: str) -> dict[str, Any]:
    """Parse a JSON object; an empty text is an empty object.

    Raises:
        BadJson: the text is not a JSON object; it says where.
    """
    if text.strip() == "":
        return {}
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise BadJson(_json_sentence(error), error.lineno, error.colno) from error
    if not isinstance(value, dict):
        raise BadJson("the arguments must be one JSON object: { ... }")
    return value


def _json_sentence(error: json.JSONDecodeError) -> str:
    reason = error.msg[:1].lower() + error.msg[1:]
    return f"line {error.lineno}, column {error.colno}: {reason}"


def _problems(form: ToolForm, values: Mapping[str, Any]) -> dict[str, str]:
    problems: dict[str, str] = {}
    for entry in form.fields:
        if entry.key not in values:
            if entry.required:
                problems[entry.key] = "required"
        elif problem := check_argument(entry, values[entry.key]):
            problems[entry.key] = problem
    if not form.takes_more:
        known = {entry.key for entry in form.fields}
        problems |= {key: "the tool does not know it" for key in values if key not in known}
    return problems
