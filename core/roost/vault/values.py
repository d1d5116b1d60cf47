"""What a field accepts, and how a value reads as text."""

from __future__ import annotations

import math

from roost.models import ConfigField, FieldType, FieldValue

VALUE_LIMIT_BYTES = 120_000
"""Largest text value; Linux ends one environment entry at 128 KiB, its name included."""


def problem_with(field: ConfigField, value: object) -> str | None:
    """Say what keeps `value` from being stored in `field`, or None when it fits.

    The sentence never holds the value.
    """
    if field.multiple:
        return _list_problem(value)
    if field.type is FieldType.NUMBER:
        return _number_problem(field, value)
    if field.type is FieldType.BOOLEAN:
        return None if isinstance(value, bool) else "must be true or false"
    return _text_problem(value)


def normalized(value: FieldValue) -> FieldValue:
    """Return `value` in the one form that is stored: whole numbers become floats."""
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


def value_text(value: str | float | bool) -> str:
    """Return a value as a process receives it: ``true``, ``8080`` and not ``8080.0``."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def _list_problem(value: object) -> str | None:
    if not isinstance(value, list | tuple):
        return "takes several values and needs a list"
    if not value:
        return "has no value; clear the field instead"
    problems = (_text_problem(element) for element in value)
    found = next((problem for problem in problems if problem), None)
    return f"one of its values {found}" if found else None


def _text_problem(value: object) -> str | None:
    if not isinstance(value, str):
        return "must be text"
    if not value:
        return "is empty; clear the field instead"
    if "\0" in value:
        return "holds a NUL byte, which no process can receive"
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        return "holds half of a surrogate pair, which is not text"
    if size > VALUE_LIMIT_BYTES:
        return f"is longer than {VALUE_LIMIT_BYTES} bytes, more than a process can receive"
    return None


def _number_problem(field: ConfigField, value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "must be a number"
    try:
        number = float(value)
    except OverflowError:
        return "must be a finite number"
    if not math.isfinite(number):
        return "must be a finite number"
    if field.minimum is not None and number < field.minimum:
        return f"must be at least {value_text(field.minimum)}"
    if field.maximum is not None and number > field.maximum:
        return f"must be at most {value_text(field.maximum)}"
    return None
