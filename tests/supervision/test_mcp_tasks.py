"""Calls that a real child answers with tasks, in both eras of the protocol."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.support.processes import open_bench, program

from roost.drivers.process import LocalProcess
from roost.models import RunProgress
from roost.supervision import CallEnded
from roost.supervision.link import CallAnswer
from roost.supervision.mcp_link import McpLink
from roost.supervision.mcp_session import LinkOwner
from roost.supervision.mcp_tasks import LONGEST_POLL_S, SHORTEST_POLL_S, USUAL_POLL_S, poll_s

real = pytest.mark.real
GREETINGS = {"2025-11-25": "initialize", "2026-07-28": "server/discover"}

both_eras = pytest.mark.parametrize("era", GREETINGS)


class Session:
    """A child with an open session, and what it was asked."""

    def __init__(self, process: LocalProcess, link: McpLink) -> None:
        self.process = process
        self.link = link
        self.progress: list[RunProgress] = []

    def call(self, tool: str, **arguments: Any) -> asyncio.Task[CallAnswer]:
        return asyncio.create_task(self.link.call(tool, arguments, self.progress.append))

    async def asked(self, what: str) -> None:
        """Wait until the child tells that it was asked this."""
        await self.process.stderr.readuntil(f"{what}\n".encode())


@asynccontextmanager
async def session(era: str) -> AsyncIterator[Session]:
    options = ("--legacy",) if era < "2026" else ()
    async with open_bench() as bench, asyncio.timeout(30):
        process = await bench.start(program("task_mcp", *options), wants_stdin=True)
        assert process.stdin is not None
        owner = LinkOwner(
            process.stdout, process.stdin, era=era, client_version="0", on_stray=print
        )
        yield Session(process, await owner.open())
        await owner.close()
        await process.stop(1.0, eof_first=True)


@real
@both_eras
async def test_the_changes_of_a_task_are_told_in_order_and_its_result_is_the_answer(
    era: str,
) -> None:
    async with session(era) as it:
        assert it.link.era == era
        answer = await it.call("build", stages=2)
        assert (answer.text, answer.is_error) == ("build is done", False)
        assert [step.message for step in it.progress] == [
            "task work-1 is working",
            "working: stage 1",
            "working: stage 2",
            "completed",
        ]
        assert [step.current for step in it.progress] == [1, 2, 3, 4]


@real
@both_eras
async def test_what_the_server_said_of_itself_and_its_tools_is_kept_word_for_word(era: str) -> None:
    async with session(era) as it:
        asked, listed = it.link.answers()
        greeting, tools = json.loads(asked[1]), json.loads(listed[1])
    assert (asked[0], listed[0]) == (GREETINGS[era], "tools/list")
    assert greeting["capabilities"]["tools"] == {}
    assert greeting["instructions"] == "Give it time."
    assert era in (greeting.get("protocolVersion"), *greeting.get("supportedVersions", ()))
    assert [tool["name"] for tool in tools] == sorted(tool["name"] for tool in tools)
    assert all("inputSchema" in tool for tool in tools)
    assert asked[1] == json.dumps(greeting, sort_keys=True, separators=(",", ":"))


@real
@both_eras
async def test_a_cancelled_call_cancels_its_task_and_the_session_goes_on(era: str) -> None:
    async with session(era) as it:
        call = it.call("never")
        await it.asked("tasks/get work-1")
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        assert call.cancelled() and it.link.in_flight == 0
        await it.asked("tasks/cancel work-1")
        assert (await it.call("build")).text == "build is done"


@real
async def test_a_call_cancelled_while_its_task_is_made_cancels_the_task_all_the_same() -> None:
    async with session("2025-11-25") as it:
        call = it.call("tardy")
        await it.asked("tools/call ")
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        await it.asked("tasks/cancel work-1")


@real
@both_eras
async def test_a_task_that_asks_for_input_is_cancelled_and_says_that_nobody_answers(
    era: str,
) -> None:
    async with session(era) as it:
        with pytest.raises(CallEnded, match="nobody can give here") as ended:
            await it.call("question")
        assert ended.value.code == "input_required"
        assert "so it goes with question" in ended.value.sentence
        await it.asked("tasks/cancel work-1")


@real
@both_eras
@pytest.mark.parametrize(
    ("tool", "code", "told"),
    [("given-up", "cancelled", "cancelled its task"), ("forgotten", "lost", "nothing of its task")],
)
async def test_a_task_without_an_answer_ends_with_its_code(
    era: str, tool: str, code: str, told: str
) -> None:
    async with session(era) as it:
        with pytest.raises(CallEnded, match=told) as ended:
            await it.call(tool)
        assert ended.value.code == code


@real
@both_eras
async def test_a_task_that_failed_is_an_error_and_so_is_one_whose_result_is_an_error(
    era: str,
) -> None:
    async with session(era) as it:
        broken = await it.call("broken")
        assert broken.is_error and broken.text in ("the boiler is cold", "there is no such thing")
        refused = await it.call("refused")
        assert (refused.is_error, refused.text) == (True, "refused is done")


@real
@both_eras
async def test_a_tool_that_takes_no_task_is_called_as_ever(era: str) -> None:
    async with session(era) as it:
        answer = await it.call("plain")
        assert (answer.text, answer.is_error, it.progress) == ("plain", False, [])


@real
async def test_progress_that_comes_after_a_task_was_made_is_told_in_order() -> None:
    async with session("2025-11-25") as it:
        assert (await it.call("reported", stages=3)).text == "reported is done"
        reported = [step.current for step in it.progress if step.total == 3]
        assert reported == [1, 2, 3]


@real
@both_eras
async def test_a_task_is_lost_with_its_server_and_cut_by_its_replacement(era: str) -> None:
    async with session(era) as it:
        cut = it.call("never")
        await it.asked("tasks/get work-1")
        it.link.end_calls(CallEnded.restarting())
        with pytest.raises(CallEnded) as ended:
            await cut
        assert ended.value.code == "restarting"
    async with session(era) as it:
        lost = it.call("never")
        await it.asked("tasks/get work-1")
        await it.process.stop(0.0, eof_first=False)
        with pytest.raises(CallEnded) as ended:
            await lost
        assert ended.value.code == "lost"


@pytest.mark.parametrize(
    ("task", "seconds"),
    [
        ({"pollInterval": 1500}, 1.5),
        ({"pollIntervalMs": 700, "pollInterval": 9}, 0.7),
        ({"pollInterval": 1}, SHORTEST_POLL_S),
        ({"pollInterval": -5}, SHORTEST_POLL_S),
        ({"pollIntervalMs": 3_600_000}, LONGEST_POLL_S),
        ({"pollInterval": float("inf")}, LONGEST_POLL_S),
        ({"pollInterval": float("nan")}, USUAL_POLL_S),
        ({"pollInterval": True}, USUAL_POLL_S),
        ({"pollInterval": "soon"}, USUAL_POLL_S),
        ({}, USUAL_POLL_S),
    ],
    ids=repr,
)
def test_the_poll_interval_of_the_server_counts_in_bounds(
    task: dict[str, object], seconds: float
) -> None:
    assert poll_s(task) == seconds
