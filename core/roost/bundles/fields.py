"""Which fields of a definition still lack a value."""

from __future__ import annotations

from collections.abc import Mapping

from roost.models import Definition, FieldValue


def missing_fields(definition: Definition, values: Mapping[str, FieldValue]) -> tuple[str, ...]:
    """Return the required fields that have neither a value nor a default, in order."""
    return tuple(
        field.key
        for field in definition.fields
        if field.required and is_empty(values.get(field.key)) and is_empty(field.default)
    )


def is_empty(value: FieldValue | None) -> bool:
    """Whether this is no value at all; false and 0 are values."""
    return value is None or value == "" or value == []
