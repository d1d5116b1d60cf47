"""Literal environments of commands and client configurations become credential fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from roost.bundles.forbidden import refuse_forbidden
from roost.bundles.templates import CONFIG_PREFIX, placeholders, unknown_placeholder
from roost.errors import BadInput
from roost.models import ConfigField, FieldType, FieldValue
from roost.vault import problem_with, value_text

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET_NAME = re.compile(
    r"key|token|secret|passw|pwd|credential|auth|private|dsn|cookie|session|signature|pat$|pin$"
    r"|salt|seed|webhook",
    re.IGNORECASE,
)
_SWITCH = re.compile(r"true|false|yes|no|on|off", re.IGNORECASE)
_SHORT_NUMBER = re.compile(r"-?[0-9]{1,5}(\.[0-9]{1,3})?")
_PATH = re.compile(r"(/[A-Za-z0-9._@+~ -]+)+/?")
_URL_PATH = re.compile(r"(/[A-Za-z0-9._~-]*)*")
_ORDINARY_WORD = re.compile(
    r"trace|debug|info|notice|warn|warning|error|critical|production|staging|development|test"
    r"|local|utc|stdio|utf-8|c\.utf-8|en_us\.utf-8",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class LiteralEnvironment:
    """An environment taken apart: what the definition keeps and what the vault keeps."""

    fields: tuple[ConfigField, ...]
    values: dict[str, FieldValue] = field(repr=False)
    env: dict[str, str]
    """Templates that refer to the fields."""


def take_apart(env: Mapping[str, Any], error: type[BadInput]) -> LiteralEnvironment:
    """Turn every variable into a field of its name.

    A value is sensitive unless it is clearly harmless. An empty one, and one with placeholders of
    another program such as ``${input:key}``, becomes a field without a value.

    Args:
        env: names and literal values.
        error: class of the error raised.

    Raises:
        BadInput: of the class `error`; a name or value cannot be passed to a process.
        ForbiddenVariable: no definition may pass it.
    """
    texts = {name: variable_text(name, value, error) for name, value in env.items()}
    values: dict[str, FieldValue] = {
        name: text for name, text in texts.items() if text and not placeholders(text)
    }
    return LiteralEnvironment(
        fields=tuple(_field(name, text) for name, text in texts.items()),
        values=values,
        env={name: f"${{{CONFIG_PREFIX}{name}}}" for name in texts},
    )


def is_harmless(name: str, value: str) -> bool:
    """Say whether a value may be shown: nothing about it or its name looks like a secret."""
    if _SWITCH.fullmatch(value):
        return True
    if _SECRET_NAME.search(name):
        return False
    if _ORDINARY_WORD.fullmatch(value) or _SHORT_NUMBER.fullmatch(value):
        return True
    if _PATH.fullmatch(value):
        return not has_random_part(value)
    return _is_plain_url(value)


def _field(name: str, text: str) -> ConfigField:
    is_default = bool(placeholders(text)) and unknown_placeholder(text, ()) is None
    return ConfigField(
        key=name,
        type=FieldType.STRING,
        title=name,
        required=bool(text),
        default=text if is_default else None,
        sensitive=not is_default and not is_harmless(name, text),
    )


def variable_text(name: str, value: Any, error: type[BadInput]) -> str:
    """Return the value of a variable as a process receives it.

    Raises:
        BadInput: of the class `error`; the name or value cannot be passed to a process.
        ForbiddenVariable: no definition may pass it.
    """
    if not _ENV_NAME.fullmatch(name):
        raise error(f"{name!r} is not a name a variable can have; use letters, digits and _")
    if not isinstance(value, str | float | int):
        raise error(f"the variable {name} must be a text; correct it")
    try:
        text = value_text(value)
    except (ValueError, OverflowError):
        raise error(f"the variable {name} must be a text or a finite number; correct it") from None
    if text and (problem := problem_with(ConfigField(name, FieldType.STRING, name), text)):
        raise error(f"the variable {name} {problem}; correct it")
    refuse_forbidden(name, text)
    return text


def _is_plain_url(value: str) -> bool:
    try:
        url = urlsplit(value)
    except ValueError:
        return False
    return (
        url.scheme in ("http", "https")
        and bool(url.hostname)
        and "@" not in url.netloc
        and "?" not in value
        and "#" not in value
        and _URL_PATH.fullmatch(url.path) is not None
        and not has_random_part(url.path)
    )


def is_secret_name(name: str) -> bool:
    """Whether what has this name is a secret by all experience."""
    return _SECRET_NAME.search(name) is not None


def has_random_part(path: str) -> bool:
    """Whether a component looks generated: webhooks and some keys are secrets shaped as paths."""
    return any(
        len(part) >= 24 or (len(part) >= 16 and any(char.isdigit() for char in part))
        for part in path.split("/")
    )
