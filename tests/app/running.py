"""Running apps inside a test: up to the moment in which they serve, and then to their end."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from roost import App
from roost.lifecycle import STOP_SIGNALS

LIMIT_S = 45.0
"""Bounds every wait; far above what a busy machine takes."""

Check = Callable[[], Awaitable[None] | None]


def lab(*, startup_timeout_s: float = LIMIT_S) -> App:
    """Return an app whose deadline, which ends the process, is far away."""
    return App("lab", startup_timeout_s=startup_timeout_s, stop_deadline_s=10 * LIMIT_S)


def when_serving(app: App, check: Check | None = None) -> App:
    """Let an app stop once it serves, after a check."""

    async def look_and_stop() -> None:
        try:
            if check is not None and (answer := check()) is not None:
                await answer
        finally:
            app.stop()

    app.lifecycle.add("test", server_did_ready=look_and_stop)
    return app


@contextmanager
def own_signals() -> Iterator[None]:
    """Give the process its signal handlers back: an app that was ended by signal ignores them."""
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """Answer every request with its path; an ASGI application without a lifespan."""
    if scope["type"] != "http":
        raise RuntimeError("HTTP only")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode()})


def request(url: str | None, path: str = "/", *, keep: bool = False) -> socket.socket:
    """Send one request; who gives the connection back closes it."""
    address = urlsplit(url or "")
    sock = socket.create_connection((address.hostname, address.port), timeout=LIMIT_S)
    wish = "keep-alive" if keep else "close"
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: lab\r\nConnection: {wish}\r\n\r\n".encode())
    return sock


def read_until(sock: socket.socket, end: bytes) -> bytes:
    """Read up to some bytes, or to the end of the connection where they never come."""
    found = b""
    while not (end and found.endswith(end)) and (more := sock.recv(1 if end else 4096)):
        found += more
    return found


def get(url: str | None, path: str = "/") -> str:
    """Return the whole answer to one request."""
    with request(url, path) as sock:
        return read_until(sock, b"").decode()


async def fetch(url: str | None, path: str = "/") -> str:
    """Do the same beside the event loop in which the app serves."""
    return await asyncio.to_thread(get, url, path)


def is_free(port: int) -> bool:
    """Say whether somebody else could listen on a port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen()
        except OSError:
            return False
        return True


@contextmanager
def taken_port() -> Iterator[int]:
    """Give a port that somebody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        yield sock.getsockname()[1]
