"""One MCP session over the pipes of a real child."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.support.processes import Bench, open_bench, program, until

from roost.drivers.process import LocalProcess
from roost.models import BundleKind, GenerationView, RunProgress, StartMode
from roost.supervision import CallEnded
from roost.supervision.incarnation import Incarnation
from roost.supervision.link import HandshakeFailed
from roost.supervision.logfiles import LogFiles
from roost.supervision.mcp_link import McpLink
from roost.supervision.mcp_session import LinkOwner
from roost.vault import Scrubber

pytestmark = pytest.mark.real


class Session:
    """A child with an open session."""

    def __init__(self, process: LocalProcess, owner: LinkOwner, link: McpLink) -> None:
        self.process = process
        self.owner = owner
        self.link = link
        self.progress: list[RunProgress] = []

    def call(self, tool: str, **arguments: object) -> "asyncio.Task[object]":
        work = self.link.call(tool, dict(arguments), self.progress.append)
        return asyncio.create_task(work)


def owner_of(process: LocalProcess, strays: list[bytes]) -> LinkOwner:
    assert process.stdin is not None
    return LinkOwner(
        process.stdout,
        process.stdin,
        era="2025-06-18",
        client_version="0",
        on_stray=strays.append,
    )


@asynccontextmanager
async def session(*argv: str) -> AsyncIterator[Session]:
    """Open a session with a child and leave nothing of either, within a bound."""
    tasks = asyncio.all_tasks()
    async with open_bench() as bench, asyncio.timeout(30):
        process = await _start(bench, *argv)
        owner = owner_of(process, [])
        yield Session(process, owner, await owner.open())
        await owner.close()
        await process.stop(1.0, eof_first=True)
    assert asyncio.all_tasks() == tasks


async def _start(bench: Bench, *argv: str) -> LocalProcess:
    return await bench.start(program(*(argv or ("mini_mcp",))), wants_stdin=True)


async def test_a_call_is_answered_and_leaving_the_session_does_not_touch_the_process() -> None:
    async with session() as it:
        assert [tool.name for tool in it.link.tools][:2] == ["env", "slow"]
        await it.call("slow", steps=3)
        assert [step.current for step in it.progress] == [1, 2, 3]
        await it.owner.close()
        assert it.process.exit is None
        with pytest.raises(CallEnded):
            await it.call("echo")


async def test_a_call_in_flight_ends_as_restarting_when_its_process_is_replaced() -> None:
    async with session() as it:
        call = it.call("wait")
        await until(lambda: it.link.in_flight == 1)
        it.link.end_calls(CallEnded.restarting())
        await it.owner.close()
        with pytest.raises(CallEnded) as ended:
            await call
        assert ended.value.code == "restarting" and it.link.in_flight == 0


async def test_a_call_in_flight_is_lost_with_its_server() -> None:
    async with session() as it:
        call = it.call("die")
        with pytest.raises(CallEnded) as ended:
            await call
        assert ended.value.code == "lost"
        await it.owner.wait_ended()
        with pytest.raises(CallEnded):
            await it.call("echo")


async def test_a_cancelled_caller_is_free_at_once_and_the_session_goes_on() -> None:
    async with session() as it:
        call = it.call("wait")
        await until(lambda: it.link.in_flight == 1)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        assert call.cancelled() and it.link.in_flight == 0
        await it.call("echo")


async def test_a_server_that_closes_its_output_before_it_answers_is_not_usable() -> None:
    async with open_bench() as bench:
        process = await bench.start(("/bin/sh", "-c", "exec 1>&-; sleep 1000"), wants_stdin=True)
        owner = owner_of(process, [])
        with pytest.raises(HandshakeFailed, match="closed its output"):
            await owner.open()
        await owner.close()


async def test_an_opening_that_is_given_up_leaves_no_task() -> None:
    tasks = asyncio.all_tasks()
    async with open_bench() as bench:
        process = await _start(bench, "mini_mcp", "--mute")
        owner = owner_of(process, [])
        opening = asyncio.create_task(owner.open())
        await asyncio.sleep(0.01)
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
        await owner.close()
    assert asyncio.all_tasks() == tasks


@pytest.mark.parametrize("how", ["close", "flood"])
async def test_a_process_that_can_never_be_talked_to_again_is_ended_as_crashed(
    how: str, tmp_path: Path
) -> None:
    logs = LogFiles(tmp_path)
    async with open_bench() as bench, asyncio.timeout(30):
        process = await _start(bench, "mute_after", how)
        owner = owner_of(process, [])
        incarnation = Incarnation(
            process,
            GenerationView("g", 1, "1", "hash", 0, StartMode.COLD, 0),
            kind=BundleKind.MCP_STDIO,
            log=logs.writer("w", "app", 1),
            scrubber=Scrubber(()),
        )
        incarnation.attach(owner, await owner.open())
        crashed = asyncio.Event()
        incarnation.watch(lambda dead, ended: crashed.set())
        assert incarnation.link is not None
        with pytest.raises(CallEnded, match="died"):
            await incarnation.link.call("wait", {}, lambda progress: None)
        await crashed.wait()
        assert process.exit is not None and incarnation.has_lost_session
        await incarnation.dispose(grace_s=1.0)
