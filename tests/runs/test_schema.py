"""Arguments against the schemas servers publish, good and bad."""

from __future__ import annotations

import urllib.request
from typing import Any

import pytest

from roost.errors import BadArguments
from roost.models import ToolView
from roost.runs.schema import check_arguments

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 2},
        "age": {"type": "integer", "maximum": 150},
        "mode": {"enum": ["fast", "safe"]},
        "tags": {"type": "array", "items": {"type": "string", "pattern": "^[a-z]+$"}},
    },
    "required": ["name"],
    "additionalProperties": False,
}


def problem(schema: dict[str, Any], arguments: dict[str, Any]) -> str:
    with pytest.raises(BadArguments) as refused:
        check_arguments(ToolView("search", input_schema=schema), arguments)
    return str(refused.value)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, "the arguments must have 'name'"),
        ({"name": 5}, "'name' must be of type 'string'"),
        ({"name": "x"}, "'name' must have '2' characters or more"),
        ({"name": "xy", "age": 151}, "'age' must be at most '150'"),
        ({"name": "xy", "mode": "slow"}, "'mode' must be one of 'fast', 'safe'"),
        ({"name": "xy", "tags": ["a", "B"]}, "'tags[1]' must match '^[a-z]+$'"),
        ({"name": "xy", "colour": 1}, "the arguments may not have 'colour'"),
    ],
)
def test_a_problem_names_the_place_and_the_rule(arguments: dict[str, Any], expected: str) -> None:
    message = problem(PERSON, arguments)
    assert expected in message
    assert "\n" not in message


def test_arguments_that_fit_are_accepted() -> None:
    check_arguments(ToolView("t", input_schema=PERSON), {"name": "xy", "tags": ["a"]})
    check_arguments(ToolView("t"), {"anything": [1, None]})


@pytest.mark.parametrize(
    "rule",
    [
        {"type": "integer"},
        {"enum": ["a"]},
        {"const": "a"},
        {"maxLength": 3},
        {"pattern": "^a$"},
        {"anyOf": [{"type": "integer"}, {"const": "b"}]},
        {"not": {"type": "string"}},
        {"allOf": [{"maxLength": 1}]},
    ],
)
def test_no_value_is_repeated_in_a_message(rule: dict[str, Any]) -> None:
    schema = {"type": "object", "properties": {"key": rule}}
    assert "hunter2" not in problem(schema, {"key": "hunter2"})


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "nonsense"}, "schema for it is broken at 'type'"),
        ({"properties": {"a": {"minimum": "x"}}}, "broken at 'properties.a.minimum'"),
        ({"properties": {"a": {"$ref": "#/$defs/gone"}}}, "'/$defs/gone', which is not part"),
        ({"properties": {"a": {"pattern": "("}}}, "schema for it"),
        ({"$ref": "#"}, "nested too deeply"),
        ({"$id": "http://[", "$ref": "x"}, "schema for it"),
        ({"properties": {"a": {"$ref": 5}}}, "schema for it"),
    ],
)
def test_a_broken_schema_is_said_to_be_the_servers(schema: dict[str, Any], expected: str) -> None:
    assert expected in problem(schema, {"a": "hunter2"})


@pytest.mark.parametrize("draft", [5, [], {}, "http://example.invalid/unknown"])
def test_an_unknown_draft_counts_as_the_newest(draft: object) -> None:
    schema = {"$schema": draft, "required": ["a"]}
    assert "hunter2" not in problem(schema, {"b": "hunter2"})


@pytest.mark.parametrize("draft", ["3", "4", "6", "7"])
def test_older_drafts_are_held_to_their_own_rules(draft: str) -> None:
    schema = {
        "$schema": f"http://json-schema.org/draft-0{draft}/schema#",
        "properties": {"a": {"type": "string", "required": True}},
    }
    if draft != "3":
        schema |= {"properties": {"a": {"type": "string"}}, "required": ["a"]}
    assert problem(schema, {})


def test_a_reference_to_another_place_is_never_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[object] = []

    def fetch(request: urllib.request.Request, *_: object, **__: object) -> None:
        fetched.append(request.full_url)
        raise OSError("no network here")

    monkeypatch.setattr(urllib.request, "urlopen", fetch)
    for reference in ("http://example.invalid/schema.json", "file:///etc/passwd"):
        message = problem({"properties": {"a": {"$ref": reference}}}, {"a": 1})
        assert f"refers to {reference!r}" in message
    assert fetched == []


def test_a_schema_may_refer_to_the_published_drafts() -> None:
    schema = {"properties": {"a": {"$ref": "https://json-schema.org/draft/2020-12/schema"}}}
    check_arguments(ToolView("t", input_schema=schema), {"a": {"type": "string"}})
    assert "'a.type'" in problem(schema, {"a": {"type": "nonsense"}})
