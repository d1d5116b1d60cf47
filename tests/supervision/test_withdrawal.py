"""Calls that are withdrawn: what is seen of their end on the wire, in both eras."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.support.bare_http import BareServer, Request, bare_server, handshake, result
from tests.support.processes import open_bench, program, until

from roost.models import RunProgress
from roost.supervision import CallEnded
from roost.supervision.link import CallAnswer
from roost.supervision.mcp_http import HttpLinkOwner
from roost.supervision.mcp_link import McpLink
from roost.supervision.mcp_session import LinkOwner
from roost.supervision.mcp_tap import SentCall

TOOLS = [{"name": "dig", "inputSchema": {"type": "object"}}]
CACHED = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}

both_eras = pytest.mark.parametrize("era", ["2025-06-18", "2026-07-28"])


class Wish:
    """A withdrawal as a caller makes it."""

    def __init__(self) -> None:
        self.asked: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.signs = 0

    def goes_on(self) -> None:
        self.signs += 1

    def ask(self) -> None:
        self.asked.set_result(None)


class Pipes:
    """Both pipes of a server whose side a test plays; it shakes hands by itself."""

    def __init__(self, era: str) -> None:
        self.era = era
        self.reader = asyncio.StreamReader()
        self.sent: list[dict[str, Any]] = []

    def write(self, data: bytes) -> None:
        message = json.loads(data)
        self.sent.append(message)
        info = {"capabilities": {"tools": {}}, "serverInfo": {"name": "played", "version": "1"}}
        if message["method"] == "initialize":
            self.answer(id=message["id"], result={"protocolVersion": self.era, **info})
        if message["method"] == "server/discover":
            versions = {"supportedVersions": [self.era], **CACHED}
            self.answer(id=message["id"], result=versions | info)
        if message["method"] == "tools/list":
            self.answer(id=message["id"], result={"tools": TOOLS, **CACHED})

    async def drain(self) -> None: ...

    def answer(self, **message: Any) -> None:
        self.reader.feed_data(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    def progress(self, token: object, number: int) -> None:
        params = {"progressToken": token, "progress": number, "total": 9, "message": "deeper"}
        self.answer(method="notifications/progress", params=params)

    def of(self, method: str) -> list[dict[str, Any]]:
        return [message for message in self.sent if message["method"] == method]


class Dig:
    """A call of the tool under way."""

    def __init__(self, link: McpLink) -> None:
        self.wish = Wish()
        self.progress: list[RunProgress] = []
        work = link.call("dig", {}, self.progress.append, self.wish)
        self.call: asyncio.Task[CallAnswer] = asyncio.create_task(work)

    async def ended(self) -> str:
        with pytest.raises(CallEnded) as ended:
            await self.call
        return ended.value.code


class Scene:
    def __init__(self, pipes: Pipes, owner: LinkOwner, link: McpLink) -> None:
        self.pipes, self.owner, self.link = pipes, owner, link

    async def dig(self) -> tuple[Dig, int]:
        """Begin a call and wait until the server has it; returns the request's id too."""
        before = len(self.pipes.of("tools/call"))
        dig = Dig(self.link)
        await until(lambda: len(self.pipes.of("tools/call")) > before)
        return dig, self.pipes.of("tools/call")[-1]["id"]

    async def withdraw(self, dig: Dig) -> None:
        before, under_way = len(self.pipes.of("notifications/cancelled")), self.link.in_flight
        dig.wish.ask()
        await until(lambda: len(self.pipes.of("notifications/cancelled")) > before)
        await until(lambda: self.link.in_flight < under_way)


@asynccontextmanager
async def scene(era: str = "2025-06-18") -> AsyncIterator[Scene]:
    """Open a session with a played server and leave no task, within a bound."""
    tasks = asyncio.all_tasks()
    async with asyncio.timeout(30):
        pipes = Pipes(era)
        owner = LinkOwner(
            pipes.reader,
            pipes,  # type: ignore[arg-type]
            era=era,
            client_version="0",
            on_stray=print,
        )
        try:
            yield Scene(pipes, owner, await owner.open())
        finally:
            await owner.close()
    assert asyncio.all_tasks() == tasks


