"""What a run keeps of a tool call's arguments. The tool itself always gets all of them.

Schemas come from servers: references are followed inside the schema only, and never in circles.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from roost.models import KeepArguments
from roost.runs.payload import REDACTED

_WORD_BEGINS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

_SECRET_NAME = re.compile(
    r"(?:^|[-_. ])"
    r"(?:passw(?:or)?d|passphrase|pwd|secrets?|credentials?|[a-z]*token|jwt|pin|otp"
    r"|(?:api|access|secret|private|auth|signing|encryption)[-_. ]?key"
    r"|auth(?:orization)?|cookie|bearer|dsn|connection[-_. ]?string"
    r"|(?:client|user|db|database|admin|root|new|old)(?:password|secret|apikey))$"
)

_NAME_LENGTH = 200
"""Looking through longer names would take time; what has one is taken for a secret."""

_BRANCHES = ("allOf", "anyOf", "oneOf")

_SINGLE_BRANCHES = ("if", "then", "else", "not")

Schema = dict[str, Any]


def kept_arguments(arguments: dict[str, Any], schema: Schema, policy: KeepArguments) -> Any:
    """Return what a run keeps of a call's arguments.

    Args:
        arguments: what the tool gets; they are not changed.
        schema: the tool's own, whose marks of secret fields count.
        policy: what the operator wants to be kept.
    """
    if not arguments:
        return {}
    if policy is KeepArguments.NONE:
        return REDACTED
    if policy is KeepArguments.NAMES:
        return dict.fromkeys(arguments, REDACTED)
    return _Redactor(schema).take(arguments, (schema,))


def hidden_texts(given: Any, kept: Any) -> Iterator[str]:
    """Yield the texts of secret fields, as `kept_arguments` left them out of what was given."""
    if kept == REDACTED:
        yield from _texts(given)
    elif isinstance(given, dict) and isinstance(kept, dict):
        for name, value in given.items():
            yield from hidden_texts(value, kept.get(name))
    elif isinstance(given, list) and isinstance(kept, list):
        for value, kept_value in zip(given, kept, strict=True):
            yield from hidden_texts(value, kept_value)


def names_secret(name: str) -> bool:
    """Say whether a field of this name holds a secret."""
    if len(name) > _NAME_LENGTH:
        return True
    return _SECRET_NAME.search(_WORD_BEGINS.sub("_", name).lower()) is not None


class _Redactor:
    """Copies arguments without what their schema or their names mark as secret."""

    def __init__(self, root: Schema) -> None:
        self._root = root

    def take(self, value: Any, schemas: Iterable[Any]) -> Any:
        found = list(self._resolved(schemas))
        if value is None or isinstance(value, bool):
            return value
        if any(_is_marked(schema) for schema in found):
            return REDACTED
        if isinstance(value, dict):
            return {name: self._field(name, item, found) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.take(item, _item_schemas(found, at)) for at, item in enumerate(value)]
        return value

    def _field(self, name: str, value: Any, schemas: list[Schema]) -> Any:
        if names_secret(name) and not (value is None or isinstance(value, bool)):
            return REDACTED
        return self.take(value, _field_schemas(schemas, name))

    def _resolved(self, schemas: Iterable[Any]) -> Iterator[Schema]:
        """Yield schemas with all that they refer to or are made of, each once."""
        waiting, seen = list(schemas), set[int]()
        while waiting:
            schema = waiting.pop()
            if not isinstance(schema, dict) or id(schema) in seen:
                continue
            seen.add(id(schema))
            yield schema
            waiting += [self._target(schema.get(key)) for key in ("$ref", "$dynamicRef")]
            waiting += [schema.get(key) for key in _SINGLE_BRANCHES]
            for key in _BRANCHES:
                branches = schema.get(key)
                waiting += branches if isinstance(branches, list) else []

    def _target(self, reference: Any) -> Any:
        """Return what a reference inside the schema points to."""
        if reference == "#":
            return self._root
        if not isinstance(reference, str) or not reference.startswith("#/"):
            return None
        target: Any = self._root
        for part in reference[2:].split("/"):
            name = part.replace("~1", "/").replace("~0", "~")
            target = target.get(name) if isinstance(target, dict) else None
        return target


def _is_marked(schema: Schema) -> bool:
    return schema.get("writeOnly") is True or schema.get("format") == "password"


def _field_schemas(schemas: list[Schema], name: str) -> Iterator[Any]:
    for schema in schemas:
        properties = schema.get("properties")
        known = isinstance(properties, dict) and name in properties
        if isinstance(properties, dict) and known:
            yield properties[name]
        patterns = schema.get("patternProperties")
        for pattern, branch in patterns.items() if isinstance(patterns, dict) else ():
            if re.search(pattern, name):
                known = True
                yield branch
        if not known:
            yield schema.get("additionalProperties")


def _item_schemas(schemas: list[Schema], at: int) -> Iterator[Any]:
    for schema in schemas:
        first = schema.get("prefixItems")
        if isinstance(first, list) and at < len(first):
            yield first[at]
        items = schema.get("items")
        if isinstance(items, list):
            yield items[at] if at < len(items) else schema.get("additionalItems")
        else:
            yield items


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
