"""What a credential write breaks and clears, field by field."""

from __future__ import annotations

from tests.support.fake.world import FakeBundle

from roost.models import ConfigField, CredentialWrite, FieldType, FieldValue


def write_problems(fields: tuple[ConfigField, ...], write: CredentialWrite) -> dict[str, str]:
    """Return a problem for every unknown field and every value that does not fit."""
    known = {field.key: field for field in fields}
    problems = {key: "is not a field" for key in (*write.set, *write.clear) if key not in known}
    for key, value in write.set.items():
        if key in known and (problem := _value_problem(known[key], value)):
            problems[key] = problem
    return problems


def _value_problem(field: ConfigField, value: FieldValue) -> str | None:
    if field.multiple:
        return None if isinstance(value, list) else "must be a list"
    if field.type is FieldType.BOOLEAN:
        return None if isinstance(value, bool) else "must be true or false"
    if field.type is FieldType.NUMBER:
        return _number_problem(field, value)
    return None if isinstance(value, str) and value else "must be a text that is not empty"


def _number_problem(field: ConfigField, value: FieldValue) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "must be a number"
    if field.minimum is not None and value < field.minimum:
        return f"must be at least {field.minimum:g}"
    if field.maximum is not None and value > field.maximum:
        return f"must be at most {field.maximum:g}"
    return None


def cleared_fields(bundle: FakeBundle, values: dict[str, FieldValue]) -> tuple[str, ...]:
    """Return the sensitive fields that are set and have no value among these."""
    return tuple(
        entry.key
        for entry in bundle.fields
        if entry.sensitive and entry.key in bundle.values and entry.key not in values
    )
