"""`HttpSocket`: requests and streams over the daemon's Unix socket, decoded into the models."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx

from roost.client.sse import ServerEvent, SseDecoder
from roost.errors import DaemonUnreachable, RoostError, Unavailable, error_from_wire
from roost.models.codec import WireError, from_json, to_json

CONNECT_TIMEOUT_S = 5.0
"""A live daemon accepts at once; this much covers a machine under heavy load."""

READ_TIMEOUT_S = 30.0
"""Reads are answered from memory or by one query."""

ACTION_TIMEOUT_S = 900.0
"""Actions wait for processes: a start may install packages first, and budgets are settable."""

IDLE_TIMEOUT_S = 60.0
"""An open stream carries a keep-alive comment every 25 s; two missed ones mean a dead daemon."""

KEEPALIVE_EXPIRY_S = 5.0
"""Well below the daemon's own limit, so that no request meets a connection about to be closed."""

_JSON = {"content-type": "application/json"}
_STREAM = {"accept": "text/event-stream"}

T = TypeVar("T")


class HttpSocket:
    """Connections to one daemon.

    Every method raises `DaemonUnreachable` when nobody answers, and the daemon's own error,
    rebuilt, when it answers with one.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        limits = httpx.Limits(
            max_connections=None,
            max_keepalive_connections=4,
            keepalive_expiry=KEEPALIVE_EXPIRY_S,
        )
        # No TLS is spoken here, and to load the certificates that are trusted takes 30 ms.
        transport = httpx.AsyncHTTPTransport(verify=False, uds=path, limits=limits)
        self._http = httpx.AsyncClient(
            transport=transport,
            base_url="http://roost",
            trust_env=False,
        )

    async def close(self) -> None:
        """Close the connections; safe to call twice."""
        await self._http.aclose()

    async def get(self, path: str, kind: type[T], query: dict[str, Any] | None = None) -> T:
        """Read a resource; query values that are None are left out."""
        return self.decoded(await self._request("GET", path, query, None, READ_TIMEOUT_S), kind)

    async def act(
        self,
        method: str,
        path: str,
        kind: type[T],
        body: object | None = None,
        *,
        query: dict[str, Any] | None = None,
    ) -> T:
        """Send a request that changes something and may wait for processes."""
        content = None if body is None else to_json(body)
        return self.decoded(
            await self._request(method, path, query, content, ACTION_TIMEOUT_S), kind
        )

    async def stream(
        self, path: str, query: dict[str, Any], *, body: object | None = None
    ) -> AsyncGenerator[ServerEvent, None]:
        """Yield the events of a stream until it ends; one that falls silent is lost.

        Args:
            path: path below the socket.
            query: query parameters.
            body: what is posted to begin something whose events follow; None only reads.
        """
        decoder = SseDecoder()
        timeout = httpx.Timeout(IDLE_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
        try:
            async with self._http.stream(
                "GET" if body is None else "POST",
                path,
                params=query,
                content=None if body is None else to_json(body),
                headers=_STREAM if body is None else _STREAM | _JSON,
                timeout=timeout,
            ) as answer:
                if not answer.is_success:
                    raise _refusal(answer.status_code, await answer.aread())
                async for chunk in answer.aiter_bytes():
                    for event in decoder.feed(chunk):
                        if event.name == "error":
                            raise _refusal(answer.status_code, event.data.encode())
                        yield event
        except httpx.TransportError as error:
            raise self._unreachable(error) from error

    def decoded(self, data: bytes | str, kind: type[T]) -> T:
        """Decode what the daemon sent."""
        try:
            return from_json(data, kind)
        except WireError as error:
            raise DaemonUnreachable(
                f"what answers on {self._path} does not speak as a Roost daemon of this version; "
                "compare the versions with `roost status`"
            ) from error

    async def _request(
        self,
        method: str,
        path: str,
        query: dict[str, Any] | None,
        content: bytes | None,
        timeout_s: float,
    ) -> bytes:
        given = {name: value for name, value in (query or {}).items() if value is not None}
        try:
            answer = await self._http.request(
                method,
                path,
                params=given,
                content=content,
                headers=_JSON if content is not None else None,
                timeout=httpx.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S),
            )
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        if answer.is_success:
            return answer.content
        raise _refusal(answer.status_code, answer.content)

    def _unreachable(self, error: httpx.TransportError) -> DaemonUnreachable:
        if isinstance(error, httpx.ConnectError):
            return DaemonUnreachable(
                f"no daemon answers on {self._path}; `roost` or `roost serve` starts one"
            )
        if isinstance(error, httpx.TimeoutException):
            return DaemonUnreachable(
                f"the daemon on {self._path} does not answer; `roost status` tells whether it is "
                "alive"
            )
        return DaemonUnreachable("the daemon went away before it had answered; try again")


@dataclass(frozen=True, slots=True)
class _Error:
    code: str
    message: str
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _ErrorAnswer:
    error: _Error


def _refusal(status: int, body: bytes) -> RoostError:
    try:
        error = from_json(body, _ErrorAnswer).error
    except WireError:
        return Unavailable(
            f"the daemon answered with status {status} and no reason; its log may say why",
            status=status,
        )
    return error_from_wire(error.code, error.message, error.details)
