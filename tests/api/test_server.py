"""Serving: who gets in, and how it ends."""

from __future__ import annotations

import asyncio
import os
import pwd
import signal
import socket
import time
from contextlib import AsyncExitStack

import httpx
import pytest
from starlette.types import Receive, Scope, Send
from tests.contract.waiting import bundle_in
from tests.support.fake_engine import FakeEngine
from tests.support.serving import raw_viewer, serving, serving_fake
from tests.support.socket_dir import socket_dir

from roost.api import ApiServer, bind_socket, create_app
from roost.api.peer import peer_uid
from roost.api.protocol import PeerCheckedProtocol
from roost.models import SlotState, WorkspaceChanged, WorkspaceView

STOP_LIMIT_S = 2.0


@pytest.fixture
def fake() -> FakeEngine:
    return FakeEngine(workspaces=("w",))


def _client(path: str) -> httpx.AsyncClient:
    transport = httpx.AsyncHTTPTransport(verify=False, uds=path)
    return httpx.AsyncClient(transport=transport, base_url="http://roost")


def test_the_uid_of_a_peer_is_read_from_the_socket() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        assert peer_uid(ours) == os.geteuid()


async def test_the_caller_is_known_by_the_uid_of_its_process(fake: FakeEngine) -> None:
    async with serving_fake(fake) as served, _client(served.path) as http:
        assert (await http.get("/v1/status")).status_code == 200
    assert fake.calls[0].actor == pwd.getpwuid(os.geteuid()).pw_name


async def test_another_user_is_dropped_before_a_byte_is_read(
    fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PeerCheckedProtocol, "find_uid", staticmethod(lambda _: os.geteuid() + 1))
    async with serving_fake(fake) as served, _client(served.path) as http:
        with pytest.raises(httpx.TransportError):
            await http.get("/v1/status")
    assert fake.calls == []


async def test_a_peer_that_is_gone_already_is_dropped(
    fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> int:
        raise OSError("the connection is gone")

    monkeypatch.setattr(PeerCheckedProtocol, "find_uid", staticmethod(fail))
    async with serving_fake(fake) as served, _client(served.path) as http:
        with pytest.raises(httpx.TransportError):
            await http.get("/v1/status")


async def test_the_signals_stay_with_whoever_owned_them(fake: FakeEngine) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    async with serving_fake(fake):
        during = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert during == before


async def test_nothing_is_left_after_a_stop(fake: FakeEngine) -> None:
    before = asyncio.all_tasks()
    with socket_dir() as directory:
        path = f"{directory}/roost.sock"
        sock = bind_socket(path)
        async with ApiServer(create_app(fake, clock=fake.clock), sock) as server:
            async with _client(path) as http:
                await http.get("/v1/status")
            await server.stop()
            await server.stop()
        assert os.listdir(directory) == []
    assert sock.fileno() == -1
    assert asyncio.all_tasks() == before


async def test_two_hundred_viewers_get_their_closing_notice_within_the_bound(
    fake: FakeEngine,
) -> None:
    async with serving_fake(fake) as served, AsyncExitStack() as stack:
        viewers = [await stack.enter_async_context(raw_viewer(served.path)) for _ in range(200)]
        await asyncio.gather(*(viewer.read_until(b"\n\n\r\n") for viewer in viewers))
        assert fake.bus.viewers == 200
        began = time.monotonic()
        fake.close("the daemon is stopping")
        await served.server.stop()
        took = time.monotonic() - began
        endings = await asyncio.gather(*(viewer.read_rest() for viewer in viewers))
    assert took < STOP_LIMIT_S
    assert all(b"event: closing" in ending for ending in endings)
    assert all(ending.endswith(b"0\r\n\r\n") for ending in endings)
    assert fake.bus.viewers == 0


async def test_a_viewer_that_reads_nothing_does_not_hold_the_stop_up(fake: FakeEngine) -> None:
    before = asyncio.all_tasks()
    async with serving_fake(fake) as served, raw_viewer(served.path, limit=16) as stalled:
        await stalled.read_until(b"HTTP/1.1")
        label = "x" * 10_000
        for number in range(1000):
            fake.push(WorkspaceChanged(WorkspaceView(f"w{number}", label, 0)))
        await asyncio.sleep(0)
        began = time.monotonic()
        fake.close("the daemon is stopping")
        await served.server.stop()
        assert time.monotonic() - began < STOP_LIMIT_S
    assert fake.bus.viewers == 0
    assert asyncio.all_tasks() == before


async def test_an_answer_that_never_comes_does_not_hold_the_stop_up() -> None:
    begun = asyncio.Event()

    async def stuck(scope: Scope, receive: Receive, send: Send) -> None:
        begun.set()
        await asyncio.Event().wait()

    before = asyncio.all_tasks()
    async with serving(stuck) as served, raw_viewer(served.path):
        async with asyncio.timeout(5):
            await begun.wait()
        began = time.monotonic()
        await served.server.stop()
        assert time.monotonic() - began < STOP_LIMIT_S
    assert asyncio.all_tasks() == before


async def test_an_answer_under_way_is_finished(fake: FakeEngine) -> None:
    fake.hold_starts()
    async with serving_fake(fake) as served, _client(served.path) as http:
        body = {"source": "command", "name": "app", "command": ["app"], "start": False}
        await http.post("/v1/workspaces/w/bundles", json=body)
        starting = asyncio.create_task(http.post("/v1/workspaces/w/bundles/app/start"))
        await bundle_in(fake, "app", SlotState.STARTING)
        stopping = asyncio.create_task(served.server.stop())
        await asyncio.sleep(0)
        fake.release_starts()
        assert (await starting).json()["ok"]
        await stopping


async def test_what_is_not_http_is_answered_and_cut(fake: FakeEngine) -> None:
    async with serving_fake(fake) as served:
        reader, writer = await asyncio.open_unix_connection(served.path)
        writer.write(b"\x16\x03\x01 hello\r\n\r\n")
        async with asyncio.timeout(5):
            assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
        writer.close()
        await writer.wait_closed()


async def test_a_server_that_cannot_start_says_so(fake: FakeEngine) -> None:
    before = asyncio.all_tasks()
    with socket_dir() as directory:
        sock = bind_socket(f"{directory}/roost.sock")
        server = ApiServer(create_app(fake, clock=fake.clock), sock)
        sock.close()
        with pytest.raises(OSError, match="file descriptor"):
            await server.__aenter__()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before
