"""A web bundle is ready when its path answers 2xx, and not before, whatever its server does."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest
from tests.support.ports import needs_ipv6
from tests.support.processes import until

from roost.clock import SystemClock
from roost.supervision import readiness
from roost.supervision.readiness import ASKED_AT_ONCE, PortTaken, WebProbe

BOUND_S = 30

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

Answer = Callable[[int, asyncio.StreamWriter], Awaitable[None]]
"""Answers the request of this number, counted from 0; the connection is closed behind it."""


def nobody_else(host: str, port: int) -> str | None:
    return None


class Asked:
    """A server and how it was asked."""

    def __init__(self, port: int, paths: list[str]) -> None:
        self.port = port
        self.paths = paths

    def probe(
        self, path: str = "/", foreign: Callable[[str, int], str | None] = nobody_else
    ) -> WebProbe:
        return WebProbe(self.port, path, SystemClock(), foreign)


@asynccontextmanager
async def serving(answer: Answer, host: str = "127.0.0.1") -> AsyncIterator[Asked]:
    paths: list[str] = []
    holding: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        holding.add(task)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            number = len(paths)
            paths.append(head.split()[1].decode())
            await answer(number, writer)
        except (asyncio.CancelledError, asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            holding.discard(task)
            writer.close()

    server = await asyncio.start_server(handle, host, 0)
    try:
        yield Asked(server.sockets[0].getsockname()[1], paths)
    finally:
        server.close()
        for task in tuple(holding):
            task.cancel()
        await asyncio.gather(*holding, return_exceptions=True)


def always(data: bytes) -> Answer:
    async def answer(_: int, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()

    return answer


def status(code: int) -> bytes:
    return f"HTTP/1.1 {code} Any\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n".encode()


async def ready(probe: WebProbe) -> None:
    async with asyncio.timeout(BOUND_S):
        await probe.wait()


async def not_ready(probe: WebProbe, asked: Asked, questions: int, finding: str) -> None:
    """Let it be asked some times until this is found, and see that it does not count as ready."""
    waiting = asyncio.create_task(probe.wait())
    try:
        async with asyncio.timeout(BOUND_S):
            # While a question waits for its answer, that is what was found.
            while len(asked.paths) < questions or probe.finding != finding:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        assert not waiting.done()
    finally:
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


@pytest.mark.parametrize("code", [200, 204, 299])
async def test_any_2xx_on_its_path_is_ready_and_tells_the_address(code: int) -> None:
    async with serving(always(status(code))) as asked:
        probe = asked.probe("/healthz?deep=1")
        assert probe.address is None
        await ready(probe)
        assert probe.address == f"http://127.0.0.1:{asked.port}"
        assert asked.paths == ["/healthz?deep=1"]


@pytest.mark.parametrize("code", [301, 302, 404, 500, 503])
async def test_no_other_status_is_ready_a_redirect_neither(code: int) -> None:
    async with serving(always(status(code))) as asked:
        probe = asked.probe("/start")
        finding = f"GET /start on port {asked.port} answers {code} and not 2xx"
        await not_ready(probe, asked, 3, finding)
        assert set(asked.paths) == {"/start"}, "a redirect was followed"


async def test_a_server_that_is_unavailable_at_first_becomes_ready() -> None:
    async def answer(number: int, writer: asyncio.StreamWriter) -> None:
        writer.write(status(503) if number < 3 else OK)
        await writer.drain()

    async with serving(answer) as asked:
        await ready(asked.probe())
        assert len(asked.paths) == 4


async def test_an_answer_in_pieces_is_one_answer() -> None:
    async def answer(_: int, writer: asyncio.StreamWriter) -> None:
        for piece in (b"HT", b"TP/1.1 2", b"00", b" OK\r", b"\n\r\n"):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)

    async with serving(answer) as asked:
        await ready(asked.probe())
        assert len(asked.paths) == 1


async def test_an_early_hint_is_not_taken_for_the_answer() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </x.css>\r\n\r\n"
    async with serving(always(early + status(404))) as asked:
        probe = asked.probe()
        await not_ready(probe, asked, 2, f"GET / on port {asked.port} answers 404 and not 2xx")
    async with serving(always(early + OK)) as asked:
        await ready(asked.probe())


async def test_an_answer_that_never_ends_is_ready_by_its_status() -> None:
    async def answer(_: int, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        await writer.drain()
        await asyncio.Event().wait()

    async with serving(answer) as asked:
        await ready(asked.probe())


async def test_a_first_answer_counts_however_late_it_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(readiness, "ASK_AGAIN_S", 0.05)
    is_asked_again = asyncio.Event()

    async def answer(number: int, writer: asyncio.StreamWriter) -> None:
        if number > 0:
            is_asked_again.set()
            await asyncio.Event().wait()
        await is_asked_again.wait()
        writer.write(OK)
        await writer.drain()

    async with serving(answer) as asked:
        await ready(asked.probe())


async def test_a_question_that_got_lost_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "ASK_AGAIN_S", 0.05)

    async def answer(number: int, writer: asyncio.StreamWriter) -> None:
        if number == 0:
            await asyncio.Event().wait()
        writer.write(OK)
        await writer.drain()

    async with serving(answer) as asked:
        await ready(asked.probe())


async def test_a_server_that_never_answers_is_asked_a_bounded_number_of_times_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(readiness, "ASK_AGAIN_S", 0.01)

    async def answer(_: int, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with serving(answer) as asked:
        probe = asked.probe()
        before = asyncio.all_tasks()
        waiting = asyncio.create_task(probe.wait())
        await until(lambda: bool(asked.paths))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(waiting, 0.5)
        assert 1 <= len(asked.paths) <= ASKED_AT_ONCE
        assert probe.finding == f"GET / on port {asked.port} has no answer yet"
        assert not [task for task in asyncio.all_tasks() - before if "probe" in task.get_name()]


@pytest.mark.parametrize("junk", [b"SSH-2.0-OpenSSH\r\n", b"FINE 200 OK\r\n", b"HTTP/1.1\r\n", b""])
async def test_what_does_not_speak_http_is_not_ready(junk: bytes) -> None:
    async with serving(always(junk)) as asked:
        probe = asked.probe()
        finding = f"what listens on port {asked.port} gives no answer in HTTP"
        await not_ready(probe, asked, 3, finding)


@needs_ipv6
async def test_a_server_on_ipv6_only_is_found_and_addressed_there() -> None:
    async with serving(always(OK), "::1") as asked:
        probe = asked.probe()
        await ready(probe)
        assert probe.address == f"http://[::1]:{asked.port}"


@contextmanager
def deaf_port() -> Iterator[socket.socket]:
    """Yield a socket that holds a port and does not listen yet."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.setblocking(False)
        yield held


