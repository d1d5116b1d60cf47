"""The outermost layer: bodies have a limit, and no fault leaves as anything but an error answer."""

from __future__ import annotations

import logging

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from roost.api.refusals import internal_error, refusal
from roost.errors import BadInput

logger = logging.getLogger(__name__)

BODY_LIMIT = 4 * 1024 * 1024
"""Bytes; the largest honest bodies are arguments of tool calls, some hundred KiB."""


class Gate:
    """ASGI layer that reads the whole body first, so that the application never meets a huge one.

    Args:
        app: the application behind it.
        limit: largest body in bytes.
    """

    def __init__(self, app: ASGIApp, limit: int = BODY_LIMIT) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            body = await self._read_body(scope, receive)
        except _CallerLeft:
            return
        if body is None:
            error = BadInput(f"the body is larger than {self._limit} bytes; send a smaller one")
            await refusal(error, 413, {"connection": "close"})(scope, receive, send)
            return
        await self._answer(scope, _Replay(body, receive), _Watched(send))

    async def _read_body(self, scope: Scope, receive: Receive) -> bytes | None:
        if _announced_length(scope) > self._limit:
            return None
        pieces: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _CallerLeft
            piece = message.get("body", b"")
            size += len(piece)
            if size > self._limit:
                return None
            pieces.append(piece)
            if not message.get("more_body", False):
                return b"".join(pieces)

    async def _answer(self, scope: Scope, receive: Receive, send: _Watched) -> None:
        try:
            await self._app(scope, receive, send)
        except Exception:
            logger.exception("%s %s failed", scope["method"], scope["path"])
            if send.has_started:
                raise
            await refusal(internal_error())(scope, receive, send)


class _CallerLeft(Exception):
    """The connection ended before the request was complete; half a request is none."""


class _Replay:
    """Hands the body out once, then what the connection says."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


class _Watched:
    """Remembers whether the response has begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.has_started = False

    async def __call__(self, message: Message) -> None:
        self.has_started = True
        await self._send(message)


def _announced_length(scope: Scope) -> int:
    given = dict(scope["headers"]).get(b"content-length", b"0")
    return int(given) if given.isdigit() else 0
