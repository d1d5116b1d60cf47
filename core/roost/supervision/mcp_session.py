"""`SessionTask`: the task that owns an MCP session, over pipes or HTTP, from handshake to end.

Importing this module imports the MCP SDK, which takes over half a second: do it in a thread. One
process has exactly one session, owned by one task: the SDK's scopes must be left by the task that
entered them, and a second session on used pipes would restart the request ids and could be handed
a late answer of the first.

Leaving the session never touches the process; closing stdin and signals are the driver's.
"""

from __future__ import annotations

import asyncio
import logging
import warnings
from collections.abc import Callable

from mcp import MCPError
from mcp.client import Client
from mcp_types import CONNECTION_CLOSED, PARSE_ERROR, Implementation, Tool
from pydantic import ValidationError

from roost.supervision.link import CallEnded, HandshakeFailed
from roost.supervision.mcp_link import McpLink, is_modern
from roost.supervision.mcp_pipes import McpPipes
from roost.supervision.mcp_tap import WireTap
from roost.supervision.mcp_tasks import ProgressRouter, TasksExtension
from roost.supervision.mcp_wire import Wire

_LEGACY = "legacy"

logger = logging.getLogger(__name__)


class SessionTask:
    """The task that owns a session from handshake to end.

    Args:
        wire: carries the session's messages.
        era: protocol version that the server answered with last; None when it is not known.
        client_version: told to the server.
        on_initialized: called between the handshake and the list of tools.
    """

    def __init__(
        self,
        wire: Wire,
        *,
        era: str | None,
        client_version: str,
        on_initialized: Callable[[], None],
    ) -> None:
        self._wire = wire
        self._on_initialized = on_initialized
        self._asked = "the handshake"
        """What the server was asked last while the session opened."""
        self._mode = _LEGACY if era is not None and not is_modern(era) else "auto"
        self._info = Implementation(name="roost", version=client_version)
        self._opened: asyncio.Future[McpLink] = asyncio.get_running_loop().create_future()
        self._leave = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> McpLink:
        """Shake hands and list the tools.

        Raises:
            HandshakeFailed: the server refused, or closed its output.
        """
        self._task = asyncio.create_task(self._own(), name="mcp-session")
        return await asyncio.shield(self._opened)

    @property
    def loss(self) -> str:
        """Why the session ended, as a clause after the bundle's name."""
        return self._wire.loss

    async def wait_ended(self) -> None:
        """Wait until the session can carry no more calls."""
        await self._wire.ended.wait()

    async def close(self) -> None:
        """Leave the session; the process is not touched."""
        self._leave.set()
        if self._task is None:
            return
        if not self._opened.done():
            self._task.cancel()
        try:
            await asyncio.wait({self._task})
        except asyncio.CancelledError:
            self._task.cancel()
            raise
        if self._opened.done() and not self._opened.cancelled():
            self._opened.exception()  # mark as seen
        else:
            self._opened.cancel()

    async def _own(self) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                router, tap = ProgressRouter(), WireTap()
                client = Client(
                    tap.open(self._wire),
                    mode=self._mode,
                    client_info=self._info,
                    message_handler=router,
                    extensions=(TasksExtension(),),
                    cache=None,  # the tools are listed once, and nothing else is asked twice
                )
            async with client:
                self._wire.era = client.protocol_version
                self._on_initialized()
                self._asked = "tools/list"
                link = McpLink(client, await _list_tools(client), self._wire, router, tap)
                self._opened.set_result(link)
                try:
                    await self._leave.wait()
                finally:
                    link.end_calls(CallEnded.lost())
        except Exception as error:  # noqa: BLE001 - top of the owner task; told to who waits
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        cause = _innermost(error)
        if self._opened.done():
            logger.debug("MCP session ended", exc_info=error)
        else:
            self._opened.set_exception(self._refusal(cause))

    def _refusal(self, cause: BaseException) -> HandshakeFailed:
        finding = self._wire.finding
        if finding is not None:
            return HandshakeFailed(finding.clause, finding.code)
        return HandshakeFailed(_describe(cause, self._asked))


class LinkOwner(SessionTask):
    """Owns a session over the pipes of a process."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        era: str | None,
        client_version: str,
        on_stray: Callable[[bytes], None],
        on_initialized: Callable[[], None] = lambda: None,
    ) -> None:
        wire = McpPipes(reader, writer, on_stray)
        super().__init__(
            wire, era=era, client_version=client_version, on_initialized=on_initialized
        )


async def _list_tools(client: Client) -> list[Tool]:
    tools: list[Tool] = []
    if client.server_capabilities.tools is None:
        return tools
    cursor: str | None = None
    while True:
        page = await client.list_tools(cursor=cursor)
        tools.extend(page.tools)
        cursor = page.next_cursor
        if cursor is None:
            return tools


def _innermost(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _describe(error: BaseException, asked: str) -> str:
    if isinstance(error, MCPError):
        if error.error.code == CONNECTION_CLOSED:
            return f"it closed its output before it answered {asked}"
        if error.error.code == PARSE_ERROR:
            return f"its answer to {asked} is not MCP"
        return f"it answered {asked} with error {error.error.code}: {error.error.message}"
    if isinstance(error, ValidationError):
        return f"its answer to {asked} does not fit the protocol"
    return f"the session failed at {asked} ({type(error).__name__})"
