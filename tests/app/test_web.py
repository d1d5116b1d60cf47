"""Web apps: the port, the application's own start and end, and what is cut at the close."""

import asyncio
import logging
import signal
import socket
from collections.abc import AsyncIterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route
from tests.app.running import (
    LIMIT_S,
    fetch,
    get,
    hello,
    is_free,
    lab,
    read_until,
    request,
    taken_port,
    when_serving,
)

from roost import App
from roost.errors import BadInput, BadPort
from roost.models.port import parse_port


def web_app(application: Any = hello) -> App:
    """Return an app that listens on any free port."""
    app = lab()
    app.web(application, port=0)
    return app


def test_a_web_app_listens_on_any_free_port_and_gives_it_back() -> None:
    app = web_app()
    seen: list[str] = []

    async def check() -> None:
        seen.extend([app.url or "", await fetch(app.url, "/greeting")])

    assert when_serving(app, check).run() == 0
    url, answer = seen
    assert answer.startswith("HTTP/1.1 200") and answer.endswith("/greeting\r\n0\r\n\r\n")
    assert "\r\ndate: " in answer.lower()
    assert app.url is None and is_free(urlsplit(url).port or 0)


@pytest.mark.parametrize(
    "text", ["3000abc", "70000", "-1", " 80", "8 0", "+80", "٣", "1e3", "0x50"]
)
def test_a_port_that_is_none_is_refused_in_one_sentence(
    text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PORT", text)
    assert web_app().run() == 2
    told = capsys.readouterr().err
    assert told == (
        f"the component 'web server' failed in config_did_load: {text!r} is not a port; give a "
        "number from 1 to 65535, or 0 for any free one\n"
    )


@pytest.mark.parametrize(
    ("given", "port"), [(None, "8000"), ("", "8000"), ("0", "any"), ("8080", "8080")]
)
def test_a_port_is_taken_from_the_environment_or_else_from_the_code(
    given: str | None,
    port: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It ends before it listens: somebody may have these very ports."""
    caplog.set_level(logging.INFO)
    if given is not None:
        monkeypatch.setenv("PORT", given)
    app = lab()
    app.web(hello)
    app.hook("did_load")(app.stop)
    app.hook("will_ready")(asyncio.Event().wait)
    assert app.run() == 0
    assert f"kind=web host=127.0.0.1 port={port} " in caplog.text


@pytest.mark.parametrize(
    ("text", "port"),
    [(None, 3000), ("", 3000), ("0", 0), ("8080", 8080), ("65535", 65535), ("1", 1)],
)
def test_a_port_is_parsed(text: str | None, port: int) -> None:
    assert parse_port(text, 3000) == port


@pytest.mark.parametrize("text", ["3000abc", "65536", "70000", "-1", "1" * 5000])
def test_a_text_that_is_no_port_is_not_parsed(text: str) -> None:
    with pytest.raises(BadPort):
        parse_port(text, 3000)


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_in_the_code_that_is_none_is_refused_there(port: int) -> None:
    with pytest.raises(BadPort):
        lab().web(hello, port=port)


def test_the_port_of_the_environment_is_the_one_that_is_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = web_app()
    seen: list[int | None] = []
    when_serving(app, lambda: seen.append(urlsplit(app.url).port))
    for _ in range(10):  # somebody else may take it between the choice and the start
        with taken_port() as port:
            monkeypatch.setenv("PORT", str(port))
        if app.run() == 0:
            break
    assert seen == [port]


def test_a_port_that_somebody_has_is_named_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with taken_port() as port:
        monkeypatch.setenv("PORT", str(port))
        assert web_app().run() == 1
    told = capsys.readouterr().err
    assert told == (
        f"the component 'web server' failed in listen: 'lab' cannot listen on port {port} of "
        "127.0.0.1: Address already in use. End what uses it, or set PORT to another one; 0 takes "
        "any that is free\n"
    )


def test_an_address_that_is_not_of_this_machine_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    app = lab()
    app.web(hello, port=0, host="192.0.2.1")
    assert app.run() == 1
    assert "cannot listen on port 0 of 192.0.2.1: Cannot assign" in capsys.readouterr().err


def test_an_address_of_the_sixth_version_is_written_as_one() -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 on this machine")
    app = lab()
    app.web(hello, port=0, host="::1")
    seen: list[str] = []

    async def check() -> None:
        seen.extend([app.url or "", await fetch(app.url, "/six")])

    assert when_serving(app, check).run() == 0
    assert seen[0].startswith("http://[::1]:") and "/six" in seen[1]


def test_an_app_has_one_web_application() -> None:
    with pytest.raises(BadInput, match="has a web application already"):
        web_app().web(hello)


def test_the_application_starts_before_it_is_asked_and_ends_before_the_store_closes() -> None:
    trace: list[str] = []

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        trace.append("application starts")
        yield
        trace.append("application ends")

    app = web_app(Starlette(lifespan=lifespan))

    @app.hook("did_load")
    def open_store() -> None:
        trace.append("store opens")
        app.on_close(lambda: trace.append("store closes"))

    when_serving(app, lambda: trace.append("serves"))
    assert app.run() == 0
    assert trace == [
        "store opens",
        "application starts",
        "serves",
        "application ends",
        "store closes",
    ]


def test_an_application_that_fails_in_its_own_start_ends_the_app(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        raise ValueError("no database")
        yield

    app = web_app(Starlette(lifespan=lifespan))
    assert app.run() == 1
    assert "the web application of 'lab' failed in its own start-up" in capsys.readouterr().err
    assert "ValueError: no database" in caplog.text
    assert app.url is None


def test_the_signals_stay_with_the_app_while_it_serves() -> None:
    plain, web = lab(), web_app()
    seen: list[str] = []
    for app in (plain, web):
        when_serving(
            app, lambda: seen.append(repr(signal.getsignal(signal.SIGTERM)).split(" of ")[0])
        )
        app.run()
    assert seen[0] == seen[1] and "StopSignals" in seen[0]


def test_an_answer_under_way_is_finished_before_the_close_goes_on() -> None:
    is_asked, may_answer = asyncio.Event(), asyncio.Event()
    trace: list[str] = []

    async def slow(_: Any) -> PlainTextResponse:
        is_asked.set()
        await may_answer.wait()
        trace.append("answered")
        return PlainTextResponse("done")

    app = web_app(Starlette(routes=[Route("/", slow)]))

    @app.hook("did_load")
    def open_store() -> None:
        app.on_close(lambda: trace.append("store closes"))

    @app.worker
    async def answer_when_stopping() -> None:
        await app.stopping.wait()
        may_answer.set()

    with ThreadPoolExecutor(1) as client:
        answers: list[Future[str]] = []

        async def ask() -> None:
            answers.append(client.submit(get, app.url))
            await is_asked.wait()

        assert when_serving(app, ask).run() == 0
        assert answers[0].result(LIMIT_S).endswith("done")
    assert trace == ["answered", "store closes"]


@pytest.mark.usefixtures("short_grace")
def test_an_answer_that_does_not_end_is_cut() -> None:
    trace: list[str] = []

    async def body() -> AsyncIterator[str]:
        try:
            yield "tick\n"
            await asyncio.Event().wait()
        finally:
            trace.append("cut")

    async def stream(_: Any) -> StreamingResponse:
        return StreamingResponse(body())

    app = web_app(Starlette(routes=[Route("/", stream)]))
    viewers: list[socket.socket] = []

    def watch() -> None:
        viewers.append(request(app.url))
        assert read_until(viewers[0], b"tick\n").endswith(b"tick\n")

    assert when_serving(app, lambda: asyncio.to_thread(watch)).run() == 0
    with viewers[0] as viewer:
        assert is_cut(viewer)
    assert trace == ["cut"] and app.url is None


@pytest.mark.usefixtures("short_grace")
def test_an_answer_that_does_not_look_at_its_connection_is_cancelled() -> None:
    has_begun = asyncio.Event()
    trace: list[str] = []

    async def deaf(_: Any) -> PlainTextResponse:
        has_begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            trace.append("cancelled")
        return PlainTextResponse("never")

    app = web_app(Starlette(routes=[Route("/", deaf)]))
    viewers: list[socket.socket] = []

    async def watch() -> None:
        viewers.append(await asyncio.to_thread(request, app.url))
        await has_begun.wait()

    assert when_serving(app, watch).run() == 0
    with viewers[0] as viewer:
        assert is_cut(viewer)
    assert trace == ["cancelled"]


def is_cut(sock: socket.socket) -> bool:
    """Say whether nothing more of an answer comes; what is cut may end in a reset."""
    try:
        found = read_until(sock, b"")
        return b"tick" not in found and b"never" not in found
    except ConnectionResetError:
        return True


def test_an_idle_connection_does_not_hold_the_close_up() -> None:
    app = web_app()
    kept: list[socket.socket] = []

    def connect() -> None:
        kept.append(request(app.url, keep=True))
        assert b" 200 " in read_until(kept[0], b"\r\n\r\n")

    assert when_serving(app, lambda: asyncio.to_thread(connect)).run() == 0
    with kept[0] as connection:
        read_until(connection, b"")  # it was closed, so this ends
