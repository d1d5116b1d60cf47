"""`ToolCalls`: MCP tool calls as runs."""

from __future__ import annotations

import asyncio
import importlib
import logging
import math
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import replace
from types import ModuleType
from typing import Any, TypeVar

from roost.clock import Clock
from roost.errors import BadArguments, RoostError, ShuttingDown, ToolNotFound
from roost.models import (
    BundleSettings,
    CallRequest,
    KeepArguments,
    RunKind,
    RunView,
    StopOutcome,
    ToolView,
)
from roost.runs.arguments import hidden_texts, kept_arguments
from roost.runs.caller import ToolCaller
from roost.runs.depth import check_depth
from roost.runs.live_call import CallOrder, LiveCall
from roost.runs.places import CallPlaces
from roost.runs.recorder import RunRecorder
from roost.runs.values import Ending, RunRequest

NAME_LIMIT = 200
"""Characters of a scope or an idempotency key; both are indexed and stand in every view."""

STOP_WAIT_S = 10.0
"""Seconds a stop waits for the run to settle before it answers."""

ENDS_REMEMBERED = 256
"""Stopped runs whose end was seen; whoever stopped one asks at once."""

T = TypeVar("T")
logger = logging.getLogger(__name__)


class ToolCalls:
    """Begins tool calls, and stops them. The work goes on without anyone who looks on.

    Args:
        settings: returns the settings of a bundle, for its time-outs and limits.
    """

    def __init__(
        self,
        recorder: RunRecorder,
        caller: ToolCaller,
        *,
        clock: Clock,
        settings: Callable[[str, str], BundleSettings],
    ) -> None:
        self._recorder = recorder
        self._caller = caller
        self._clock = clock
        self._settings = settings
        self._places = CallPlaces(
            lambda ws, name: settings(ws, name).max_calls, is_coming=caller.is_coming
        )
        self._calls: dict[str, LiveCall] = {}
        self._performing: dict[str, asyncio.Task[None]] = {}
        self._seen_ends: deque[str] = deque(maxlen=ENDS_REMEMBERED)
        self._beginnings: set[asyncio.Task[Any]] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_closing = False
        self._schema: ModuleType | None = None

    async def begin(
        self, workspace: str, bundle: str, request: CallRequest, *, actor: str
    ) -> RunView:
        """Begin a call, or return the run that its idempotency key has begun.

        Args:
            actor: who asks, as it stands in the run.

        Raises:
            BundleNotFound, NotRunning, ToolNotFound, BadArguments, AlreadyActive,
            IdempotencyConflict, ShuttingDown: no run was begun.
        """
        if self._is_closing:
            raise ShuttingDown()
        check_depth(request.tool, request.arguments)
        self._check_name(workspace, bundle, request.tool, "scope", request.scope)
        self._check_name(
            workspace, bundle, request.tool, "idempotency key", request.idempotency_key
        )
        run_request = _run_request(workspace, bundle, request, actor)
        known = await self._recorder.find_begun(run_request)
        if known is not None:
            return known
        order, kept = await self._order(workspace, bundle, request)
        asked = request.arguments if request.idempotency_key is not None else None
        run_request = replace(run_request, input=kept, asked=asked)
        # A client that goes away must not leave a row behind that nobody works on.
        beginning = self._own(self._begin(run_request, order), self._beginnings)
        return await asyncio.shield(beginning)

    async def stop(self, workspace: str, run_id: str, *, by: str) -> StopOutcome:
        """Stop a run and wait until it has settled, `STOP_WAIT_S` at most.

        A run whose server goes on with the cancelled call stays active; this says so as soon as it
        is seen. The work is cancelled first and the stamp stored afterwards, so a store that is
        down keeps no run alive.

        Raises:
            RunNotFound: no such run in this workspace.
        """
        stopped = Ending.aborted("stopped", f"stopped by {by}")
        call = self._calls.get(run_id)
        if call is None or call.run.workspace != workspace:
            return await self._stop_without_work(workspace, run_id, stopped, by)
        if call.stop(stopped):
            # Queued on the run's lock before the end is: that takes the cancelled call more turns.
            self._own(self._stamp(call.run, by), self._tasks)
        await self._settled_or_ignored(call)
        return _outcome(await self._recorder.get(workspace, run_id))

    def bundle_changed(self, workspace: str, bundle: str) -> None:
        """Let the calls go on that waited for another setting or for its next process."""
        self._places.look((workspace, bundle))

    def is_working(self, run_id: str) -> bool:
        """Say whether somebody works on this run now."""
        return run_id in self._calls

    def has_seen_end(self, run_id: str) -> bool:
        """Say whether the work of a run was stopped and seen to end, a while ago at most."""
        return run_id in self._seen_ends

    async def close(self, grace_s: float) -> None:
        """Refuse new calls and abort those under way.

        Args:
            grace_s: seconds until calls that do not settle are named in the log and left.
        """
        self._is_closing = True
        if self._beginnings:
            await asyncio.wait(set(self._beginnings))
        ending = Ending.aborted("daemon_stopped", "the daemon was stopped during the call")
        for call in self._calls.values():
            call.interrupt(ending)
            call.abandon()
        if self._tasks:
            await self._wait_for(set(self._tasks), grace_s)
        for run_id in self._calls:
            logger.error("the call of run %s did not settle in %g s", run_id, grace_s)
        left = set(self._tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _begin(self, request: RunRequest, order: CallOrder) -> RunView:
        if self._is_closing:
            raise ShuttingDown()
        begun = await self._recorder.begin(request)
        if begun.is_new:
            call = LiveCall(
                begun.run,
                order,
                recorder=self._recorder,
                caller=self._caller,
                clock=self._clock,
                place=self._places.ask((order.workspace, order.bundle)),
            )
            self._calls[begun.run.id] = call
            self._performing[begun.run.id] = self._own(self._perform(call), self._tasks)
        return begun.run

    async def _perform(self, call: LiveCall) -> None:
        try:
            await call.perform()
        finally:
            del self._calls[call.run.id], self._performing[call.run.id]
            if call.has_seen_end:
                self._seen_ends.append(call.run.id)

    async def _order(
        self, workspace: str, bundle: str, request: CallRequest
    ) -> tuple[CallOrder, Any]:
        """Return what is to be called, and what is kept of its arguments."""
        tool = self._tool(workspace, bundle, request.tool)
        if self._schema is None:
            name = "roost.runs.schema"
            self._schema = await asyncio.to_thread(importlib.import_module, name)
        self._schema.check_arguments(tool, request.arguments)
        settings = self._settings(workspace, bundle)
        kept = kept_arguments(request.arguments, tool.input_schema, settings.keep_arguments)
        secrets = kept_arguments(request.arguments, tool.input_schema, KeepArguments.ALL)
        order = CallOrder(
            workspace=workspace,
            bundle=bundle,
            tool=tool.name,
            arguments=request.arguments,
            idle_s=_limit(tool, "idle time-out", request.idle_timeout_s, settings.call_idle_s),
            cap_s=_limit(tool, "cap", request.cap_s, settings.call_cap_s),
            hidden=tuple(hidden_texts(request.arguments, secrets)),
        )
        return order, kept

    def _tool(self, workspace: str, bundle: str, name: str) -> ToolView:
        tools = {tool.name: tool for tool in self._caller.tools(workspace, bundle)}
        if name not in tools:
            raise ToolNotFound(bundle, name, tuple(tools))
        return tools[name]

    def _check_name(
        self, workspace: str, bundle: str, tool: str, what: str, given: str | None
    ) -> None:
        """Refuse a name of a run that cannot be shown as it is: it is kept and never scrubbed."""
        if given is None:
            return
        if not (0 < len(given) <= NAME_LIMIT and given.isprintable()):
            raise BadArguments(tool, f"its {what} must have 1 to {NAME_LIMIT} printable characters")
        if self._recorder.holds_secret(workspace, bundle, given):
            raise BadArguments(tool, f"its {what} holds a secret of {bundle!r}")

    async def _stamp(self, run: RunView, by: str) -> None:
        try:
            await self._recorder.request_stop(run.workspace, run.id, by=by)
        except RoostError as error:
            logger.warning("the stop of run %s by %s is not stamped: %s", run.id, by, error)

    async def _stop_without_work(
        self, workspace: str, run_id: str, stopped: Ending, by: str
    ) -> StopOutcome:
        view = await self._recorder.get(workspace, run_id)
        if not view.status.is_active:
            return _outcome(view, is_earlier=True)
        await self._stamp(view, by)
        if view.kind is RunKind.TOOL_CALL:
            await self._recorder.finalize(workspace, run_id, stopped)
        return _outcome(await self._recorder.get(workspace, run_id))

    async def _settled_or_ignored(self, call: LiveCall) -> None:
        patience = asyncio.create_task(self._clock.sleep(STOP_WAIT_S))
        ignored = asyncio.create_task(call.wait_ignored())
        waits = {self._performing[call.run.id], ignored, patience}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ignored.cancel()
            patience.cancel()

    async def _wait_for(self, tasks: set[asyncio.Task[Any]], seconds: float) -> None:
        work = asyncio.ensure_future(asyncio.wait(tasks))
        patience = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            await asyncio.wait({work, patience}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            work.cancel()
            patience.cancel()

    def _own(self, work: Coroutine[Any, Any, T], among: set[asyncio.Task[Any]]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        among.add(task)
        task.add_done_callback(among.discard)
        return task


def _run_request(workspace: str, bundle: str, request: CallRequest, actor: str) -> RunRequest:
    return RunRequest(
        workspace=workspace,
        kind=RunKind.TOOL_CALL,
        title=f"{bundle}.{request.tool}",
        input=request.arguments,
        bundle=bundle,
        tool=request.tool,
        scope=request.scope,
        created_by=actor,
        idempotency_key=request.idempotency_key,
    )


def _limit(tool: ToolView, name: str, asked: float | None, usual: float) -> float:
    if asked is None:
        return usual
    if not (math.isfinite(asked) and asked > 0):
        raise BadArguments(tool.name, f"its {name} must be a number of seconds above 0")
    return asked


def _outcome(run: RunView, *, is_earlier: bool = False) -> StopOutcome:
    if run.status.is_active:
        return StopOutcome(
            True, run, f"{run.id} is told to stop; its end is not stored yet, look again later"
        )
    if run.error is not None and run.error.code == "stopped" and not is_earlier:
        return StopOutcome(True, run, f"{run.id} was stopped")
    return StopOutcome(False, run, f"{run.id} had {run.status} already; nothing was changed")
