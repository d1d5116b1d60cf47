"""`McpHttp`: one MCP session over streamable HTTP, as the SDK's transport.

Whatever happens to the server, the session ends in order: its stream of messages closes, which
fails every waiting call, and `ended` is set.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import SessionMessage

from roost.supervision.link import CallEnded, Finding
from roost.supervision.mcp_http_client import FINDING, WatchedClient, is_loopback, trust_for
from roost.supervision.mcp_link import is_modern
from roost.supervision.mcp_pipes import FIRST_PROBE_ID, MAX_MESSAGE_BYTES
from roost.supervision.mcp_session import SessionTask
from roost.supervision.mcp_wire import Streams

LOOK_S = 5.0
"""How long a server whose connection broke has to show that it is there."""

BETWEEN_LOOKS_S = 0.5
LONGEST_PAUSE_S = 10.0
"""The pause doubles up to this: some servers end the stream on which they could speak all the
time."""

QUIET_S = 30.0
"""Trouble after this long is looked at without such a pause again."""

FAREWELL_S = 1.0
"""How long telling the server that the session is over may take."""

_GONE = ("refused", "session_lost")
"""Findings after which nothing can be asked of the session any more."""


class McpHttp:
    """Streamable HTTP to one URL, as the SDK's transport.

    Args:
        url: where the server answers.
        address: `url` as it may be shown.
        headers: sent with every request.
    """

    def __init__(self, url: str, address: str, headers: dict[str, str]) -> None:
        self._url = url
        self.address = address
        self._loop = asyncio.get_running_loop()
        self._trouble = asyncio.Event()
        self._leaving = asyncio.Event()
        self._probe_ids = itertools.count(FIRST_PROBE_ID)
        self._headers = headers
        self._client: WatchedClient | None = None
        self._failure: Finding | None = None
        """Why not even a client could be made, such as for a proxy of an unknown kind."""
        self.era: str | None = None
        """Protocol version, once it is agreed on."""
        self.heard_at = self._loop.time()
        """When the last message came, by the loop's clock."""
        self.ended = asyncio.Event()
        """Set when nothing can be asked any more."""
        self.loss = f"lost its connection to {address}"
        """Why it ended, as a clause after the bundle's name."""
        # What a server sends may hold anything, and the library logs what it cannot read.
        logging.getLogger("mcp.client.streamable_http").setLevel(logging.CRITICAL)

    @property
    def finding(self) -> Finding | None:
        """What was wrong with the last request; None when nothing was."""
        return self._client.finding if self._client is not None else self._failure

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[Streams, None]:
        to_session, session_reads = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        session_writes, from_session = anyio.create_memory_object_stream[SessionMessage](0)
        carrier = asyncio.create_task(self._carry(to_session, from_session), name="mcp-http")
        try:
            yield session_reads, session_writes
        finally:
            session_writes.close()
            self._leaving.set()
            with anyio.CancelScope(shield=True):
                await asyncio.wait({carrier}, timeout=FAREWELL_S)
                carrier.cancel()
                await asyncio.gather(carrier, return_exceptions=True)
            session_reads.close()

    async def _carry(self, to_session: Any, from_session: Any) -> None:
        """Carry messages until the session is left or lost; close the session's stream then."""
        try:
            async with to_session, from_session, await self._new_client() as client:
                self._client = client
                transport = streamable_http_client(
                    self._url, http_client=client, max_sse_event_size=MAX_MESSAGE_BYTES
                )
                async with transport as (reads, writes), anyio.create_task_group() as pumps:
                    pumps.start_soon(self._receive, reads, to_session)
                    pumps.start_soon(self._send, from_session, writes)
                    pumps.start_soon(self._see_end)
                    await self._leaving.wait()
                    pumps.cancel_scope.cancel()
        except Exception as error:  # noqa: BLE001 - top of a task; its end tells who waits
            kind = type(error).__name__
            self._failure = Finding("unreachable", f"{self.address} cannot be asked ({kind})")
        finally:
            self.ended.set()

    async def _new_client(self) -> WatchedClient:
        url = httpx2.URL(self._url)
        return WatchedClient(
            self.address,
            headers=self._headers,
            is_loopback=is_loopback(url.host),
            trust=await trust_for(url),
            on_trouble=self._trouble.set,
        )

    async def _receive(self, reads: Any, to_session: Any) -> None:
        async for message in reads:
            self.heard_at = self._loop.time()
            if isinstance(message, SessionMessage):
                await to_session.send(message)

    async def _send(self, from_session: Any, writes: Any) -> None:
        async for message in from_session:
            await writes.send(message)

    async def _see_end(self) -> None:
        """Look after every trouble whether the server is there; end the session if it is not."""
        pause_s, looked_at = BETWEEN_LOOKS_S, self._loop.time()
        while True:
            await self._trouble.wait()
            self._trouble.clear()
            if self.era is None:
                continue  # the handshake tells by itself
            if self._loop.time() - looked_at > QUIET_S:
                pause_s = BETWEEN_LOOKS_S
            finding = await self._look()
            if finding is not None and finding.code in _GONE:
                self.loss = f"lost its server: {finding.clause}"
                self.ended.set()
                self._leaving.set()
            looked_at = self._loop.time()
            await anyio.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    async def _look(self) -> Finding | None:
        assert self._client is not None
        if self._client.is_session_gone:
            return self._client.finding
        modern = is_modern(self.era or "")
        try:
            async with asyncio.timeout(LOOK_S):
                return await self._put(*(_BARE_DISCOVER if modern else ("ping", {})))
        except (TimeoutError, httpx2.HTTPError, httpx2.StreamError):
            return None

    async def ask(self, method: str, params: dict[str, Any]) -> None:
        """Put a probe past the session and return once it is answered; the caller bounds the wait.

        Raises:
            CallEnded: there was no answer, or one that no server of MCP gives.
        """
        try:
            finding = await self._put(method, params)
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            raise CallEnded("lost", f"{self.address} broke its answer off") from error
        if finding is not None:
            raise CallEnded("lost", finding.clause)

    async def _put(self, method: str, params: dict[str, Any]) -> Finding | None:
        """Put a request past the session; return what was wrong with it."""
        client = self._client
        if client is None or self.ended.is_set():
            raise CallEnded.lost()
        body = {"jsonrpc": "2.0", "id": next(self._probe_ids), "method": method, "params": params}
        request = client.build_request("POST", self._url, json=body, headers=self._of_probe(method))
        response = await client.send(request, stream=True)
        try:
            finding: Finding | None = response.extensions.get(FINDING)
            if finding is None:
                async for _ in response.aiter_bytes():
                    self.heard_at = self._loop.time()
                    break
            return finding
        finally:
            await response.aclose()

    def _of_probe(self, method: str) -> dict[str, str]:
        assert self._client is not None
        headers = {"accept": "application/json, text/event-stream"}
        if self.era is not None:
            headers["mcp-protocol-version"] = self.era
        if self._client.session_id is not None:
            headers["mcp-session-id"] = self._client.session_id
        if is_modern(self.era or ""):
            headers["mcp-method"] = method
        return headers


_BARE_DISCOVER: tuple[str, dict[str, Any]] = ("server/discover", {})
"""Any answer will do, one that refuses it too."""


class HttpLinkOwner(SessionTask):
    """Owns a session over HTTP from handshake to end.

    Args:
        url: where the server answers.
        address: `url` as it may be shown.
        headers: sent with every request.
    """

    def __init__(
        self,
        url: str,
        address: str,
        *,
        headers: dict[str, str],
        era: str | None,
        client_version: str,
        on_initialized: Callable[[], None] = lambda: None,
    ) -> None:
        wire = McpHttp(url, address, headers)
        super().__init__(
            wire, era=era, client_version=client_version, on_initialized=on_initialized
        )
