"""Tool calls that the server answers with a task, in both eras of the protocol.

In the era of 2025-11-25 the client asks for a task and the server offers it per tool; its creation
goes past the SDK's typed requests, because these refuse the answer while the task runs already. In
the era of 2026-07-28 the client only declares the extension, and the server decides.

Importing this module imports the MCP SDK.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

from mcp import MCPError
from mcp.client import Client
from mcp.client.extension import ClaimContext, ClientExtension, ResultClaim
from mcp_types import CONNECTION_CLOSED, CallToolResult, ProgressNotification, Request, Result, Tool
from pydantic import RootModel

from roost.models import RunProgress
from roost.supervision.link import CallEnded, Withdrawal

EXTENSION = "io.modelcontextprotocol/tasks"

SHORTEST_POLL_S = 0.2
"""Nobody sees more changes than that, whatever the server allows."""

LONGEST_POLL_S = 5.0
"""A run shows its end no later than that, whatever the server would like."""

CANCELLED_POLL_S = 0.5
"""A stop waits for the end of a cancelled task, so that is asked for more often."""

USUAL_POLL_S = 1.0
"""Where the server says nothing."""

KEEP_MS = 24 * 3_600_000
"""How long a server is asked to keep a task, counted from its creation: past any usual cap."""

CANCEL_S = 0.8
"""Cancelling a task ends before the session gives the whole call up."""

Report = Callable[[RunProgress], None]

logger = logging.getLogger(__name__)


class _JsonObject(RootModel[dict[str, Any]]):
    """An answer of whatever fields."""


class _TaskRequest(Request[dict[str, Any], str]):
    """A request about one task."""

    name_param = "taskId"


class _Handle(Result):
    """What a server of the newer era answers when it makes a task of a call."""

    result_type: Literal["task"] = "task"
    task_id: str
    status: str = "working"
    status_message: str | None = None
    poll_interval_ms: float | None = None


class HandedOut(Exception):
    """The server made a task of a call; `task` is its first state."""

    def __init__(self, task: dict[str, Any]) -> None:
        super().__init__("the server made a task of the call")
        self.task = task


class TasksExtension(ClientExtension):
    """Declares that tasks are understood."""

    identifier = EXTENSION

    def claims(self) -> Sequence[ResultClaim[Any]]:
        return (ResultClaim(result_type="task", model=_Handle, resolve=_hand_out),)


async def _hand_out(handle: _Handle, context: ClaimContext) -> CallToolResult:
    """Leave the SDK's call: a task is followed here, where its changes can be told."""
    raise HandedOut(handle.model_dump(mode="json", by_alias=True, exclude_none=True))


class ProgressRouter:
    """Takes progress to tasks: the SDK forgets a call's token once the task is created."""

    def __init__(self) -> None:
        self._reports: dict[str | int, Report] = {}

    async def __call__(self, message: object) -> None:
        # Without an await: the SDK runs this as a task for every message, and order is kept so.
        if isinstance(message, ProgressNotification):
            report = self._reports.get(message.params.progress_token)
            if report is not None:
                params = message.params
                report(RunProgress(params.progress, params.total, params.message))

    def add(self, token: str, report: Report) -> None:
        self._reports[token] = report

    def drop(self, token: str) -> None:
        self._reports.pop(token, None)


