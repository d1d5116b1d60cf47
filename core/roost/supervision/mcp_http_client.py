"""`WatchedClient`: the HTTP client of one session, which knows how the last request fared.

A request that fails on its way is answered here, as one whose answer will never come. So it ends by
itself, and the session with the calls beside it lives on until it is known that nobody answers any
more.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
from mcp_types import CONNECTION_CLOSED

from roost.supervision.link import Finding

CONNECT_S = 10.0
"""Until a connection stands; what answers slower over a network answers no call in time."""

KEEP_ALIVE_S = 2.0
"""Idle connections are left before the server does: common ones close after 5 s, and a request that
meets the closing is lost."""

MAX_BODY_BYTES = 64 * 1024 * 1024
"""An answer beyond this ends the request: it is broken or hostile."""

FINDING = "roost.finding"
"""Extension of a response: what is wrong with it, or None."""

_ANSWERS_MCP = ("application/json", "text/event-stream")

_PASSING = (429, 502, 503, 504)
"""Answers that a busy server, or a gateway before one that is away, gives for a while."""


class WatchedClient(httpx2.AsyncClient):
    """Sends the requests of one session and watches how they fare.

    Args:
        address: how sentences name the server.
        headers: sent with every request; never with one to another host, for redirects that leave
            the server are not followed.
        is_loopback: whether the server is on this machine, where no proxy has a say.
        trust: whose certificates are trusted.
        on_trouble: called when a connection failed or ended.
    """

    def __init__(
        self,
        address: str,
        *,
        headers: dict[str, str],
        is_loopback: bool,
        trust: ssl.SSLContext,
        on_trouble: Callable[[], None],
    ) -> None:
        limits = httpx2.Limits(
            max_connections=None, max_keepalive_connections=20, keepalive_expiry=KEEP_ALIVE_S
        )
        super().__init__(
            # A compressed answer could be of any size once it is unpacked.
            headers=httpx2.Headers(
                {"user-agent": "roost", **_lowered(headers), "accept-encoding": "identity"}
            ),
            limits=limits,
            timeout=httpx2.Timeout(None, connect=CONNECT_S),
            verify=trust,
            transport=_direct(trust, limits) if is_loopback else None,
        )
        self._address = address
        self._on_trouble = on_trouble
        self.finding: Finding | None = None
        """What was wrong with the last request; None when nothing was."""
        self.session_id: str | None = None
        """As the server named the session at its beginning."""
        self.is_session_gone = False
        """Whether the server has said that it does not know the session any more."""

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """Send a request; one that fails on its way has an answer that says so."""
        try:
            response = await super().send(request, **options)
        except httpx2.TransportError as error:
            self.finding = finding_of(self._address, error)
            self._on_trouble()
            return _lost(request, self.finding)
        self._notice(request, response)
        if not response.is_closed:
            response.stream = _Watched(
                response.stream, _bound_of(response), self._on_trouble, _is_endless(response)
            )
        return response

    def _notice(self, request: httpx2.Request, response: httpx2.Response) -> None:
        self.session_id = response.headers.get("mcp-session-id") or self.session_id
        if request.method != "POST":
            return
        self.finding = _finding_of_answer(self._address, response)
        response.extensions[FINDING] = self.finding
        if response.status_code == 404 and "mcp-session-id" in request.headers:
            self.is_session_gone = True
            self.finding = Finding("session_lost", f"{self._address} has forgotten the session")
            response.extensions[FINDING] = self.finding
            self._on_trouble()


class _Watched(httpx2.AsyncByteStream):
    """Hands a body on up to a bound, and tells when it breaks off."""

    def __init__(
        self,
        body: Any,
        bound: int | None,
        on_trouble: Callable[[], None],
        is_endless: bool,
    ) -> None:
        self._body = body
        self._bound = bound
        self._on_trouble = on_trouble
        self._is_endless = is_endless

    async def __aiter__(self) -> AsyncIterator[bytes]:
        total = 0
        try:
            async for chunk in self._body:
                total += len(chunk)
                if self._bound is not None and total > self._bound:
                    raise httpx2.StreamError(f"the answer is over {self._bound} bytes")
                yield chunk
        except httpx2.TransportError:
            self._on_trouble()
            raise
        if self._is_endless:
            self._on_trouble()

    async def aclose(self) -> None:
        await self._body.aclose()


def _direct(trust: ssl.SSLContext, limits: httpx2.Limits) -> httpx2.AsyncHTTPTransport:
    """Return a transport that no proxy variable has a say in."""
    return httpx2.AsyncHTTPTransport(verify=trust, limits=limits)


async def trust_for(url: httpx2.URL) -> ssl.SSLContext:
    """Return whose certificates are trusted: this machine's authorities, or SSL_CERT_FILE's.

    Reading them takes a tenth of a second, so a thread does it. A server of this machine without
    TLS needs none, and is trusted with none.
    """
    if url.scheme == "http" and is_loopback(url.host):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return await asyncio.to_thread(httpx2.create_ssl_context)


def _lowered(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _bound_of(response: httpx2.Response) -> int | None:
    """Return the bound of a body; events have one each, and their stream has none."""
    kind = response.headers.get("content-type", "").lower()
    return None if kind.startswith("text/event-stream") else MAX_BODY_BYTES


def _is_endless(response: httpx2.Response) -> bool:
    """Whether it is the stream on which the server speaks first: its end tells something."""
    return response.request.method == "GET" and response.status_code == 200


def _lost(request: httpx2.Request, finding: Finding) -> httpx2.Response:
    error = {"code": CONNECTION_CLOSED, "message": finding.clause}
    body = json.dumps({"jsonrpc": "2.0", "id": None, "error": error})
    headers = {"content-type": "application/json"}
    extensions = {FINDING: finding}
    return httpx2.Response(
        503, headers=headers, content=body.encode(), request=request, extensions=extensions
    )


def _finding_of_answer(address: str, response: httpx2.Response) -> Finding | None:
    status = response.status_code
    kind = response.headers.get("content-type", "").lower()
    if status in (401, 403):
        word = "unauthorized" if status == 401 else "forbidden"
        return Finding("unauthorized", f"{address} answers {status} ({word})")
    if 300 <= status < 400:
        place = _origin(response)
        return Finding(
            "redirected",
            f"{address} sends elsewhere ({status}{place}), where its headers must not go",
        )
    if status in _PASSING or status >= 500:
        return Finding("unavailable", f"{address} answers {status}")
    if status >= 400 and not kind.startswith("application/json"):
        return Finding("not_mcp", f"{address} answers {status} and nothing of MCP")
    if status == 200 and not kind.startswith(_ANSWERS_MCP):
        named = kind.partition(";")[0][:40] or "nothing"
        return Finding("not_mcp", f"{address} answers with {named} and not with MCP")
    return None


def _origin(response: httpx2.Response) -> str:
    """Return where a redirect leads, without what may be secret in it."""
    try:
        target = response.request.url.join(response.headers.get("location", ""))
    except httpx2.InvalidURL:
        return ""
    return f" to {target.scheme}://{target.netloc.decode('ascii', 'replace').rpartition('@')[2]}"


def finding_of(address: str, error: BaseException) -> Finding:
    """Say what kept a request from its server."""
    cause = _root(error)
    if isinstance(cause, ConnectionRefusedError):
        return Finding("refused", f"nothing listens at {address} (connection refused)")
    if isinstance(cause, ssl.SSLCertVerificationError):
        why = cause.verify_message
        return Finding("certificate", f"the certificate of {address} is not trusted ({why})")
    if isinstance(cause, ssl.SSLError):
        return Finding("unreachable", f"{address} does not speak TLS")
    if isinstance(cause, socket.gaierror):
        return Finding("unknown_host", f"the host of {address} is not known")
    if isinstance(error, httpx2.TimeoutException):
        return Finding("timeout", f"{address} takes no connection within {CONNECT_S:g} s")
    if isinstance(error, httpx2.ProxyError):
        return Finding("unreachable", f"the proxy does not reach {address}")
    if isinstance(error, httpx2.RemoteProtocolError):
        return Finding("unreachable", f"{address} closes the connection or does not speak HTTP")
    detail = cause.strerror if isinstance(cause, OSError) and cause.strerror else ""
    told = f" ({detail})" if detail else ""
    return Finding("unreachable", f"{address} cannot be reached{told}")


def _root(error: BaseException) -> BaseException:
    """Return the first cause; libraries wrap what the system said several times."""
    seen = {id(error)}
    while True:
        group = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
        cause = error.__cause__ or error.__context__ or (group[0] if group else None)
        if cause is None or id(cause) in seen:
            return error
        seen.add(id(cause))
        error = cause


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, which no proxy stands before."""
    if host.lower() == "localhost" or host.lower().endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
