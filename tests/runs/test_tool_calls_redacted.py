"""What a run keeps of a tool call's arguments, and of what the tool repeats of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.support.ledger import Desk

from roost.errors import IdempotencyConflict, Refused
from roost.models import (
    CallRequest,
    KeepArguments,
    RunDetail,
    RunProgress,
    RunView,
    ToolView,
)
from roost.runs import CallEnded, ToolAnswer
from roost.runs.arguments import kept_arguments, names_secret
from roost.runs.payload import REDACTED, is_redacted
from roost.runs.retries import check_may_retry

PASSWORD = "correct-horse-battery"

SCHEMA = {
    "type": "object",
    "properties": {
        "user": {"type": "string"},
        "phrase": {"type": "string", "writeOnly": True},
        "word": {"type": "string", "format": "password"},
        "target": {"$ref": "#/$defs/target"},
        "many": {"type": "array", "items": {"$ref": "#/$defs/target"}},
        "pair": {"prefixItems": [{}, {"writeOnly": True}]},
        "either": {"anyOf": [{"type": "null"}, {"type": "string", "writeOnly": True}]},
    },
    "patternProperties": {"^x-": {"writeOnly": True}},
    "$defs": {"target": {"properties": {"code": {"writeOnly": True}, "host": {}}}},
}


async def begin(desk: Desk, arguments: dict[str, Any], **changes: Any) -> RunView:
    request = CallRequest("login", arguments, **changes)
    return await desk.calls.begin("main", "files", request, actor="ann")


async def kept(desk: Desk, run: RunView) -> RunDetail:
    await desk.settled(run.id)
    return await desk.recorder.detail("main", run.id)


@pytest.fixture
def desk(desk: Desk) -> Desk:
    desk.caller.offered = (ToolView("login", input_schema=SCHEMA),)
    return desk


async def test_a_secret_argument_reaches_the_tool_and_is_not_kept(desk: Desk) -> None:
    run = await begin(desk, {"user": "ann", "phrase": PASSWORD, "target": {"code": 7, "host": "h"}})
    call = await desk.caller.arrived()
    assert call.arguments["phrase"] == PASSWORD
    call.succeed()
    detail = await kept(desk, run)
    target = {"code": REDACTED, "host": "h"}
    assert detail.input == {"user": "ann", "phrase": REDACTED, "target": target}
    assert is_redacted(detail.input)


@pytest.mark.parametrize("policy", KeepArguments)
async def test_a_run_that_lacks_arguments_is_not_tried_again(
    desk: Desk, policy: KeepArguments
) -> None:
    desk.settings = replace(desk.settings, keep_arguments=policy)
    run = await begin(desk, {"user": "ann", "phrase": PASSWORD})
    (await desk.caller.arrived()).succeed()
    with pytest.raises(Refused, match="not kept whole"):
        check_may_retry(await kept(desk, run))


async def test_what_a_tool_repeats_of_a_secret_argument_is_not_kept_either(desk: Desk) -> None:
    run = await begin(desk, {"user": "ann", "phrase": PASSWORD})
    call = await desk.caller.arrived()
    call.report(RunProgress(1, 2, f"trying {PASSWORD}"))
    text = f"ann may not use {PASSWORD}"
    call.answer.set_result(ToolAnswer({"why": [text]}, is_error=True, text=text))
    detail = await kept(desk, run)
    assert detail.result == {"why": ["ann may not use [secret]"]}
    assert detail.run.error is not None
    assert detail.run.error.sentence == "ann may not use [secret]"
    assert PASSWORD not in repr(detail)
    assert any(event.message == "trying [secret]" for event in detail.events)


async def test_a_call_without_an_answer_repeats_no_secret_argument_either(desk: Desk) -> None:
    run = await begin(desk, {"phrase": PASSWORD})
    call = await desk.caller.arrived()
    call.answer.set_exception(CallEnded("input_required", f"is {PASSWORD} yours?"))
    settled = await desk.settled(run.id)
    assert settled.error is not None and settled.error.sentence == "is [secret] yours?"


@pytest.mark.parametrize(
    ("policy", "left"),
    [
        (KeepArguments.ALL, {"user": "ann", "target": {"host": "h"}}),
        (KeepArguments.NAMES, {"user": REDACTED, "target": REDACTED}),
        (KeepArguments.NONE, REDACTED),
    ],
)
async def test_a_bundle_keeps_as_much_of_the_arguments_as_its_setting_says(
    desk: Desk, policy: KeepArguments, left: object
) -> None:
    desk.settings = replace(desk.settings, keep_arguments=policy)
    run = await begin(desk, {"user": "ann", "target": {"host": "h"}})
    call = await desk.caller.arrived()
    assert call.arguments == {"user": "ann", "target": {"host": "h"}}
    call.succeed("ann is in")
    detail = await kept(desk, run)
    assert (detail.input, detail.result) == (left, "ann is in")
    assert is_redacted(detail.input) is (policy is not KeepArguments.ALL)


async def test_a_key_tells_secret_arguments_apart_although_they_are_not_kept(desk: Desk) -> None:
    first = await begin(desk, {"phrase": PASSWORD}, idempotency_key="k")
    assert (await begin(desk, {"phrase": PASSWORD}, idempotency_key="k")).id == first.id
    with pytest.raises(IdempotencyConflict):
        await begin(desk, {"phrase": "another one"}, idempotency_key="k")
    assert len(desk.caller.calls) <= 1


def test_fields_are_found_wherever_the_schema_marks_them() -> None:
    arguments = {
        "user": "ann",
        "word": PASSWORD,
        "many": [{"code": "1", "host": "a"}, {"code": "2"}],
        "pair": ["a", "b", "c"],
        "either": "x",
        "x-any": "y",
        "null": None,
    }
    assert kept_arguments(arguments, SCHEMA, KeepArguments.ALL) == {
        "user": "ann",
        "word": REDACTED,
        "many": [{"code": REDACTED, "host": "a"}, {"code": REDACTED}],
        "pair": ["a", REDACTED, "c"],
        "either": REDACTED,
        "x-any": REDACTED,
        "null": None,
    }


def test_a_schema_that_runs_in_circles_or_makes_no_sense_hides_nothing_and_ends() -> None:
    odd = {"$ref": 5, "allOf": "none", "properties": [], "items": 7, "patternProperties": []}
    outside = {"$ref": "https://example.invalid/schema"}
    properties = {"loop": {"$ref": "#/properties/loop"}, "odd": odd, "out": outside, "all": {}}
    schema = {"properties": properties, "additionalProperties": {"$ref": "#"}}
    given = {"loop": {"a": [1]}, "odd": {"a": [{}]}, "out": "x", "more": {"more": {"more": 1}}}
    assert kept_arguments(given, schema, KeepArguments.ALL) == given


def test_nothing_is_left_out_of_no_arguments_and_an_absent_secret_stays_absent() -> None:
    for policy in KeepArguments:
        assert kept_arguments({}, SCHEMA, policy) == {}
    given = {"phrase": None, "password": False, "user": "ann"}
    assert kept_arguments(given, SCHEMA, KeepArguments.ALL) == given


@pytest.mark.parametrize(
    "name",
    [
        *("password", "PASSWORD", "userPassword", "db_password", "passwd", "pwd", "passphrase"),
        *(
            "token",
            "access_token",
            "accessToken",
            "bot-token",
            "apiKey",
            "api_key",
            "X-API-Key",
            "APIKey",
        ),
        *("apikey", "secret", "client_secret", "clientSecret", "clientsecret", "private_key"),
        *("credentials", "authorization", "Authorization", "cookie", "pin", "otp", "dsn"),
        "x" * 201,
    ],
)
def test_a_field_whose_name_says_secret_is_not_kept(name: str) -> None:
    assert names_secret(name)
    inner = {"a": [{name: "value"}]}
    assert kept_arguments(inner, {}, KeepArguments.ALL) == {"a": [{name: REDACTED}]}


@pytest.mark.parametrize(
    "name",
    [
        *("query", "key", "max_tokens", "maxTokens", "tokenizer", "author", "spin", "pinned"),
        *("secretary", "passenger", "token_count", "keyboard", "path", "opinion", ""),
    ],
)
def test_a_field_with_an_ordinary_name_is_kept(name: str) -> None:
    assert kept_arguments({name: 5}, {}, KeepArguments.ALL) == {name: 5}


@pytest.mark.parametrize(
    ("value", "is_left_out"),
    [
        (REDACTED, True),
        ({"a": [1, {"b": REDACTED}]}, True),
        ({"a": f"the word {REDACTED} in a text"}, False),
        ({REDACTED: "a"}, False),
        (None, False),
        ({}, False),
    ],
)
def test_an_input_that_lacks_arguments_can_be_told(value: object, is_left_out: bool) -> None:
    assert is_redacted(value) is is_left_out