class McpTasks:
    """The tasks of one session.

    Args:
        tools: what the server lists; those that support tasks are called with one.
        is_modern: whether the session is of the era in which the server decides.
    """

    def __init__(
        self, client: Client, tools: Sequence[Tool], router: ProgressRouter, *, is_modern: bool
    ) -> None:
        self._client = client
        self._router = router
        self._is_modern = is_modern
        self._tokens = itertools.count(1)
        self._offered = _offered(client, tools) if tools and not is_modern else frozenset()

    def offers(self, tool: str) -> bool:
        """Return whether a call of this tool is to ask for a task."""
        return tool in self._offered

    async def call(
        self,
        tool: str,
        arguments: dict[str, Any],
        report: Report,
        withdrawal: Withdrawal | None = None,
    ) -> CallToolResult:
        """Call a tool with a task and follow that to its end.

        Raises:
            MCPError: the server refused. CallEnded: there is no answer.
        """
        token = f"roost-task-{next(self._tokens)}"
        self._router.add(token, report)
        try:
            answer = await self._create(token, tool, arguments)
            task = answer.get("task")
            if not isinstance(task, dict):
                return CallToolResult.model_validate(answer, by_name=False)  # no task after all
            return await self.follow(task, report, withdrawal)
        finally:
            self._router.drop(token)

    async def follow(
        self, task: dict[str, Any], report: Report, withdrawal: Withdrawal | None = None
    ) -> CallToolResult:
        """Poll a task until it ends. Cancelling the caller cancels the task, and so does a
        withdrawal, after which its end is waited for.

        Raises:
            MCPError: the connection is lost.
            CallEnded: the task ended without an answer.
        """
        task_id = task.get("taskId")
        if not isinstance(task_id, str):
            raise CallEnded("lost", "the server began a task without an id; ask its maker")
        followed = _Followed(task_id, report)
        try:
            while not followed.take(task) and not await _is_withdrawn(task, withdrawal):
                task = await self._ask("tasks/get", task_id)
            if withdrawal is not None and withdrawal.asked.done():
                task = await self._until_let_go(task, followed, withdrawal)
            return await self._end(task_id, task)
        except asyncio.CancelledError:
            await self._cancel(task_id)
            raise

    async def _until_let_go(
        self, task: dict[str, Any], followed: _Followed, withdrawal: Withdrawal
    ) -> dict[str, Any]:
        """Cancel a task and return its last state, once that is an end."""
        if followed.take(task):
            return task
        told = await self._cancel(followed.task_id)
        task = told if told is not None and "status" in told else task
        while not followed.take(task):
            await asyncio.sleep(min(poll_s(task), CANCELLED_POLL_S))
            task = await self._ask("tasks/get", followed.task_id)
            if not is_over(task):
                withdrawal.goes_on()
        return task

    async def _create(self, token: str, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        creation = asyncio.create_task(self._send_creation(token, tool, arguments))
        try:
            return await asyncio.shield(creation)
        except asyncio.CancelledError:
            await self._cancel_created(creation)
            raise

    async def _send_creation(
        self, token: str, tool: str, arguments: dict[str, Any]
    ) -> dict[str, Any]:
        params = {
            "name": tool,
            "arguments": arguments,
            "task": {"ttl": KEEP_MS},
            "_meta": {"progressToken": token},
        }
        # The typed request would refuse the answer while the task runs already.
        dispatcher = self._client.session._dispatcher
        return await dispatcher.send_raw_request(
            "tools/call",
            params,
            {
                "request_id": token,
                "headers": {"mcp-protocol-version": self._client.protocol_version},
            },
        )

    async def _cancel_created(self, creation: asyncio.Task[dict[str, Any]]) -> None:
        """Cancel a task whose id is not known yet, if it comes soon."""
        await asyncio.wait({creation}, timeout=CANCEL_S / 2)
        if not creation.done():
            creation.cancel()
            return
        if creation.cancelled() or creation.exception() is not None:
            return
        task = creation.result().get("task")
        if isinstance(task, dict) and isinstance(task.get("taskId"), str):
            await self._cancel(task["taskId"])

    async def _end(self, task_id: str, task: dict[str, Any]) -> CallToolResult:
        status, told = task.get("status"), _told(task)
        if status == "input_required":
            await self._cancel(task_id)
            raise CallEnded(
                "input_required",
                f"the server asks for input{told}, which nobody can give here; its task was "
                "cancelled: call again with arguments that leave no question",
            )
        if status == "cancelled":
            raise CallEnded("cancelled", f"the server cancelled its task{told}; call again")
        if self._is_modern:
            return _inline_answer(task, told)
        try:
            answer = await self._ask("tasks/result", task_id)
        except MCPError as error:
            if error.error.code == CONNECTION_CLOSED or status == "completed":
                raise
            return _failure(error.error.message or f"the task failed{told}")
        result = CallToolResult.model_validate(answer, by_name=False)
        return result.model_copy(update={"is_error": True}) if status == "failed" else result

    async def _ask(self, method: str, task_id: str) -> dict[str, Any]:
        request = _TaskRequest(method=method, params={"taskId": task_id})
        try:
            return (await self._client.session.send_request(request, _JsonObject)).root
        except MCPError as error:
            if method != "tasks/get" or error.error.code == CONNECTION_CLOSED:
                raise
            raise CallEnded(
                "lost",
                f"the server knows nothing of its task any more ({error.error.message}); nobody "
                "knows how far it came",
            ) from error

    async def _cancel(self, task_id: str) -> dict[str, Any] | None:
        """Cancel a task and return the answer, which is its state in one of the eras."""
        asking = asyncio.create_task(self._ask("tasks/cancel", task_id))
        await asyncio.wait({asking}, timeout=CANCEL_S)
        if not asking.done():
            asking.cancel()
        elif not asking.cancelled() and (error := asking.exception()) is not None:
            logger.debug("the cancellation of a task was not taken", exc_info=error)
        elif not asking.cancelled():
            return asking.result()
        return None


class _Followed:
    """Tells what changes in a task."""

    def __init__(self, task_id: str, report: Report) -> None:
        self.task_id = task_id
        self._report = report
        self._last: tuple[object, object] | None = None
        self._changes = 0

    def take(self, task: dict[str, Any]) -> bool:
        """Report what is new; True when nothing more is to be waited for."""
        status, message = task.get("status"), task.get("statusMessage")
        if (status, message) != self._last:
            self._tell(str(status), message)
        self._last = (status, message)
        return is_over(task)

    def _tell(self, status: str, message: object) -> None:
        text = f"{status}: {message}" if isinstance(message, str) and message else status
        if self._last is None:
            text = f"task {self.task_id} is {text}"  # the id stays with the run
        self._changes += 1
        self._report(RunProgress(self._changes, None, text))


def is_over(task: dict[str, Any]) -> bool:
    """Whether nothing more is to be waited for."""
    return task.get("status") in ("completed", "failed", "cancelled", "input_required")


async def _is_withdrawn(task: dict[str, Any], withdrawal: Withdrawal | None) -> bool:
    """Wait until a task is to be asked for again; True when its call was withdrawn before."""
    if withdrawal is None:
        await asyncio.sleep(poll_s(task))
        return False
    await asyncio.wait({withdrawal.asked}, timeout=poll_s(task))
    return withdrawal.asked.done()


def poll_s(task: dict[str, Any]) -> float:
    """Return after how many seconds to ask for a task again, as its server wants it, in bounds."""
    wanted = task.get("pollIntervalMs", task.get("pollInterval"))
    if isinstance(wanted, bool) or not isinstance(wanted, int | float) or math.isnan(wanted):
        return USUAL_POLL_S
    return min(max(wanted / 1000, SHORTEST_POLL_S), LONGEST_POLL_S)


def _offered(client: Client, tools: Sequence[Tool]) -> frozenset[str]:
    """Return the tools to call with a task; of a server that takes none, no tool counts."""
    tasks = client.server_capabilities.tasks
    requests = tasks.requests if tasks is not None else None
    if requests is None or requests.tools is None or requests.tools.call is None:
        return frozenset()
    support = ((tool.name, tool.execution and tool.execution.task_support) for tool in tools)
    return frozenset(name for name, kind in support if kind in ("optional", "required"))


def _inline_answer(task: dict[str, Any], told: str) -> CallToolResult:
    if task.get("status") == "completed":
        return CallToolResult.model_validate(task.get("result"), by_name=False)
    error = task.get("error")
    message = error.get("message") if isinstance(error, dict) else None
    return _failure(message if isinstance(message, str) else f"the task failed{told}")


def _failure(text: str) -> CallToolResult:
    content = [{"type": "text", "text": text}]
    return CallToolResult.model_validate({"content": content, "isError": True}, by_name=False)


def _told(task: dict[str, Any]) -> str:
    message = task.get("statusMessage")
    return f" ({message})" if isinstance(message, str) and message else ""
