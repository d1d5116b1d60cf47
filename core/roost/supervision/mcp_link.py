"""`McpLink`: one MCP session of one generation, over the pipes of its process or over HTTP.

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
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import anyio
from mcp import MCPError
from mcp.client import Client
from mcp_types import (
    CLIENT_CAPABILITIES_META_KEY,
    CLIENT_INFO_META_KEY,
    CONNECTION_CLOSED,
    PARSE_ERROR,
    PROTOCOL_VERSION_META_KEY,
    CallToolResult,
    Implementation,
    TextContent,
    Tool,
)
from pydantic import ValidationError

from roost.models import RunProgress, ToolView
from roost.supervision.link import CallAnswer, CallEnded, HandshakeFailed
from roost.supervision.mcp_pipes import McpPipes
from roost.supervision.mcp_tasks import HandedOut, McpTasks, ProgressRouter, TasksExtension
from roost.supervision.mcp_wire import Wire

CALL_HISTORY = 512
"""Finished calls kept for the rate and the 95th percentile."""

CANCEL_S = 1.0
"""Sending a cancellation to a server that does not read must not hold its caller up."""

_LEGACY = "legacy"

_TOO_LONG = "SSE stream failed"
"""Beginning of what the SDK says of an event that is over the bound, or that is none."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Finished:
    at: float
    seconds: float


