"""Why a value does not fit its property, in the words that stand below the field."""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable
from typing import Any

from roost.client.amounts import plural
from roost_tui.modals.tool_schema import Shape, ToolField
from roost_tui.modals.wording import number_text

_BOUNDS: tuple[tuple[str, Callable[[Any, Any], bool], str], ...] = (
    ("minimum", operator.lt, "the least allowed is"),
    ("maximum", operator.gt, "the most allowed is"),
    ("exclusiveMinimum", operator.le, "must be more than"),
    ("exclusiveMaximum", operator.ge, "must be less than"),
)
"""Schema keyword, the comparison that breaks it, and the words for it."""


def check_argument(entry: ToolField, value: Any) -> str | None:
    """Return why a value does not fit its property, or None."""
    if value is None and not entry.required:
        return None
    if entry.shape is Shape.CHOICE:
        is_known = any(value == c and type(value) is type(c) for c in entry.choices)
        return None if is_known else f"must be one of {listed(entry.choices)}"
    if entry.shape is Shape.TEXT:
        return _check_text(entry, value)
    if entry.shape in (Shape.INTEGER, Shape.NUMBER):
        return _check_number(entry, value)
    if entry.shape is Shape.BOOLEAN:
        return None if isinstance(value, bool) else "must be true or false"
    if entry.shape is Shape.LINES:
        return _check_list(entry, value)
    return _check_container(entry, value)


def _check_text(entry: ToolField, value: Any) -> str | None:
    if not isinstance(value, str):
        return "must be a text"
    least, most = entry.schema.get("minLength"), entry.schema.get("maxLength")
    if isinstance(least, int) and len(value) < least:
        return f"at least {plural(least, 'character')}, this has {len(value)}"
    if isinstance(most, int) and len(value) > most:
        return f"at most {plural(most, 'character')}, this has {len(value)}"
    pattern = entry.schema.get("pattern")
    if isinstance(pattern, str) and not _matches(pattern, value):
        return f"must match {pattern}"
    return None


def _matches(pattern: str, value: str) -> bool:
    try:
        return re.search(pattern, value) is not None
    except re.error:
        # A pattern of another dialect is left to the server.
        return True


def _check_number(entry: ToolField, value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "must be a number"
    if entry.shape is Shape.INTEGER and not float(value).is_integer():
        return "not a whole number"
    for keyword, is_broken, words in _BOUNDS:
        bound = entry.schema.get(keyword)
        if (
            isinstance(bound, int | float)
            and not isinstance(bound, bool)
            and is_broken(value, bound)
        ):
            return f"{words} {number_text(bound)}"
    return None


def _check_list(entry: ToolField, value: Any) -> str | None:
    if not isinstance(value, list):
        return "must be a list"
    least, most = entry.schema.get("minItems"), entry.schema.get("maxItems")
    if isinstance(least, int) and len(value) < least:
        return f"at least {plural(least, 'line')}"
    if isinstance(most, int) and len(value) > most:
        return f"at most {plural(most, 'line')}"
    for number, item in enumerate(value, start=1):
        if entry.item and (problem := check_argument(entry.item, item)):
            return f"item {number}: {problem}"
    return None


def _check_container(entry: ToolField, value: Any) -> str | None:
    kind = entry.schema.get("type")
    if kind == "object" and not isinstance(value, dict):
        return "must be a JSON object: { ... }"
    if kind == "array" and not isinstance(value, list):
        return "must be a JSON list: [ ... ]"
    return None


def choice_label(choice: Any) -> str:
    """Write a choice as it is shown: strings as they are, anything else as JSON."""
    return choice if isinstance(choice, str) else json.dumps(choice)


def listed(choices: tuple[Any, ...]) -> str:
    """Write choices in a row, for a sentence."""
    return ", ".join(choice_label(choice) for choice in choices)


def hint_of(entry: ToolField) -> str:
    """Say what a property is for and what it takes."""
    bounds = [part for part in (_name_beside_title(entry), _takes(entry)) if part]
    if not bounds:
        return entry.description
    return "; ".join([part for part in (entry.description.rstrip("."), *bounds) if part])


def _name_beside_title(entry: ToolField) -> str:
    return entry.key if entry.label != entry.key else ""


def _takes(entry: ToolField) -> str:
    if entry.shape is Shape.LINES and entry.item is not None:
        item = _takes(entry.item)
        return f"one per line, each {item}" if item else "one per line"
    if entry.shape is Shape.JSON:
        return "as JSON"
    if entry.shape is Shape.CHOICE:
        return ""
    words = {Shape.INTEGER: "whole number", Shape.NUMBER: "number"}.get(entry.shape, "")
    return words + _range(entry) if words else ""


def _range(entry: ToolField) -> str:
    low, high = entry.schema.get("minimum"), entry.schema.get("maximum")
    if isinstance(low, int | float) and isinstance(high, int | float):
        return f" from {number_text(low)} to {number_text(high)}"
    if isinstance(low, int | float):
        return f", at least {number_text(low)}"
    if isinstance(high, int | float):
        return f", at most {number_text(high)}"
    return ""
