"""Probes on the wire: which request, what answers it, and what a server owes meanwhile."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
from tests.support.processes import PROGRAMS, open_bench, program, until

from roost.supervision.link import CallEnded
from roost.supervision.liveness import ask_server
from roost.supervision.mcp_link import McpLink
from roost.supervision.mcp_pipes import FIRST_PROBE_ID, McpPipes
from roost.supervision.mcp_session import LinkOwner

MINI = program("mini_mcp")

MODERN = (sys.executable, str(PROGRAMS / "modern_mcp.py"))


@asynccontextmanager
async def session(
    argv: tuple[str, ...] = MINI, era: str | None = "2025-06-18"
) -> AsyncIterator[McpLink]:
    """Open a session with a child and leave nothing of either."""
    async with open_bench() as bench, asyncio.timeout(60):
        process = await bench.start(argv, wants_stdin=True)
        assert process.stdin is not None
        owner = LinkOwner(
            process.stdout, process.stdin, era=era, client_version="0", on_stray=strays.append
        )
        try:
            yield await owner.open()
        finally:
            await owner.close()
            await process.stop(1.0, eof_first=True)


strays: list[bytes] = []


@pytest.mark.real
@pytest.mark.parametrize(
    ("argv", "era", "request_"), [(MINI, "2025-06-18", "ping"), (MODERN, None, "server/discover")]
)
async def test_a_server_of_either_era_answers_the_probe_of_its_era(
    argv: tuple[str, ...], era: str | None, request_: str
) -> None:
    async with session(argv, era) as link:
        assert link.probe_request == request_
        answer = await link._wire.ask(link.probe_request, link._probe_params)
        assert "result" in str(answer), "it is an answer and no refusal"
        assert await ask_server(link, 30.0) is None
        called = await link.call("echo", {"text": "still in step"}, lambda progress: None)
        assert "still in step" in called.text


@pytest.mark.real
async def test_a_probe_does_not_wait_behind_a_call() -> None:
    async with session() as link:
        call = asyncio.create_task(link.call("hang", {}, lambda progress: None))
        await until(lambda: link.in_flight == 1)
        await link.probe()
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)


@pytest.mark.real
async def test_a_session_that_is_over_says_so_instead_of_waiting_for_an_answer() -> None:
    async with session() as link:
        link.end_calls(CallEnded.lost())
        finding = await ask_server(link, 30.0)
        assert finding is not None and "died" in finding


@pytest.mark.real
async def test_a_server_owes_from_a_call_to_its_next_word() -> None:
    async with session() as link:
        assert link.owed_s() is None
        await link.call("echo", {}, lambda progress: None)
        assert link.owed_s() is None
        given_up = asyncio.create_task(link.call("hang", {}, lambda progress: None))
        await until(lambda: link.in_flight == 1)
        assert link.owed_s() is not None
        given_up.cancel()
        await asyncio.gather(given_up, return_exceptions=True)
        assert link.owed_s() is not None, "it may still be at work on what was given up"
        await link.probe()
        assert link.owed_s() is None


# Without a process --------------------------------------------------------------------------------


class Lines:
    """Takes what is written as a pipe would."""

    def __init__(self) -> None:
        self.sent: list[dict[str, object]] = []
        self.has_sent = asyncio.Event()

    def write(self, data: bytes) -> None:
        self.sent.append(json.loads(data))
        self.has_sent.set()

    async def drain(self) -> None: ...


class Wire:
    """A transport whose other end a test plays."""

    def __init__(self) -> None:
        self.reader = asyncio.StreamReader()
        self.lines = Lines()
        self.strays: list[bytes] = []
        self.pipes = McpPipes(self.reader, self.lines, self.strays.append)  # type: ignore[arg-type]

    def answer(self, **message: object) -> None:
        self.reader.feed_data(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")


async def asked(wire: Wire) -> "asyncio.Task[dict[str, object]]":
    """Put a probe and wait until it is on the wire."""
    wire.lines.has_sent.clear()
    probe = asyncio.create_task(wire.pipes.ask("ping", {}))
    await wire.lines.has_sent.wait()
    return probe


async def test_a_refusal_answers_a_probe_and_a_late_answer_is_nobodys() -> None:
    wire = Wire()
    async with asyncio.timeout(30), wire.pipes.open() as (reads, _):
        first = await asked(wire)
        number = wire.lines.sent[0]["id"]
        assert number == FIRST_PROBE_ID
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        second = await asked(wire)
        wire.answer(id=number, result={})
        wire.answer(id=FIRST_PROBE_ID + 1, error={"code": -32601, "message": "no such method"})
        assert "error" in await second
        wire.answer(id=1, result={"for": "the session"})
        message = await reads.receive()
        assert message.message.id == 1, "the session has seen neither"
        assert wire.strays == []


async def test_progress_is_a_word_and_starts_the_wait_anew() -> None:
    wire = Wire()
    server = SimpleNamespace(protocol_version="2025-06-18", client_info=None)
    async with asyncio.timeout(30), wire.pipes.open() as (reads, _):
        link = McpLink(server, (), wire.pipes)  # type: ignore[arg-type]
        now = asyncio.get_running_loop().time()
        link.in_flight, link._owed_since, wire.pipes.heard_at = 1, now - 100, now - 200
        owed = link.owed_s()
        assert owed is not None and owed >= 100
        progress = {"progressToken": 1, "progress": 1}
        wire.answer(method="notifications/progress", params=progress)
        await reads.receive()
        owed = link.owed_s()
        assert owed is not None and owed < 100, "it still owes, but it has spoken"


async def test_what_only_quotes_the_number_of_a_probe_goes_to_the_session() -> None:
    wire = Wire()
    async with asyncio.timeout(30), wire.pipes.open() as (reads, _):
        probe = await asked(wire)
        wire.answer(id=7, result={"text": str(FIRST_PROBE_ID)})
        assert (await reads.receive()).message.id == 7
        wire.answer(id=FIRST_PROBE_ID, method="roots/list", params={})
        assert (await reads.receive()).message.method == "roots/list", "its own request"
        wire.reader.feed_data(b"log line %d\n" % FIRST_PROBE_ID)
        wire.answer(id=FIRST_PROBE_ID, result={})
        await probe
        assert wire.strays == [b"log line %d" % FIRST_PROBE_ID]


async def test_probes_that_are_never_answered_are_not_remembered_for_ever() -> None:
    wire = Wire()
    async with asyncio.timeout(30), wire.pipes.open():
        for _ in range(100):
            probe = await asked(wire)
            probe.cancel()
            await asyncio.gather(probe, return_exceptions=True)
        assert len(wire.pipes._probes) <= 16
