"""The HTTP client where the contract suite cannot look: odd daemons, and daemons that go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.contract.waiting import reading
from tests.support.fake_engine import FakeEngine, bundle_view, run_view
from tests.support.serving import serving_fake
from tests.support.socket_dir import socket_dir

from roost.api.stream import KEEP_ALIVE_S
from roost.client.http_engine import HttpEngine
from roost.client.http_socket import IDLE_TIMEOUT_S
from roost.errors import (
    BundleNotFound,
    DaemonUnreachable,
    RoostError,
    StoreUnavailable,
    Unavailable,
)
from roost.models import Change, RunQuery, RunStatus, Snapshot, WorkspaceRemoved
from roost.models.codec import to_json

STREAM_HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


@asynccontextmanager
async def _answering(answer: bytes | str, *, then_hang: bool = False) -> AsyncIterator[HttpEngine]:
    """A client of something that gives every request the same answer and closes."""
    sent = answer.encode() if isinstance(answer, str) else answer
    done = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(sent)
        await writer.drain()
        if then_hang:
            await done.wait()
        writer.close()

    with socket_dir() as directory:
        path = f"{directory}/roost.sock"
        server = await asyncio.start_unix_server(serve, path)
        async with server, HttpEngine(path) as engine:
            yield engine
            done.set()


def _json(status: int, body: str) -> str:
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(body.encode())}\r\n\r\n{body}"


def _event(name: str, data: object, id: str = "s.1") -> str:
    return f"event: {name}\nid: {id}\ndata: {to_json(data).decode()}\n\n"


async def test_where_nobody_listens_the_sentence_says_how_to_start_one() -> None:
    with socket_dir() as directory:
        async with HttpEngine(f"{directory}/roost.sock") as engine:
            with pytest.raises(DaemonUnreachable, match="`roost serve` starts one"):
                await engine.status()


async def test_a_daemon_that_goes_before_it_answers_is_unreachable() -> None:
    async with _answering("") as engine:
        with pytest.raises(DaemonUnreachable, match="went away"):
            await engine.status()


async def test_a_daemon_that_stays_silent_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roost.client.http_socket.READ_TIMEOUT_S", 0.05)
    async with _answering("", then_hang=True) as engine:
        with pytest.raises(DaemonUnreachable, match="does not answer"):
            await engine.status()


@pytest.mark.parametrize("body", ["", "<html>", "[]", '{"start_id": 5}'])
async def test_an_answer_of_another_shape_is_not_a_daemon(body: str) -> None:
    async with _answering(_json(200, body)) as engine:
        with pytest.raises(DaemonUnreachable, match="does not speak as a Roost daemon"):
            await engine.status()


async def test_a_refusal_is_the_error_it_was_over_there() -> None:
    async with _answering(_json(404, to_json(_wire_error()).decode())) as engine:
        with pytest.raises(BundleNotFound, match="no bundle 'app'") as refusal:
            await engine.bundle("w", "app")
    assert refusal.value.details == {"workspace": "w", "bundle": "app"}


def _wire_error() -> dict[str, object]:
    error = BundleNotFound("w", "app")
    return {"error": {"code": error.code, "message": error.message, "details": error.details}}


async def test_an_error_of_a_newer_daemon_keeps_its_sentence() -> None:
    body = '{"error": {"code": "from_the_future", "message": "something new", "details": {}}}'
    async with _answering(_json(409, body)) as engine:
        with pytest.raises(RoostError, match="something new") as refusal:
            await engine.status()
    assert type(refusal.value) is RoostError


@pytest.mark.parametrize("body", ["", "Bad Gateway", '{"error": "text"}', '{"detail": 1}'])
async def test_a_refusal_without_a_reason_names_its_status(body: str) -> None:
    async with _answering(_json(502, body)) as engine:
        with pytest.raises(Unavailable, match="status 502"):
            await engine.status()


async def test_a_stream_that_ends_without_a_notice_is_an_error() -> None:
    snapshot = Snapshot("s", 1, FakeEngine().world.state())
    stream = STREAM_HEAD + _event("snapshot", snapshot)
    async with _answering(stream) as engine, reading(engine.events()) as events:
        assert isinstance(await anext(events), Snapshot)
        with pytest.raises(DaemonUnreachable, match="went away"):
            await anext(events)


@pytest.mark.parametrize("begins", [STREAM_HEAD, STREAM_HEAD + ": keep-alive\n\n"])
async def test_a_stream_that_falls_silent_is_lost(
    monkeypatch: pytest.MonkeyPatch, begins: str
) -> None:
    monkeypatch.setattr("roost.client.http_socket.IDLE_TIMEOUT_S", 0.05)
    async with _answering(begins, then_hang=True) as engine:
        for stream in (engine.events(), engine.run_events("w", "r"), engine.follow_log("w", "a")):
            async with reading(stream) as events:
                with pytest.raises(DaemonUnreachable, match="does not answer"):
                    await anext(events)


def test_a_stream_is_only_lost_after_two_keep_alives_stayed_out() -> None:
    assert 2 * KEEP_ALIVE_S < IDLE_TIMEOUT_S < 3 * KEEP_ALIVE_S


async def test_a_change_of_an_unknown_kind_is_passed_over() -> None:
    stream = _event("from_the_future", {"x": 1}, "s.2") + _event(
        "workspace_removed", WorkspaceRemoved("a"), "s.3"
    )
    async with _answering(STREAM_HEAD + stream) as engine, reading(engine.events()) as events:
        assert await anext(events) == Change(3, WorkspaceRemoved("a"))


@pytest.mark.parametrize(
    "event", ["event: snapshot\ndata: {}\n\n", "event: closing\nid: x\ndata: {}\n\n"]
)
async def test_a_stream_of_another_shape_is_not_a_daemon(event: str) -> None:
    async with _answering(STREAM_HEAD + event) as engine, reading(engine.events()) as events:
        with pytest.raises(DaemonUnreachable, match="does not speak as a Roost daemon"):
            await anext(events)


async def test_an_error_in_the_middle_of_a_stream_is_raised_there() -> None:
    fake = FakeEngine(workspaces=("w",))
    fake.add_run(run_view("r-1", workspace="w"))
    async with serving_fake(fake) as served, HttpEngine(served.path) as engine:
        fake.progress("r-1", 1)
        async with reading(engine.run_events("w", "r-1")) as events:
            await anext(events)
            fake.disconnect()
            with pytest.raises(DaemonUnreachable, match="no daemon answers"):
                await anext(events)


async def test_every_filter_of_a_query_arrives() -> None:
    fake = FakeEngine(workspaces=("w",))
    query = RunQuery("w", "app", "chat&1", (RunStatus.FAILED, RunStatus.ABORTED), 7, "r-1")
    async with serving_fake(fake) as served, HttpEngine(served.path) as engine:
        await engine.runs(query)
    assert fake.called("runs") == [{"query": query}]


@pytest.mark.parametrize("name", ["a b", "ü", "a%2Fb", "a?b", "a#b", ".", "..", "a+b"])
async def test_any_name_arrives_as_it_is(name: str) -> None:
    fake = FakeEngine(workspaces=("w",))
    fake.add_bundle(bundle_view(name, workspace="w"))
    async with serving_fake(fake) as served, HttpEngine(served.path) as engine:
        assert (await engine.bundle("w", name)).view.name == name
        assert (await engine.remove("w", name, reason="50% & more")).ok
    assert fake.called("remove")[0]["reason"] == "50% & more"


async def test_many_streams_and_calls_go_side_by_side() -> None:
    fake = FakeEngine(workspaces=("w",))
    async with serving_fake(fake) as served, HttpEngine(served.path) as engine:
        streams = [engine.events() for _ in range(20)]
        async with asyncio.timeout(30):
            firsts = await asyncio.gather(*(anext(stream) for stream in streams))
            views = await asyncio.gather(*(engine.status() for _ in range(20)))
        assert all(isinstance(first, Snapshot) for first in firsts)
        assert len(views) == 20
        fake.close()
        for stream in streams:
            async with reading(stream) as events:
                assert [event async for event in events]


async def test_a_refusal_of_the_store_stays_one_over_the_wire() -> None:
    fake = FakeEngine(workspaces=("w",))
    async with serving_fake(fake) as served, HttpEngine(served.path) as engine:
        fake.refuse_next(StoreUnavailable("the store does not answer; try again"))
        with pytest.raises(StoreUnavailable, match="try again"):
            await engine.bundles()


async def test_closing_twice_is_fine() -> None:
    engine = HttpEngine("/nowhere/roost.sock")
    await engine.close()
    await engine.close()
