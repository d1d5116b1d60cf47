"""A tool's JSON Schema read as the fields of a form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

_MAX_REFERENCES = 8
"""References followed in a row; a schema that needs more refers to itself."""

_LONG_TEXT_NAMES = frozenset(
    {"body", "code", "content", "contents", "markdown", "prompt", "script", "sql", "text"}
)
"""Property names whose strings usually have several lines; any other gets a single line."""

Schema = Mapping[str, Any]


class Shape(StrEnum):
    """What stands in for a property in the form."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    CHOICE = "choice"
    LINES = "lines"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class ToolField:
    """One property of a tool's input."""

    key: str
    shape: Shape
    schema: Schema = field(default_factory=dict)
    """The property's schema with references resolved."""
    label: str = ""
    description: str = ""
    required: bool = False
    has_default: bool = False
    default: Any = None
    choices: tuple[Any, ...] = ()
    item: ToolField | None = None
    """What one line of a `LINES` property holds."""

    @property
    def is_long(self) -> bool:
        """Whether a text should have room for several lines."""
        last_word = self.key.lower().rsplit("_", 1)[-1]
        return self.shape is Shape.TEXT and (
            last_word in _LONG_TEXT_NAMES or self.schema.get("format") in ("textarea", "multiline")
        )


@dataclass(frozen=True, slots=True)
class ToolForm:
    """The input of a tool as a form."""

    fields: tuple[ToolField, ...] = ()
    takes_more: bool = True
    """Whether properties beside these are allowed."""


def read_schema(schema: Schema) -> ToolForm:
    """Read a tool's input schema; whatever has no simple control becomes a JSON property."""
    root = resolve(schema, schema)
    properties = _mapping(root.get("properties"))
    required = root.get("required")
    names = frozenset(required) if isinstance(required, list) else frozenset[str]()
    fields = tuple(
        _read_property(key, _mapping(prop), schema, required=key in names)
        for key, prop in properties.items()
    )
    return ToolForm(fields, takes_more=root.get("additionalProperties") is not False)


def resolve(schema: Schema, root: Schema) -> Schema:
    """Follow local references, take the type out of ``X or null`` and merge a lone ``allOf``."""
    for _ in range(_MAX_REFERENCES):
        inner = _inner(schema, root)
        if inner is None:
            return schema
        outer = {k: v for k, v in schema.items() if k not in ("$ref", "anyOf", "oneOf", "allOf")}
        schema = {**inner, **outer}
    return {}


def _inner(schema: Schema, root: Schema) -> Schema | None:
    reference = schema.get("$ref")
    if isinstance(reference, str):
        return _pointed_at(reference, root)
    for keyword in ("anyOf", "oneOf", "allOf"):
        options = schema.get(keyword)
        if not isinstance(options, list):
            continue
        real = [option for option in options if option != {"type": "null"}]
        if len(real) == 1:
            return _mapping(real[0])
    return None


def _pointed_at(reference: str, root: Schema) -> Schema:
    if not reference.startswith("#/"):
        return {}
    target: object = root
    for part in reference[2:].split("/"):
        target = _mapping(target).get(part.replace("~1", "/").replace("~0", "~"))
    return _mapping(target)


def _read_property(key: str, raw: Schema, root: Schema, *, required: bool) -> ToolField:
    schema = resolve(raw, root)
    choices = _choices(schema)
    item = _item(schema, root)
    return ToolField(
        key=key,
        shape=_shape(schema, choices, item),
        schema=schema,
        label=str(schema.get("title") or key),
        description=str(schema.get("description") or ""),
        required=required,
        has_default=schema.get("default") is not None,
        default=schema.get("default"),
        choices=choices,
        item=item,
    )


def _choices(schema: Schema) -> tuple[Any, ...]:
    listed = [schema["const"]] if "const" in schema else schema.get("enum")
    values = [value for value in listed if value is not None] if isinstance(listed, list) else []
    if all(isinstance(value, str | int | float) for value in values):
        return tuple(values)
    return ()


def _item(schema: Schema, root: Schema) -> ToolField | None:
    if _type(schema) != "array":
        return None
    raw = schema.get("items")
    if not isinstance(raw, dict):
        return None
    item = _read_property("", raw, root, required=True)
    return item if item.shape not in (Shape.JSON, Shape.LINES) else None


def _shape(schema: Schema, choices: tuple[Any, ...], item: ToolField | None) -> Shape:
    if choices:
        return Shape.CHOICE
    kind = _type(schema)
    if kind == "array":
        return Shape.LINES if item is not None else Shape.JSON
    return {
        "string": Shape.TEXT,
        "integer": Shape.INTEGER,
        "number": Shape.NUMBER,
        "boolean": Shape.BOOLEAN,
    }.get(kind, Shape.JSON)


def _type(schema: Schema) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        real = [entry for entry in kind if entry != "null"]
        kind = real[0] if len(real) == 1 else None
    return kind if isinstance(kind, str) else ""


def _mapping(value: object) -> Schema:
    return value if isinstance(value, dict) else {}
