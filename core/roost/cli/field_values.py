"""Values for credential fields, from arguments, variables and standard input."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

from roost.cli.arguments import Arguments, usage_error
from roost.cli.session import Session
from roost.cli.terminal import checked_text
from roost.models import FieldValue

_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")

Fields = Mapping[str, Mapping[str, Any]]
"""Fields of a form by key, in wire form."""


def written_values(session: Session, fields: Fields, given: Arguments) -> dict[str, FieldValue]:
    """Return what a write sets.

    Raises:
        BadInput: a field is unknown, a value does not fit its type, or a sensitive value stands in
            the arguments. No value is repeated in the sentence.
    """
    texts: dict[str, list[str]] = {}
    for name, text in (*_typed_in(session, fields, given), *_from_environment(session, given)):
        texts.setdefault(name, []).append(text)
    return {name: _field_value(_known(fields, name), of) for name, of in texts.items()}


def clear_names(fields: Fields, given: Arguments) -> tuple[str, ...]:
    """Return what a write clears.

    Raises:
        BadInput: a field is unknown.
    """
    return tuple(_known(fields, name)["key"] for name in given.every("clear"))


def _typed_in(session: Session, fields: Fields, given: Arguments) -> list[tuple[str, str]]:
    items = [item.partition("=") for item in given.every("set")]
    is_single = sum(not equals for _, equals, _ in items) == 1
    values = []
    for name, equals, text in items:
        field = _known(fields, name)
        if equals and field["sensitive"]:
            raise usage_error(
                f"{name} is sensitive and arguments are visible to every user of this machine; "
                f"use `--set {name}` and type or pipe the value, or --set-from-env {name}=VARIABLE"
            )
        values.append((name, text if equals else _asked(session, field, is_single=is_single)))
    return values


def _asked(session: Session, field: Mapping[str, Any], *, is_single: bool) -> str:
    text = session.terminal.secret(field["key"], takes_all=is_single)
    if not text:
        raise usage_error(f"no value was given for {field['key']}; nothing was written")
    return text


def _from_environment(session: Session, given: Arguments) -> list[tuple[str, str]]:
    values = []
    for item in given.every("set-from-env"):
        name, equals, variable = item.partition("=")
        if not equals:
            raise usage_error("--set-from-env takes FIELD=VARIABLE")
        if variable not in session.environ:
            raise usage_error(
                f"--set-from-env {name}: there is no variable of this name in the environment"
            )
        value = checked_text(session.environ[variable], f"the value of {variable}")
        values.append((name, value))
    return values


def _known(fields: Fields, name: str) -> Mapping[str, Any]:
    if name not in fields:
        offered = f"it has {', '.join(fields)}" if fields else "it has none"
        raise usage_error(f"the bundle has no field {name!r}; {offered}")
    return fields[name]


def _field_value(field: Mapping[str, Any], texts: list[str]) -> FieldValue:
    if field["multiple"]:
        return [str(_scalar(field, text)) for text in texts]
    return _scalar(field, texts[-1])


def _scalar(field: Mapping[str, Any], text: str) -> str | float | bool:
    match field["type"]:
        case "number":
            return _number(field["key"], text)
        case "boolean":
            return _boolean(field["key"], text)
        case "file" | "directory" if text and not field["sensitive"]:
            return os.path.abspath(os.path.expanduser(text))  # the daemon works elsewhere
        case _:
            return text


def _number(key: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise usage_error(f"{key} takes a number") from None
    if not math.isfinite(number):
        raise usage_error(f"{key} takes a finite number")
    return number


def _boolean(key: str, text: str) -> bool:
    word = text.lower()
    if word not in _TRUE + _FALSE:
        raise usage_error(f"{key} takes true or false")
    return word in _TRUE
