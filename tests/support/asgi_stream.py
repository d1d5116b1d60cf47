"""A viewer of one ASGI response that tests end in every way a real one can end."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import ASGIApp, Message, Scope


class AsgiViewer:
    """Runs a response in a task and keeps what it sends."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.pieces: list[bytes] = []
        self.is_complete = False
        self.is_broken = False
        self._has_left = asyncio.Event()
        self._takes_more = asyncio.Event()
        self._takes_more.set()
        self._task: asyncio.Task[None] | None = None

    async def open(self, app: ASGIApp, scope: Scope | None = None) -> None:
        """Start the response and let it send what it has."""
        given = scope or {"type": "http", "method": "GET", "path": "/", "headers": []}
        self._task = asyncio.create_task(_run(app, given, self))
        await settle()

    def leave(self) -> None:
        """Drop the connection."""
        self._has_left.set()

    def stall(self) -> None:
        """Take nothing more, so that whoever sends has to wait."""
        self._takes_more.clear()

    def go_on(self) -> None:
        """Take what waits, and what comes."""
        self._takes_more.set()

    def cancel(self) -> None:
        """Cancel the response from outside."""
        assert self._task is not None
        self._task.cancel()

    async def ended(self) -> BaseException | None:
        """Wait for the end of the response and return what it raised."""
        assert self._task is not None
        async with asyncio.timeout(5):
            outcome = await asyncio.gather(self._task, return_exceptions=True)
        return outcome[0]

    async def receive(self) -> Message:
        await self._has_left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        await self._takes_more.wait()
        if self.is_broken:
            raise BrokenPipeError
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        if message["body"]:
            self.pieces.append(message["body"])
        self.is_complete = not message["more_body"]


async def _run(app: Any, scope: Scope, viewer: AsgiViewer) -> None:
    await app(scope, viewer.receive, viewer.send)


async def settle() -> None:
    """Let every task that can run do so."""
    for _ in range(20):
        await asyncio.sleep(0)