@both_eras
async def test_a_withdrawn_call_lasts_until_its_server_answers_after_all(era: str) -> None:
    async with scene(era) as it:
        dig, number = await it.dig()
        await it.withdraw(dig)
        assert it.pipes.of("notifications/cancelled")[0]["params"]["requestId"] == number
        assert not dig.call.done() and it.link.in_flight == 0, "nobody drains for it"
        content = {"content": [{"type": "text", "text": "bones"}], "resultType": "complete"}
        it.pipes.answer(id=number, result=content)
        assert await dig.ended() == "cancelled"


@pytest.mark.parametrize("spelled", [int, str])
async def test_an_error_is_an_answer_too_however_its_number_is_spelled(spelled: type) -> None:
    async with scene() as it:
        dig, number = await it.dig()
        await it.withdraw(dig)
        error = {"code": -32800, "message": "request cancelled"}
        it.pipes.answer(id=spelled(number), error=error)
        assert await dig.ended() == "cancelled"


@both_eras
async def test_progress_after_the_withdrawal_is_told_on_once_and_in_order(era: str) -> None:
    async with scene(era) as it:
        dig, number = await it.dig()
        it.pipes.progress(number, 1)
        await until(lambda: len(dig.progress) == 1)
        await it.withdraw(dig)
        for step in (2, 3, 4):
            it.pipes.progress(str(number) if step == 3 else number, step)
        await until(lambda: len(dig.progress) == 4)
        assert dig.progress == [RunProgress(step, 9, "deeper") for step in (1, 2, 3, 4)]
        assert not dig.call.done()
        it.pipes.answer(id=number, error={"code": 1, "message": "enough"})
        assert await dig.ended() == "cancelled"


async def test_what_is_heard_of_one_call_is_not_taken_for_another() -> None:
    async with scene() as it:
        first, number = await it.dig()
        second, other = await it.dig()
        await it.withdraw(first)
        await it.withdraw(second)
        it.pipes.progress(other, 1)
        it.pipes.progress(True, 1)
        it.pipes.progress([number], 1)
        it.pipes.progress("nobody", 1)
        it.pipes.answer(id=other, result={"content": []})
        assert await second.ended() == "cancelled"
        assert (len(first.progress), len(second.progress), first.call.done()) == (0, 1, False)
        it.pipes.answer(id=number, result={"content": []})
        assert await first.ended() == "cancelled"


async def test_silence_holds_the_call_until_its_caller_gives_it_up_and_nothing_is_kept() -> None:
    async with scene() as it:
        dig, number = await it.dig()
        await it.withdraw(dig)
        dig.call.cancel()
        await asyncio.gather(dig.call, return_exceptions=True)
        assert dig.call.cancelled() and it.link._tap._calls == {}
        it.pipes.answer(id=number, result={"content": []})
        again, number = await it.dig()
        it.pipes.answer(id=number, result={"content": [{"type": "text", "text": "in step"}]})
        assert (await again.call).text == "in step"
        assert it.link._tap._calls == {}


@pytest.mark.parametrize("end", ["lost", "restarting"])
async def test_the_end_of_the_process_ends_a_withdrawn_call(end: str) -> None:
    async with scene() as it:
        dig, _ = await it.dig()
        await it.withdraw(dig)
        if end == "lost":
            it.pipes.reader.feed_eof()
        else:
            it.link.end_calls(CallEnded.restarting())
        assert await dig.ended() == end


async def test_a_call_that_is_withdrawn_before_it_was_sent_reaches_no_server() -> None:
    async with scene() as it:
        dig = Dig(it.link)
        dig.wish.ask()
        assert await dig.ended() == "cancelled"
        assert it.pipes.of("tools/call") == []


