"""One MCP session over HTTP, with a server of which every answer is written by hand."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.support.bare_http import (
    Answer,
    BareServer,
    Request,
    answer,
    bare_server,
    handshake,
    result,
    self_signed,
)
from tests.support.http_servers import free_port
from tests.support.processes import until

from roost.models import RunProgress
from roost.supervision import mcp_http, mcp_http_client
from roost.supervision.link import CallAnswer, CallEnded, HandshakeFailed
from roost.supervision.liveness import ask_server
from roost.supervision.mcp_http import HttpLinkOwner
from roost.supervision.mcp_link import McpLink

SECRET = "tok-93b1f0c2"


def owner_of(url: str, era: str | None = "2025-06-18") -> HttpLinkOwner:
    return HttpLinkOwner(
        url, url, headers={"Authorization": f"Bearer {SECRET}"}, era=era, client_version="0"
    )


@asynccontextmanager
async def session(answers: Answer) -> AsyncIterator[tuple[BareServer, HttpLinkOwner, McpLink]]:
    """Open a session with a server and leave no task, within a bound."""
    tasks = asyncio.all_tasks()
    async with asyncio.timeout(30), bare_server(answers) as server:
        owner = owner_of(server.url)
        try:
            yield server, owner, await owner.open()
        finally:
            await owner.close()
    await gone(tasks)


async def gone(tasks: "set[asyncio.Task[object]]") -> None:
    """Wait until only these tasks are left."""
    await until(lambda: not asyncio.all_tasks() - tasks)


async def call(link: McpLink) -> CallAnswer:
    return await link.call("echo", {}, lambda progress: None)


async def refusal(answers: Answer) -> HandshakeFailed:
    """Return how a handshake with such a server fails."""
    tasks = asyncio.all_tasks()
    async with asyncio.timeout(30), bare_server(answers) as server:
        owner = owner_of(server.url, None)
        with pytest.raises(HandshakeFailed) as failed:
            await owner.open()
        await owner.close()
        assert server.url in str(failed.value) and SECRET not in str(failed.value)
    await gone(tasks)
    return failed.value


async def test_every_request_brings_the_headers_and_the_session_is_ended_politely() -> None:
    async with session(handshake) as (server, owner, link):
        assert [tool.name for tool in link.tools] == ["echo"] and link.era == "2025-06-18"
        assert (await call(link)).text == "bare"
        await link.probe()
        await owner.close()
        assert {r.headers["authorization"] for r in server.requests} == {f"Bearer {SECRET}"}
        assert server.requests[-1].method == "DELETE"
        assert server.requests[-1].headers["mcp-session-id"] == "s-1"
        with pytest.raises(CallEnded):
            await call(link)


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (401, b"", "text/plain", "unauthorized"),
        (403, b"{}", "application/json", "unauthorized"),
        (404, b"no", "text/plain", "not_mcp"),
        (200, b"<html>", "text/html", "not_mcp"),
        (503, b"", "text/plain", "unavailable"),
    ],
)
async def test_what_is_no_mcp_server_is_told_by_what_it_answers(
    status: int, body: bytes, kind: str, code: str
) -> None:
    failed = await refusal(lambda request: answer(status, body, Content_Type=kind))
    assert failed.code == code


async def test_an_answer_that_is_no_json_is_not_shown() -> None:
    tasks = asyncio.all_tasks()
    text = answer(200, b"{secret-abc", Content_Type="application/json")
    async with asyncio.timeout(30), bare_server(lambda request: text) as server:
        owner = owner_of(server.url)
        with pytest.raises(HandshakeFailed, match="not MCP") as failed:
            await owner.open()
        assert "secret-abc" not in str(failed.value)
        await owner.close()
    await gone(tasks)


async def test_a_redirect_to_another_host_is_not_followed_and_gets_no_header() -> None:
    async with bare_server(handshake) as other:

        def elsewhere(request: Request) -> bytes:
            return answer(307, Location=f"http://localhost:{other.port}/mcp?key={SECRET}")

        failed = await refusal(elsewhere)
        assert failed.code == "redirected" and str(other.port) in str(failed)
        assert other.requests == []


async def test_nobody_who_listens_is_told_as_a_refused_connection() -> None:
    owner = owner_of(f"http://127.0.0.1:{free_port()}/mcp")
    with pytest.raises(HandshakeFailed, match="nothing listens") as failed:
        await owner.open()
    assert failed.value.code == "refused"
    await owner.close()


async def test_an_opening_that_is_given_up_leaves_no_task() -> None:
    tasks = asyncio.all_tasks()
    async with bare_server(lambda request: None) as server:
        owner = owner_of(server.url)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await owner.open()
        async with asyncio.timeout(30):
            await owner.close()
    await gone(tasks)


async def test_a_call_whose_connection_breaks_is_lost_and_the_session_goes_on() -> None:
    async with session(handshake) as (server, _, link):

        def breaks(request: Request) -> bytes | None:
            if request.asks != "tools/call":
                return handshake(request)
            for writer in server.writers:
                writer.transport.abort()
            return None

        server.answers = breaks
        with pytest.raises(CallEnded) as ended:
            await call(link)
        assert ended.value.code == "lost"
        server.answers = handshake
        assert (await call(link)).text == "bare"


async def test_a_server_that_goes_away_ends_the_session_and_every_call_within_a_moment() -> None:
    tasks = asyncio.all_tasks()
    async with asyncio.timeout(30):
        async with bare_server(handshake) as server:
            owner = owner_of(server.url)
            link = await owner.open()
            server.answers = lambda r: None if r.asks == "tools/call" else handshake(r)
            calls = [asyncio.create_task(call(link)) for _ in range(5)]
            await until(lambda: sum(r.asks == "tools/call" for r in server.requests) == 5)
        ended = await asyncio.gather(*calls, return_exceptions=True)
        assert [getattr(e, "code", e) for e in ended] == ["lost"] * 5
        await owner.wait_ended()
        assert server.url in owner.loss and "refused" in owner.loss
        with pytest.raises(CallEnded):
            await link.probe()
        await owner.close()
    await gone(tasks)


async def test_a_session_that_the_server_has_forgotten_is_over() -> None:
    async with session(handshake) as (server, owner, link):
        forgotten = answer(404, b"{}", Content_Type="application/json")
        server.answers = lambda request: forgotten
        with pytest.raises(CallEnded, match="forgotten the session"):
            await link.probe()
        await owner.wait_ended()
        assert "forgotten the session" in owner.loss


@pytest.mark.parametrize(
    ("text", "evidence"),
    [
        (answer(401), "answers 401"),
        (answer(502, b"bad", Content_Type="text/html"), "answers 502"),
        (None, "no answer to ping within 0.2 s"),
    ],
)
async def test_a_probe_is_missed_by_what_is_no_answer(text: bytes | None, evidence: str) -> None:
    async with session(handshake) as (server, _, link):
        server.answers = lambda request: text
        assert evidence in str(await ask_server(link, 0.2))
        server.answers = handshake
        assert await ask_server(link, 5.0) is None


async def test_too_many_requests_are_an_error_of_the_call_and_nothing_else() -> None:
    async with session(handshake) as (server, _, link):
        server.answers = lambda r: answer(429) if r.asks == "tools/call" else handshake(r)
        assert (await call(link)).is_error
        server.answers = handshake
        assert (await call(link)).text == "bare"


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
async def test_an_answer_over_the_bound_is_an_error_of_its_call(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(mcp_http_client, "MAX_BODY_BYTES", 20_000)
    monkeypatch.setattr(mcp_http, "MAX_MESSAGE_BYTES", 20_000)
    long = {"content": [{"type": "text", "text": "x" * 50_000}]}

    def floods(request: Request) -> bytes:
        if request.asks != "tools/call":
            return handshake(request)
        body = result(request, long).partition(b"\r\n\r\n")[2]
        if kind == "text/event-stream":
            body = b"event: message\ndata: " + body + b"\n\n"
        return answer(200, body, Content_Type=kind)

    async with session(handshake) as (server, _, link):
        server.answers = floods
        assert (await call(link)).is_error
        server.answers = handshake
        assert (await call(link)).text == "bare"


async def test_an_event_of_three_megabytes_passes() -> None:
    long = {"content": [{"type": "text", "text": "x" * 3_000_000}]}

    def talks(request: Request) -> bytes:
        if request.asks != "tools/call":
            return handshake(request)
        body = result(request, long).partition(b"\r\n\r\n")[2]
        return answer(200, b"data: " + body + b"\n\n", Content_Type="text/event-stream")

    async with session(talks) as (_, _, link):
        assert len((await call(link)).text) == 3_000_000


async def test_a_server_of_this_machine_is_never_asked_through_a_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with bare_server(lambda request: answer(502)) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        async with session(handshake) as (_, _, link):
            assert (await call(link)).text == "bare"
        assert proxy.requests == []


async def test_a_cancelled_call_is_cancelled_at_the_server_too() -> None:
    async with session(handshake) as (server, _, link):
        server.answers = lambda r: None if r.asks == "tools/call" else handshake(r)
        steps: list[RunProgress] = []
        work = asyncio.create_task(link.call("echo", {}, steps.append))
        await until(lambda: server.was_asked("tools/call"))
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        await until(lambda: server.was_asked("notifications/cancelled"))
        assert link.in_flight == 0
        server.answers = handshake
        assert (await call(link)).text == "bare"


async def test_a_certificate_that_is_not_trusted_is_refused_and_a_named_authority_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, context = self_signed(tmp_path)
    async with bare_server(handshake, tls=context) as server:
        url = server.url.replace("http://", "https://")
        monkeypatch.delenv("SSL_CERT_FILE", raising=False)
        owner = owner_of(url)
        with pytest.raises(HandshakeFailed, match="not trusted") as failed:
            await owner.open()
        assert failed.value.code == "certificate"
        await owner.close()
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        owner = owner_of(url)
        async with asyncio.timeout(30):
            assert (await call(await owner.open())).text == "bare"
            await owner.close()


async def test_a_header_stands_once_in_a_request_however_it_is_written() -> None:
    async with asyncio.timeout(30), bare_server(handshake) as server:
        headers = {"User-Agent": "mine", "X-KEY": "k"}
        owner = HttpLinkOwner(server.url, server.url, headers=headers, era=None, client_version="0")
        await owner.open()
        await owner.close()
        assert {r.headers["user-agent"] for r in server.requests} == {"mine"}
        assert {r.headers["x-key"] for r in server.requests} == {"k"}
        assert {r.headers["accept-encoding"] for r in server.requests} == {"identity"}
