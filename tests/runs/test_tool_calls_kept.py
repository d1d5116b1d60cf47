"""What is kept of answers and reports of tool calls, at the borders of its size."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.support.ledger import SECRET, Desk, redact

from roost.models import CallRequest, RunDetail, RunEventKind, RunProgress, RunStatus, RunView
from roost.runs import ToolAnswer
from roost.runs.payload import (
    CUT,
    DEPTH_LIMIT,
    MESSAGE_LIMIT,
    PAYLOAD_LIMIT,
    SENTENCE_LIMIT,
    Payloads,
)


async def begin(desk: Desk, **arguments: Any) -> RunView:
    request = CallRequest("anything", arguments)
    return await desk.calls.begin("main", "files", request, actor="ann")


async def answered(desk: Desk, content: Any) -> RunDetail:
    run = await begin(desk)
    (await desk.caller.arrived()).succeed(content)
    await desk.settled(run.id)
    return await desk.recorder.detail("main", run.id)


def kept(value: Any) -> tuple[Any, bool]:
    return Payloads(redact).value("main", "files", value)


async def test_a_result_of_just_the_limit_is_whole(desk: Desk) -> None:
    detail = await answered(desk, "x" * PAYLOAD_LIMIT)
    assert (detail.result, detail.is_truncated) == ("x" * PAYLOAD_LIMIT, False)


async def test_a_result_over_the_limit_is_cut_and_says_so(desk: Desk) -> None:
    detail = await answered(desk, {"text": "x" * PAYLOAD_LIMIT, "more": "never kept"})
    assert detail.run.status is RunStatus.SUCCEEDED
    assert detail.is_truncated
    assert list(detail.result) == ["text"]
    assert detail.result["text"].endswith("x" + CUT)
    assert len(detail.result["text"]) <= PAYLOAD_LIMIT


async def test_the_tool_gets_all_of_arguments_of_which_only_the_beginning_is_kept(
    desk: Desk,
) -> None:
    run = await begin(desk, text="x" * (PAYLOAD_LIMIT + 1))
    call = await desk.caller.arrived()
    assert len(call.arguments["text"]) == PAYLOAD_LIMIT + 1
    call.succeed()
    await desk.settled(run.id)
    detail = await desk.recorder.detail("main", run.id)
    assert detail.input["text"].endswith(CUT) and len(detail.input["text"]) <= PAYLOAD_LIMIT


@pytest.mark.parametrize("length", [SENTENCE_LIMIT, SENTENCE_LIMIT + 1])
async def test_an_error_is_one_sentence_long_and_its_answer_is_kept_beside(
    desk: Desk, length: int
) -> None:
    run = await begin(desk)
    text = "x" * length
    (await desk.caller.arrived()).answer.set_result(ToolAnswer({"why": text}, True, text))
    settled = await desk.settled(run.id)
    assert settled.error is not None
    assert len(settled.error.sentence) == SENTENCE_LIMIT
    assert settled.error.sentence.endswith(CUT) is (length > SENTENCE_LIMIT)
    assert (await desk.recorder.detail("main", run.id)).result == {"why": text}


@pytest.mark.parametrize("length", [MESSAGE_LIMIT, MESSAGE_LIMIT + 1])
async def test_a_report_keeps_its_message_up_to_the_limit(desk: Desk, length: int) -> None:
    run = await begin(desk)
    call = await desk.caller.arrived()
    call.report(RunProgress(1, 2, "x" * length))
    call.succeed()
    settled = await desk.settled(run.id)
    assert settled.progress is not None and settled.progress.message is not None
    assert len(settled.progress.message) == MESSAGE_LIMIT
    assert settled.progress.message.endswith(CUT) is (length > MESSAGE_LIMIT)


def test_a_secret_on_the_border_is_not_kept_in_part() -> None:
    for shift in range(len(SECRET) + 1):
        value, is_cut = kept("x" * (PAYLOAD_LIMIT - shift) + SECRET + "y" * 50)
        assert is_cut and SECRET[:4] not in value


def test_a_character_of_several_bytes_on_the_border_is_left_out_whole() -> None:
    for shift in range(4):
        value, is_cut = kept("x" * (PAYLOAD_LIMIT - shift) + "\N{OWL}")
        assert is_cut and value == "x" * (PAYLOAD_LIMIT - shift) + CUT


def test_the_limit_counts_over_all_parts_and_keys_too() -> None:
    half = PAYLOAD_LIMIT // 2
    value, is_cut = kept([["x" * half], {"y" * half: 1}, "z"])
    assert is_cut and value[0] == ["x" * half] and "z" not in value
    many, is_cut = kept([7] * PAYLOAD_LIMIT)
    assert is_cut and len(many) == PAYLOAD_LIMIT // 8


def test_the_deepest_level_is_kept_and_the_one_below_it_is_cut() -> None:
    value: Any = "core"
    for _ in range(DEPTH_LIMIT):
        value = [value]
    assert kept(value) == (value, False)
    assert kept([value])[1]


async def test_a_report_that_comes_between_the_answer_and_its_storing_is_never_behind_the_end(
    desk: Desk,
) -> None:
    gate = desk.ledger.rows.gates["finalize"] = asyncio.Event()
    run = await begin(desk)
    call = await desk.caller.arrived()
    call.report(RunProgress(1))
    call.succeed()
    call.report(RunProgress(2))
    await desk.ledger.rows.called("finalize")
    call.report(RunProgress(3))
    gate.set()
    await desk.settled(run.id)
    call.report(RunProgress(4))
    events = (await desk.recorder.detail("main", run.id)).events
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert (events[-1].kind, events[-1].message) == (RunEventKind.STATUS, "succeeded")
    steps = [event.current for event in events if event.kind is RunEventKind.STEP]
    assert steps == [1, 2], "what came before the end was stored has its place in order"
