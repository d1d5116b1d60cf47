"""A tool's schema as a form."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.modal_scenes import SEARCH

from roost_tui.modals.tool_schema import Shape, ToolField, read_schema


def only(prop: dict[str, Any], **root: Any) -> ToolField:
    """Return the one field of a schema with this property."""
    (field,) = read_schema({"properties": {"p": prop}, **root}).fields
    return field


def test_fields_keep_the_order_of_the_schema_and_know_what_is_required() -> None:
    form = read_schema(SEARCH.input_schema)
    assert [field.key for field in form.fields] == list(SEARCH.input_schema["properties"])
    assert [field.key for field in form.fields if field.required] == ["pattern", "paths"]
    assert not form.takes_more


@pytest.mark.parametrize(
    ("prop", "shape"),
    [
        ({"type": "string"}, Shape.TEXT),
        ({"type": "integer"}, Shape.INTEGER),
        ({"type": "number"}, Shape.NUMBER),
        ({"type": "boolean"}, Shape.BOOLEAN),
        ({"enum": ["a", "b"]}, Shape.CHOICE),
        ({"const": 3}, Shape.CHOICE),
        ({"type": "array", "items": {"type": "integer"}}, Shape.LINES),
        ({"type": "array", "items": {"enum": ["a", "b"]}}, Shape.LINES),
        ({"type": "array", "items": {"type": "object"}}, Shape.JSON),
        ({"type": "array"}, Shape.JSON),
        ({"type": "object"}, Shape.JSON),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, Shape.JSON),
        ({"type": ["string", "integer"]}, Shape.JSON),
        ({"enum": [{"a": 1}, "b"]}, Shape.JSON),
        ({}, Shape.JSON),
    ],
)
def test_each_property_gets_the_control_of_its_type(prop: dict[str, Any], shape: Shape) -> None:
    assert only(prop).shape is shape


def test_an_optional_type_is_the_type_itself() -> None:
    assert only({"anyOf": [{"type": "integer"}, {"type": "null"}]}).shape is Shape.INTEGER
    assert only({"type": ["string", "null"]}).shape is Shape.TEXT


def test_a_local_reference_is_followed_and_its_neighbours_kept() -> None:
    defs = {"Level": {"type": "string", "enum": ["low", "high"]}}
    field = only({"$ref": "#/$defs/Level", "description": "How much"}, **{"$defs": defs})
    assert field.choices == ("low", "high")
    assert field.description == "How much"


def test_a_schema_that_refers_to_itself_ends_as_json() -> None:
    loop = {"Node": {"$ref": "#/$defs/Node"}}
    assert only({"$ref": "#/$defs/Node"}, **{"$defs": loop}).shape is Shape.JSON


def test_a_reference_to_elsewhere_ends_as_json() -> None:
    assert only({"$ref": "https://example.com/schema"}).shape is Shape.JSON


def test_a_schema_without_properties_is_an_empty_form() -> None:
    assert read_schema({}).fields == ()
    assert read_schema({"type": "object", "properties": "nonsense"}).fields == ()


def test_names_that_usually_hold_long_texts_get_several_lines() -> None:
    (field,) = read_schema({"properties": {"file_content": {"type": "string"}}}).fields
    assert field.is_long
    assert not only({"type": "string"}).is_long
