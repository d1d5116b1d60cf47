"""`McpLink`: one open MCP session as supervision uses it.

Importing this module imports the MCP SDK; `roost.supervision.mcp_session` owns the session.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, NoReturn

import anyio
from mcp import MCPError
from mcp.client import Client
from mcp_types import (
    CLIENT_CAPABILITIES_META_KEY,
    CLIENT_INFO_META_KEY,
    CONNECTION_CLOSED,
    PROTOCOL_VERSION_META_KEY,
    CallToolResult,
    Implementation,
    TextContent,
    Tool,
)
from pydantic import BaseModel, ValidationError

from roost.models import RunProgress, ToolView
from roost.supervision.link import CallAnswer, CallEnded, Withdrawal
from roost.supervision.mcp_tap import SentCall, WireTap
from roost.supervision.mcp_tasks import HandedOut, McpTasks, ProgressRouter
from roost.supervision.mcp_wire import Wire

CALL_HISTORY = 512
"""Finished calls kept for the rate and the 95th percentile."""

CANCEL_S = 1.0
"""Sending a cancellation to a server that does not read must not hold its caller up."""

_TOO_LONG = "SSE stream failed"
"""Beginning of what the SDK says of an event that is over the bound, or that is none."""


@dataclass(slots=True)
class _Finished:
    at: float
    seconds: float


class _Withdrawn(Exception):
    """A call was withdrawn; its cancellation is sent as this passes."""


@dataclass(frozen=True, slots=True)
class _Call:
    tool: str
    arguments: dict[str, Any]
    report: Callable[[RunProgress], None]
    withdrawal: Withdrawal | None
    sent: SentCall


class McpLink:
    """A live MCP session; `SessionTask` opens it."""

    def __init__(
        self,
        client: Client,
        tools: Sequence[Tool],
        wire: Wire,
        router: ProgressRouter | None = None,
        tap: WireTap | None = None,
    ) -> None:
        self._client = client
        self._wire = wire
        self._tap = tap or WireTap()
        self._listed = tuple(tools)
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

    def answers(self) -> tuple[tuple[str, str], ...]:
        """Return what the server answered to the handshake of its era and to ``tools/list``."""
        session = self._client.session
        greeting = session.discover_result or session.initialize_result
        assert greeting is not None, "an open session has one"
        asked = "server/discover" if session.discover_result is not None else "initialize"
        listed = sorted(map(_wire_form, self._listed), key=lambda tool: str(tool["name"]))
        return (asked, _canonical(_wire_form(greeting))), ("tools/list", _canonical(listed))

    async def wait_idle(self) -> None:
        """Wait until no call is in flight."""
        await self._idle.wait()

    async def call(
        self,
        tool: str,
        arguments: dict[str, Any],
        on_progress: Callable[[RunProgress], None],
        withdrawal: Withdrawal | None = None,
    ) -> CallAnswer:
        """Call a tool, as `Link.call` tells.

        Raises:
            CallEnded: the process died or is being replaced, or the call was withdrawn and its end
                was seen; the answer will never come.
        """
        if self._ended.done():
            raise self._ended.result()
        if withdrawal is not None and withdrawal.asked.done():
            raise CallEnded.let_go()
        with self._tap.following(on_progress) as sent, self._counted() as leave:
            call = _Call(tool, arguments, on_progress, withdrawal, sent)
            with suppress(_Withdrawn):
                return await self._race(call, leave)
            leave()
            await self._see_end(sent)

    @contextmanager
    def _counted(self) -> Iterator[Callable[[], None]]:
        """Count a call as in flight; yields what ends that, which the end of the call does too."""
        started = asyncio.get_running_loop().time()
        if self.owed_s() is None:
            self._owed_since = started
        self.in_flight += 1
        self._idle.clear()
        has_left = False

        def leave(*, is_answered: bool = False) -> None:
            nonlocal has_left
            if has_left:
                return
            has_left = True
            now = asyncio.get_running_loop().time()
            if not is_answered:
                self._given_up_at = now
            self._finished.append(_Finished(now, now - started))
            self.in_flight -= 1
            if self.in_flight == 0:
                self._idle.set()

        try:
            yield leave
            leave(is_answered=True)
        finally:
            leave()

    async def _race(self, call: _Call, leave: Callable[[], None]) -> CallAnswer:
        work = asyncio.create_task(self._ask(call))
        self._asking.add(work)
        work.add_done_callback(self._forget)
        waited: set[asyncio.Future[Any]] = {work, self._ended}
        try:
            if call.withdrawal is not None:
                await asyncio.wait(
                    {*waited, call.withdrawal.asked}, return_when=asyncio.FIRST_COMPLETED
                )
                if call.withdrawal.asked.done() and not (work.done() or self._ended.done()):
                    if not call.sent.is_task:
                        raise _Withdrawn
                    leave()
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            if self._ended.done() and not _has_answer(work):
                raise self._ended.result()
            return work.result()
        finally:
            if not work.done():
                work.cancel()
                await asyncio.wait({work}, timeout=CANCEL_S)
            call.sent.is_withdrawn = True

    async def _see_end(self, sent: SentCall) -> NoReturn:
        """Wait until a cancelled call is answered after all, or its server is gone.

        Raises:
            CallEnded: always.
        """
        if not sent.was_sent:
            raise CallEnded.let_go()
        lost = asyncio.create_task(self._wire.ended.wait())
        waited: set[asyncio.Future[Any]] = {sent.answered, self._ended, lost}
        try:
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        finally:
            lost.cancel()
            await asyncio.gather(lost, return_exceptions=True)
        if sent.answered.done():
            raise CallEnded.let_go()
        raise self._ended.result() if self._ended.done() else CallEnded.lost()

    def _forget(self, work: asyncio.Task[CallAnswer]) -> None:
        self._asking.discard(work)
        if not work.cancelled():
            work.exception()  # whoever waited has been told

    async def _ask(self, call: _Call) -> CallAnswer:
        try:
            result = await self._result(call)
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

    async def _result(self, call: _Call) -> CallToolResult:
        async def progressed(progress: float, total: float | None, message: str | None) -> None:
            # The SDK runs every callback as a task of its own: an await here would lose the order.
            call.report(RunProgress(progress, total, message))

        if self._tasks.offers(call.tool):
            call.sent.is_task = True
            return await self._tasks.call(call.tool, call.arguments, call.report, call.withdrawal)
        try:
            return await self._client.call_tool(
                call.tool, call.arguments, progress_callback=progressed
            )
        except HandedOut as handed:
            call.sent.is_task = True
            task = handed.task
        return await self._tasks.follow(task, call.report, call.withdrawal)

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


def _wire_form(model: BaseModel) -> dict[str, Any]:
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


def _canonical(answer: object) -> str:
    return json.dumps(answer, sort_keys=True, separators=(",", ":"))


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


def is_modern(era: str) -> bool:
    """Whether a protocol version is of the stateless era, which knows no handshake and no ping."""
    return era >= "2026-07-28"