async def accepted(server: socket.socket) -> tuple[str, socket.socket]:
    """Return the head of the next request, and its connection."""
    loop = asyncio.get_running_loop()
    connection, _ = await loop.sock_accept(server)
    connection.setblocking(False)
    return (await loop.sock_recv(connection, 4096)).decode(), connection


async def test_a_server_that_listens_later_is_asked_by_the_connection_that_found_it() -> None:
    with deaf_port() as server:
        probe = WebProbe(server.getsockname()[1], "/up", SystemClock(), nobody_else)
        waiting = asyncio.create_task(probe.wait())
        async with asyncio.timeout(BOUND_S):
            while not probe.finding.startswith("nothing listens"):  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            server.listen()
            head, connection = await accepted(server)  # another one would say nothing
            assert head.startswith("GET /up HTTP/1.1\r\n")
            with connection:
                await asyncio.get_running_loop().sock_sendall(connection, OK)
            await waiting


async def test_a_probe_that_is_given_up_leaves_no_connection() -> None:
    with deaf_port() as server:
        server.listen()
        probe = WebProbe(server.getsockname()[1], "/", SystemClock(), nobody_else)
        before = len(os.listdir("/proc/self/fd"))
        waiting = asyncio.create_task(probe.wait())
        await asyncio.sleep(0)  # it has knocked by now, and its question has not begun
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert len(os.listdir("/proc/self/fd")) == before


async def test_nobody_on_the_port_is_said() -> None:
    with socket.socket() as held:  # bound and deaf: nobody else gets it meanwhile
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        probe = WebProbe(port, "/", SystemClock(), nobody_else)
        assert not await probe.ask()
        assert probe.finding.startswith(f"nothing listens on port {port}")


async def test_an_answer_of_somebody_else_ends_the_wait_at_once() -> None:
    told: list[tuple[str, int]] = []

    def foreign(host: str, port: int) -> str | None:
        told.append((host, port))
        return "nginx (pid 7)"

    async with serving(always(OK)) as asked:
        probe = asked.probe(foreign=foreign)
        with pytest.raises(PortTaken, match=r"nginx \(pid 7\)"):
            await ready(probe)
        assert told == [("127.0.0.1", asked.port)]
        assert probe.address is None


# Of a ready one -----------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [200, 204, 302, 401, 404, 429])
async def test_any_answer_that_is_no_failure_of_the_server_shows_that_it_lives(code: int) -> None:
    async with serving(always(status(code))) as asked:
        assert await asked.probe().check(BOUND_S) is None


@pytest.mark.parametrize(
    ("data", "finding"),
    [
        (status(500), "answers 500"),
        (status(503), "answers 503"),
        (b"hello\n", "not answered in HTTP"),
    ],
)
async def test_an_answer_that_tells_of_a_failure_is_a_miss(data: bytes, finding: str) -> None:
    async with serving(always(data)) as asked:
        found = await asked.probe("/healthz").check(BOUND_S)
        assert found is not None and finding in found
        assert f"GET /healthz on port {asked.port}" in found


async def test_no_answer_in_time_is_a_miss() -> None:
    async def hang(_: int, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with serving(hang) as asked:
        found = await asked.probe().check(0.05)
        assert found is not None and "has no answer within 0.05 s" in found


async def test_nobody_on_its_port_is_a_miss() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    found = await WebProbe(port, "/", SystemClock(), nobody_else).check(BOUND_S)
    assert found is not None and "cannot be asked" in found
