"""`WireTap`: what comes on the wire for calls that their callers have given up.

The SDK drops late answers and late progress. Both tell whether a server heeds a cancellation, so
they are noticed here, between the session and what carries its messages, pipes or HTTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Any, Self

from mcp.shared.dispatcher import as_request_id, coerce_request_id
from mcp.shared.message import SessionMessage
from mcp_types import (
    CONNECTION_CLOSED,
    JSONRPCError,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
    RequestId,
)

from roost.models import RunProgress
from roost.supervision.mcp_wire import Streams, Wire

Report = Callable[[RunProgress], None]


class SentCall:
    """One call as it stands on the wire."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self.request_ids: list[RequestId] = []
        """Of its requests, the last one last; one that was asked for input makes another."""
        self.is_withdrawn = False
        """Whether its caller has cancelled it; the session tells nobody of it any more."""
        self.is_task = False
        """Whether the server made a task of it, whose state is asked for."""
        self.answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done once the server has answered its last request."""

    @property
    def was_sent(self) -> bool:
        """Whether the server may have heard of it."""
        return bool(self.request_ids)

    def note_request(self, number: RequestId) -> None:
        """Take note of a request, which is to be answered now."""
        self.request_ids.append(number)
        if self.answered.done():
            self.answered = asyncio.get_running_loop().create_future()

    def notice_answer(self) -> None:
        """Take note of the answer."""
        if not self.answered.done():
            self.answered.set_result(None)

    def notice_progress(self, params: dict[str, Any]) -> None:
        """Tell late progress; what comes in time is told by the session."""
        current, message = _number(params.get("progress")), params.get("message")
        if self.is_withdrawn and current is not None:
            told = message if isinstance(message, str) else None
            self._report(RunProgress(current, _number(params.get("total")), told))


_SENDING: ContextVar[SentCall | None] = ContextVar("sending", default=None)
"""The call for which the running task sends; the SDK tells no request ids."""


class WireTap:
    """Knows the calls whose answers a session owes; one that nobody follows is forgotten."""

    def __init__(self) -> None:
        self._calls: dict[RequestId, SentCall] = {}

    @contextmanager
    def following(self, report: Report) -> Iterator[SentCall]:
        """Know the requests that this task sends, and the tasks it makes, as one call.

        Args:
            report: told of progress after the call was withdrawn.
        """
        call = SentCall(report)
        token = _SENDING.set(call)
        try:
            yield call
        finally:
            _SENDING.reset(token)
            for number in call.request_ids:
                self._calls.pop(number, None)

    @asynccontextmanager
    async def open(self, wire: Wire) -> AsyncGenerator[Streams, None]:
        """Carry messages for the SDK as the wire does, and notice them."""
        async with wire.open() as (reads, writes):
            yield _Reads(reads, self._notice), _Writes(writes, self._note_request)

    def _note_request(self, item: SessionMessage) -> None:
        call, message = _SENDING.get(), item.message
        if call is None or not isinstance(message, JSONRPCRequest):
            return
        if message.method == "tools/call":
            number = coerce_request_id(message.id)
            call.note_request(number)
            self._calls[number] = call

    def _notice(self, item: SessionMessage | Exception) -> None:
        if not self._calls or isinstance(item, Exception):
            return
        match item.message:
            case JSONRPCResponse(id=number):
                self._notice_answer(number)
            # The SDK answers by itself for a stream that broke off: no word of the server's.
            case JSONRPCError(id=number, error=error) if error.code != CONNECTION_CLOSED:
                self._notice_answer(number)
            case JSONRPCNotification(method="notifications/progress", params=dict(params)):
                self._notice_progress(params)
            case _:
                pass

    def _notice_answer(self, number: RequestId | None) -> None:
        call = self._calls.pop(coerce_request_id(number), None) if number is not None else None
        if call is not None:
            call.notice_answer()

    def _notice_progress(self, params: dict[str, Any]) -> None:
        token = as_request_id(params.get("progressToken"))  # the SDK takes the request's id for it
        if token is not None:
            call = self._calls.get(coerce_request_id(token))
            if call is not None:
                call.notice_progress(params)


class _Reads:
    """Hands messages on to the session once they were noticed."""

    def __init__(self, inner: Any, notice: Callable[[SessionMessage | Exception], None]) -> None:
        self._inner = inner
        self._notice = notice

    async def receive(self) -> SessionMessage | Exception:
        item: SessionMessage | Exception = await self._inner.receive()
        self._notice(item)
        return item

    async def aclose(self) -> None:
        await self._inner.aclose()

    def __aiter__(self) -> _Reads:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        item: SessionMessage | Exception = await self._inner.__anext__()
        self._notice(item)
        return item

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._inner.__aexit__(*error)


class _Writes:
    """Notes messages of the session, then hands them on."""

    def __init__(self, inner: Any, note: Callable[[SessionMessage], None]) -> None:
        self._inner = inner
        self._note = note

    async def send(self, item: SessionMessage, /) -> None:
        self._note(item)
        await self._inner.send(item)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._inner.__aexit__(*error)


def _number(value: object) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    return None