class McpLink:
    """A live MCP session; make it with `open_link`."""

    def __init__(
        self,
        client: Client,
        tools: Sequence[Tool],
        wire: Wire,
        router: ProgressRouter | None = None,
    ) -> None:
        self._client = client
        self._wire = wire
        self.tools = tuple(_tool_view(tool) for tool in tools)
        modern = is_modern(client.protocol_version)
        self._tasks = McpTasks(client, tools, router or ProgressRouter(), is_modern=modern)
        self.era = client.protocol_version
        self.in_flight = 0
        self._owed_since: float | None = None
        self._given_up_at = 0.0
        """When a call last ended without its answer, by the loop's clock."""
        self.probe_request, self._probe_params = _probe_of(client)
        self._idle = asyncio.Event()
        self._idle.set()
        self._ended: asyncio.Future[CallEnded] = asyncio.get_running_loop().create_future()
        self._asking: set[asyncio.Task[CallAnswer]] = set()
        self._finished: deque[_Finished] = deque(maxlen=CALL_HISTORY)

    @property
    def is_open(self) -> bool:
        """Whether a call may be answered still."""
        return not (self._ended.done() or self._wire.ended.is_set())

    def end_calls(self, ended: CallEnded) -> None:
        """End every call in flight, and every later one, with this."""
        if not self._ended.done():
            self._ended.set_result(ended)

    async def wait_idle(self) -> None:
        """Wait until no call is in flight."""
        await self._idle.wait()

    async def call(
        self, tool: str, arguments: dict[str, Any], on_progress: Callable[[RunProgress], None]
    ) -> CallAnswer:
        """Call a tool. Cancelling the caller sends the protocol's cancellation.

        Raises:
            CallEnded: the process died or is being replaced; the answer will never come.
        """
        if self._ended.done():
            raise self._ended.result()
        started = asyncio.get_running_loop().time()
        if self.owed_s() is None:
            self._owed_since = started
        self.in_flight += 1
        self._idle.clear()
        try:
            return await self._race(tool, arguments, on_progress)
        except BaseException:
            self._given_up_at = asyncio.get_running_loop().time()
            raise
        finally:
            now = asyncio.get_running_loop().time()
            self._finished.append(_Finished(now, now - started))
            self.in_flight -= 1
            if self.in_flight == 0:
                self._idle.set()

    async def _race(
        self, tool: str, arguments: dict[str, Any], on_progress: Callable[[RunProgress], None]
    ) -> CallAnswer:
        work = asyncio.create_task(self._ask(tool, arguments, on_progress))
        self._asking.add(work)
        work.add_done_callback(self._forget)
        waited: set[asyncio.Future[Any]] = {work, self._ended}
        try:
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            if self._ended.done() and not _has_answer(work):
                raise self._ended.result()
            return work.result()
        finally:
            if not work.done():
                work.cancel()
                await asyncio.wait({work}, timeout=CANCEL_S)

    def _forget(self, work: asyncio.Task[CallAnswer]) -> None:
        self._asking.discard(work)
        if not work.cancelled():
            work.exception()  # whoever waited has been told

    async def _ask(
        self, tool: str, arguments: dict[str, Any], on_progress: Callable[[RunProgress], None]
    ) -> CallAnswer:
        try:
            result = await self._result(tool, arguments, on_progress)
        except MCPError as error:
            if _is_lost(error):
                raise CallEnded.lost() from error
            return CallAnswer(
                content={"code": error.error.code, "message": error.error.message},
                is_error=True,
                text=error.error.message,
            )
        except (anyio.ClosedResourceError, anyio.BrokenResourceError) as error:
            raise CallEnded.lost() from error
        except ValidationError:
            text = "the server's answer does not fit the protocol"
            return CallAnswer(content={"message": text}, is_error=True, text=text)
        return _answer(result)

    async def _result(
        self, tool: str, arguments: dict[str, Any], on_progress: Callable[[RunProgress], None]
    ) -> CallToolResult:
        async def progressed(progress: float, total: float | None, message: str | None) -> None:
            # The SDK runs every callback as a task of its own: an await here would lose the order.
            on_progress(RunProgress(progress, total, message))

        if self._tasks.offers(tool):
            return await self._tasks.call(tool, arguments, on_progress)
        try:
            return await self._client.call_tool(tool, arguments, progress_callback=progressed)
        except HandedOut as handed:
            task = handed.task
        return await self._tasks.follow(task, on_progress)

    async def probe(self) -> None:
        """Ask whether the server is there, as its era does; the caller bounds the wait.

        Raises:
            CallEnded: nothing can be asked any more.
        """
        if self._ended.done():
            raise self._ended.result()
        await self._wire.ask(self.probe_request, self._probe_params)

    def owed_s(self) -> float | None:
        """Return for how many seconds the server has owed an answer without a word."""
        if self._owed_since is None:
            return None
        heard_at = self._wire.heard_at
        if not self.in_flight and heard_at > max(self._owed_since, self._given_up_at):
            self._owed_since = None
            return None
        return asyncio.get_running_loop().time() - max(self._owed_since, heard_at)

    def figures(self) -> tuple[int, int | None]:
        """Return the calls finished in the last minute and their 95th percentile in ms."""
        horizon = asyncio.get_running_loop().time() - 60
        recent = sorted(call.seconds for call in self._finished if call.at >= horizon)
        if not recent:
            return 0, None
        return len(recent), round(recent[max(0, -(-len(recent) * 95 // 100) - 1)] * 1000)


def _probe_of(client: Client) -> tuple[str, dict[str, Any]]:
    """Return the request that asks a server of this era whether it is there."""
    if not is_modern(client.protocol_version):
        return "ping", {}
    info = client.client_info or Implementation(name="roost", version="")
    meta = {
        PROTOCOL_VERSION_META_KEY: client.protocol_version,
        CLIENT_INFO_META_KEY: info.model_dump(by_alias=True, mode="json", exclude_none=True),
        CLIENT_CAPABILITIES_META_KEY: {},
    }
    return "server/discover", {"_meta": meta}


def _is_lost(error: MCPError) -> bool:
    """Whether the answer to a call will never come; one that is too long came."""
    return error.error.code == CONNECTION_CLOSED and not error.error.message.startswith(_TOO_LONG)


def _has_answer(work: asyncio.Task[CallAnswer]) -> bool:
    return work.done() and not work.cancelled() and work.exception() is None


def _answer(result: CallToolResult) -> CallAnswer:
    texts = [part.text for part in result.content if isinstance(part, TextContent)]
    return CallAnswer(
        content=result.model_dump(mode="json", by_alias=True, exclude_none=True),
        is_error=bool(result.is_error),
        text="\n".join(texts),
    )


def _tool_view(tool: Tool) -> ToolView:
    hints = tool.annotations
    return ToolView(
        name=tool.name,
        title=tool.title or "",
        description=tool.description or "",
        input_schema=dict(tool.input_schema),
        is_read_only=bool(hints and hints.read_only_hint),
        is_destructive=bool(hints and hints.destructive_hint),
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
                router = ProgressRouter()
                client = Client(
                    self._wire.open(),
                    mode=self._mode,
                    client_info=self._info,
                    message_handler=router,
                    extensions=(TasksExtension(),),
                )
            async with client:
                self._wire.era = client.protocol_version
                self._on_initialized()
                self._asked = "tools/list"
                link = McpLink(client, await _list_tools(client), self._wire, router)
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


def is_modern(era: str) -> bool:
    """Whether a protocol version is of the stateless era, which knows no handshake and no ping."""
    return era >= "2026-07-28"


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