async def test_a_call_that_made_another_request_is_answered_by_the_answer_to_that() -> None:
    sent = SentCall(print)
    sent.note_request(1)
    sent.notice_answer()
    sent.note_request(2)
    assert sent.was_sent and not sent.answered.done()
    sent.notice_answer()
    sent.notice_answer()
    assert sent.answered.done()


@asynccontextmanager
async def held_call() -> AsyncIterator[tuple[BareServer, Request, Dig]]:
    """Give a call of a server over HTTP that holds its answer back."""
    asked: list[Request] = []

    def answers(request: Request) -> bytes | None:
        if request.asks != "tools/call":
            return handshake(request)
        asked.append(request)
        return None

    async with asyncio.timeout(30), bare_server(answers) as server:
        owner = HttpLinkOwner(
            server.url, server.url, headers={}, era="2025-06-18", client_version="0"
        )
        dig = Dig(await owner.open())
        await until(lambda: bool(asked))
        yield server, asked[0], dig
        await owner.close()


async def test_a_server_over_http_is_heard_on_the_stream_of_the_cancelled_request() -> None:
    async with held_call() as (server, request, dig):
        dig.wish.ask()
        await until(lambda: server.was_asked("notifications/cancelled"))
        assert not dig.call.done()
        for writer in server.writers:
            writer.write(result(request, {"content": []}))
        assert await dig.ended() == "cancelled"


async def test_a_stream_that_breaks_off_is_no_answer_to_the_cancelled_request() -> None:
    async with held_call() as (server, _, dig):
        dig.wish.ask()
        await until(lambda: server.was_asked("notifications/cancelled"))
        for writer in server.writers:
            writer.transport.abort()
        await until(lambda: server.was_asked("ping"))
        assert not dig.call.done(), "it was looked whether the server is there, and it is"
        dig.call.cancel()
        await asyncio.gather(dig.call, return_exceptions=True)


# Tasks --------------------------------------------------------------------------------------------


@asynccontextmanager
async def task_server(era: str) -> AsyncIterator[McpLink]:
    options = ("--legacy",) if era < "2026" else ()
    async with open_bench() as bench, asyncio.timeout(30):
        process = await bench.start(program("task_mcp", *options), wants_stdin=True)
        assert process.stdin is not None
        owner = LinkOwner(
            process.stdout, process.stdin, era=era, client_version="0", on_stray=print
        )
        try:
            yield await owner.open()
        finally:
            await owner.close()
            await process.stop(1.0, eof_first=True)


@pytest.mark.real
@pytest.mark.parametrize("era", ["2025-11-25", "2026-07-28"])
async def test_a_task_is_cancelled_by_a_withdrawal_and_its_state_shows_the_end(era: str) -> None:
    async with task_server(era) as link:
        wish, seen = Wish(), list[RunProgress]()
        call = asyncio.create_task(link.call("never", {}, seen.append, wish))
        await until(lambda: bool(seen))
        wish.ask()
        with pytest.raises(CallEnded) as ended:
            await call
        assert (ended.value.code, seen[-1].message) == ("cancelled", "cancelled")


@pytest.mark.real
@pytest.mark.parametrize("era", ["2025-11-25", "2026-07-28"])
async def test_a_task_that_works_on_says_so_at_every_poll_and_is_no_call_in_flight(
    era: str,
) -> None:
    async with task_server(era) as link:
        wish, seen = Wish(), list[RunProgress]()
        call = asyncio.create_task(link.call("stubborn", {}, seen.append, wish))
        await until(lambda: bool(seen))
        wish.ask()
        await until(lambda: wish.signs > 1)
        assert not call.done() and link.in_flight == 0
        link.end_calls(CallEnded.restarting())
        with pytest.raises(CallEnded, match="restarted"):
            await call
