"""The arguments of a tool call."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.modal_scenes import SEARCH

from roost_tui.modals.argument_checks import hint_of
from roost_tui.modals.tool_arguments import (
    BadJson,
    UnfitArgument,
    default_texts,
    parse_argument,
    parse_object,
    read_json,
    read_texts,
    texts_of,
)
from roost_tui.modals.tool_schema import ToolField, ToolForm, read_schema

FORM = read_schema(SEARCH.input_schema)


def field(prop: dict[str, Any]) -> ToolField:
    """Return the field of this property."""
    (entry,) = read_schema({"properties": {"p": prop}}).fields
    return entry


def test_a_fresh_form_starts_with_the_defaults() -> None:
    texts = default_texts(FORM)
    assert texts["limit"] == "50"
    assert texts["mode"] == '"content"'
    assert texts["follow_links"] == "false"
    assert texts["pattern"] == ""


def test_texts_become_typed_arguments_and_empty_ones_are_left_out() -> None:
    texts = {"pattern": "to.do", "paths": "/srv\n\n/etc", "limit": "7", "follow_links": "true"}
    arguments = read_texts(FORM, texts, {})
    assert arguments.problems == {}
    assert arguments.values == {
        "pattern": "to.do",
        "paths": ["/srv", "/etc"],
        "limit": 7,
        "follow_links": True,
    }


def test_a_missing_required_property_is_a_problem() -> None:
    assert read_texts(FORM, {"pattern": "xx"}, {}).problems == {"paths": "required"}


def test_a_text_that_does_not_fit_is_kept_beside_its_problem() -> None:
    arguments = read_texts(FORM, {"pattern": "xx", "paths": "/", "limit": "many"}, {})
    assert arguments.problems == {"limit": "not a whole number"}
    assert arguments.values["limit"] == "many"


def test_what_the_form_has_no_field_for_is_sent_too() -> None:
    form = ToolForm(())
    texts, extra = texts_of(form, {"more": [1]})
    assert read_texts(form, texts, extra).values == {"more": [1]}


@pytest.mark.parametrize(
    ("prop", "text", "problem"),
    [
        ({"type": "integer", "minimum": 1}, "0", "the least allowed is 1"),
        ({"type": "number", "exclusiveMaximum": 2}, "2", "must be less than 2"),
        ({"type": "number"}, "inf", "not a number"),
        ({"type": "string", "minLength": 2}, "x", "at least 2 characters, this has 1"),
        ({"type": "string", "maxLength": 1}, "xy", "at most 1 character, this has 2"),
        ({"type": "string", "pattern": "^a"}, "b", "must match ^a"),
        ({"type": "array", "items": {"type": "integer"}}, "1\nx", "line 2: not a whole number"),
        ({"type": "array", "items": {"enum": ["a"]}}, "b", "line 1: must be one of a"),
        ({"type": "array", "items": {"type": "string"}, "maxItems": 1}, "a\nb", "at most 1 line"),
        ({"type": "object"}, "[1]", "must be a JSON object: { ... }"),
        ({"type": "object"}, "{", "line 1, column 2: expecting property name"),
    ],
)
def test_a_text_that_breaks_the_schema_says_why(
    prop: dict[str, Any], text: str, problem: str
) -> None:
    with pytest.raises(UnfitArgument) as caught:
        parse_argument(field(prop), text)
    assert str(caught.value).startswith(problem)


def test_a_pattern_of_another_dialect_is_left_to_the_server() -> None:
    assert parse_argument(field({"type": "string", "pattern": "(?<n>a)\\p{L}"}), "x") == "x"


def test_numbers_of_a_choice_keep_their_type() -> None:
    assert parse_argument(field({"enum": [1, "1"]}), "1") == 1
    assert parse_argument(field({"enum": [1, "1"]}), '"1"') == "1"


def test_invalid_json_says_where() -> None:
    with pytest.raises(BadJson, match="line 2, column 8") as caught:
        parse_object('{\n  "a": ,\n}')
    assert (caught.value.line, caught.value.column) == (2, 8)


def test_json_that_is_no_object_is_refused() -> None:
    with pytest.raises(BadJson, match="one JSON object"):
        parse_object("[1]")


def test_the_json_is_checked_property_by_property() -> None:
    problems = read_json(FORM, '{"pattern": "xx", "limit": 2000, "typo": 1}').problems
    assert problems == {
        "paths": "required",
        "limit": "the most allowed is 1000",
        "typo": "the tool does not know it",
    }


def test_a_null_for_an_optional_property_is_allowed() -> None:
    assert read_json(FORM, '{"pattern": "xx", "paths": ["/"], "limit": null}').problems == {}


def test_hints_name_what_a_property_takes() -> None:
    hints = {entry.key: hint_of(entry) for entry in FORM.fields}
    assert hints["limit"] == "Most matches to return; whole number from 1 to 1000"
    assert hints["paths"] == "Directories to look in; one per line"
    assert hints["options"].endswith("as JSON")


@given(
    st.fixed_dictionaries(
        {
            "pattern": st.text(min_size=2),
            "paths": st.lists(st.sampled_from(["/", "/srv/a b", "x"]), min_size=1),
        },
        optional={
            "limit": st.integers(1, 1000),
            "mode": st.sampled_from(["content", "name", "both"]),
            "follow_links": st.booleans(),
            "options": st.dictionaries(st.text(), st.integers() | st.none() | st.lists(st.text())),
        },
    )
)
def test_arguments_survive_the_way_from_json_to_the_form_and_back(values: dict[str, Any]) -> None:
    texts, extra = texts_of(FORM, values)
    arguments = read_texts(FORM, texts, extra)
    assert arguments.problems == {}
    assert arguments.values == values
