"""The `user_config` of a manifest becomes configuration fields."""

from __future__ import annotations

import re
from dataclasses import replace

from roost.bundles.manifest_table import ManifestTable, refuse
from roost.bundles.templates import unknown_placeholder
from roost.models import ConfigField, FieldType, FieldValue
from roost.vault import normalized, problem_with

_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


def read_fields(table: ManifestTable) -> tuple[ConfigField, ...]:
    """Read all fields, in the order of the manifest.

    Raises:
        BadManifest: a field is incomplete or contradicts itself.
    """
    return tuple(_field(table, key) for key in table)


def _field(parent: ManifestTable, key: str) -> ConfigField:
    if not _KEY.fullmatch(key):
        refuse(parent.place(key), "must be named with letters, digits, _, - and . only")
    table = parent.table(key)
    field = ConfigField(
        key=key,
        type=_type(table),
        title=displayed(table.text("title")),
        description=displayed(table.text("description")),
        required=table.flag("required"),
        sensitive=table.flag("sensitive"),
        multiple=table.flag("multiple"),
        minimum=table.number("min"),
        maximum=table.number("max"),
    )
    _check(table, field)
    return _with_default(table, field)


def _type(table: ManifestTable) -> FieldType:
    name = table.text("type")
    if name not in {kind.value for kind in FieldType}:
        refuse(table.place("type"), f"is {name!r} and must be one of {', '.join(FieldType)}")
    return FieldType(name)


def _check(table: ManifestTable, field: ConfigField) -> None:
    if field.multiple and field.type not in (FieldType.FILE, FieldType.DIRECTORY):
        refuse(table.place("multiple"), "is for fields of type file and directory only")
    has_bounds = field.minimum is not None or field.maximum is not None
    if has_bounds and field.type is not FieldType.NUMBER:
        refuse(table.place("min"), "and max are for fields of type number only")
    if field.minimum is None or field.maximum is None:
        return
    if field.minimum > field.maximum:
        refuse(table.place("min"), "is greater than max")


def _with_default(table: ManifestTable, field: ConfigField) -> ConfigField:
    found = table.value("default")
    if found is None or found == "" or found == []:
        return field  # packers write an empty default for a field that has none
    if problem := problem_with(field, found):
        refuse(table.place("default"), problem)
    default: FieldValue = normalized(found)
    for text in default if isinstance(default, list) else [default]:
        if isinstance(text, str) and (name := unknown_placeholder(text, ())) is not None:
            refuse(table.place("default"), f"uses ${{{name}}}, which stands for nothing there")
    return replace(field, default=default)


def displayed(text: str) -> str:
    """Return text for screens: one line of printable characters, whatever the author put in."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
