"""`RunControl`: stops, retries and replaces runs of every kind."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from roost.clock import Clock
from roost.errors import BadInput, BundleNotFound, NotRunning, RoostError
from roost.models import (
    Impact,
    RunKind,
    RunQuery,
    RunStatus,
    RunView,
    StopOutcome,
    StopPhase,
    SupersedeOutcome,
)
from roost.runs.commands import Commands
from roost.runs.outcomes import (
    settled_before,
    stop_outcome,
    supersede_outcome,
    with_doubt,
    with_respawn,
    with_worker,
)
from roost.runs.recorder import RunRecorder
from roost.runs.retries import call_of, check_may_retry, command_of
from roost.runs.tasks import Tasks
from roost.runs.tool_calls import STOP_WAIT_S, ToolCalls
from roost.runs.values import Ending

LONGEST_WAIT_S = 600.0
"""Longest wait for a run to make room; whoever needs more asks again."""

CLOSE_GRACE_S = 5.0
"""Seconds that stops under way get at shutdown, when the runs themselves have settled."""

_ACTIVE = tuple(status for status in RunStatus if status.is_active)

logger = logging.getLogger(__name__)

ImpactOf = Callable[[str, str], Awaitable[Impact | None]]
"""Says what a respawn of a bundle would cut, by workspace and name; None where it ends no work."""

GenerationOf = Callable[[str, str], int]
"""Returns the generation of a bundle that runs now, by workspace and name."""


class RunControl:
    """Finds who does the work of a run and acts on it.

    Args:
        recorder: the ledger.
        calls: does the work of tool calls.
        commands: does the work of commands.
        tasks: knows the workers that do runs of tasks.
        clock: bounds every wait.
        impact: what a respawn would cut.
        generation: which generation a bundle runs in now.
        stored: lists the runs that a query asks for.
    """

    def __init__(
        self,
        recorder: RunRecorder,
        *,
        calls: ToolCalls,
        commands: Commands,
        tasks: Tasks,
        clock: Clock,
        impact: ImpactOf,
        generation: GenerationOf,
        stored: Callable[[RunQuery], Awaitable[tuple[RunView, ...]]],
    ) -> None:
        self._recorder = recorder
        self._calls = calls
        self._commands = commands
        self._work_of_tasks = tasks
        self._clock = clock
        self._impact = impact
        self._generation = generation
        self._stored = stored
        self._tasks: set[asyncio.Task[Any]] = set()

    async def stop(self, workspace: str, run_id: str, *, by: str) -> StopOutcome:
        """Stop a run with its child runs and wait until it has settled, 10 s at most.

        A tool call whose server goes on with it is told of as soon as that is seen, and stays
        active. All of them are asked at once, and none of it ends with the caller. A settled run is
        left as it is.

        Raises:
            RunNotFound: no such run in this workspace.
        """
        before = await self._recorder.get(workspace, run_id)
        if not before.status.is_active:
            return settled_before(before)
        family = await self._stop_family(before, by, STOP_WAIT_S)
        run = await self._recorder.get(workspace, run_id)
        children = [await self._recorder.get(workspace, child) for child in family - {run_id}]
        return await self._with_respawn(stop_outcome(run, children), before)

    async def retry(self, workspace: str, run_id: str, *, actor: str) -> RunView:
        """Begin a new run with the input of a settled one, without its idempotency key.

        Raises:
            RunNotFound: no such run in this workspace.
            Refused: it is active, is outside work, or its input was not kept as it was given.
        """
        detail = await self._recorder.detail(workspace, run_id)
        check_may_retry(detail)
        if detail.run.kind is RunKind.COMMAND:
            return await self._commands.begin(workspace, command_of(detail), actor=actor)
        if detail.run.kind is RunKind.TASK:
            return await self._work_of_tasks.retry(detail, actor=actor)
        bundle, request = call_of(detail)
        return await self._calls.begin(workspace, bundle, request, actor=actor)

    async def supersede(
        self, workspace: str, scope: str, *, expected: str | None, wait_s: float, by: str
    ) -> SupersedeOutcome:
        """Stop the active run of a scope and wait until it has settled.

        Only the run that is active when this is asked is ever stopped: one that takes the scope
        meanwhile is told of and left alone, so two callers never stop each other's new run.

        Args:
            expected: id of the run to replace; another active one is left alone.
            wait_s: how long it may take to settle, in seconds.

        Raises:
            BadInput: the wait is no number of seconds from 0 to `LONGEST_WAIT_S`.
        """
        if not (math.isfinite(wait_s) and 0 <= wait_s <= LONGEST_WAIT_S):
            raise BadInput(f"the wait must be 0 to {LONGEST_WAIT_S:g} seconds; nothing was stopped")
        found = await self._active_in(workspace, scope)
        if found is None or expected not in (None, found.id):
            return supersede_outcome(scope, found, None)
        await self._stop_family(found, by, wait_s, is_patient=True)
        stopped = await self._recorder.get(workspace, found.id)
        return supersede_outcome(scope, await self._active_in(workspace, scope), stopped)

    async def close(self) -> None:
        """Let the stops under way end; call it when the runs have settled."""
        if self._tasks:
            await self._within(asyncio.wait(set(self._tasks)), CLOSE_GRACE_S)
        left = set(self._tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    # Stopping

    async def _stop_family(
        self, run: RunView, by: str, wait_s: float, *, is_patient: bool = False
    ) -> set[str]:
        """Stop a run and what it began, and return the ids of all that were asked.

        Args:
            is_patient: whether to wait for calls that their server goes on with as well.
        """
        asked: dict[str, asyncio.Task[None]] = {}
        deadline = self._clock.monotonic() + wait_s
        # Work that is told to stop may still begin a child in the meantime.
        while new := self._not_asked(run, asked):
            for view in reversed(new):  # children before the run that waits for them
                asked[view.id] = self._own(self._end(view, by))
            left_s = max(0.0, deadline - self._clock.monotonic())
            await self._within(self._settled(run.workspace, asked, is_patient), left_s)
        return set(asked)

    def _not_asked(self, run: RunView, asked: dict[str, asyncio.Task[None]]) -> list[RunView]:
        """Return the active runs of a family that are new, each behind the one that began it."""
        active = [
            view
            for view in self._recorder.view()
            if view.workspace == run.workspace and view.status.is_active and view.id not in asked
        ]
        new = [] if run.id in asked else [run]
        begun_by = {*asked, run.id}
        while more := [view for view in active if view.parent in begun_by and view not in new]:
            new += more
            begun_by |= {view.id for view in more}
            active = [view for view in active if view not in more]
        return new

    async def _end(self, run: RunView, by: str) -> None:
        """Ask whoever does the work to end it; this may outlast the wait of the caller."""
        is_shown = run.kind is RunKind.COMMAND or run.stop_phase is not None
        noted = [] if is_shown else [self._own(self._note_asked(run))]
        try:
            await self._ask(run, by)
            await asyncio.gather(*noted)
        except RoostError as error:
            logger.warning("the stop of run %s by %s is incomplete: %s", run.id, by, error)

    async def _ask(self, run: RunView, by: str) -> None:
        if run.kind is RunKind.TOOL_CALL:
            await self._calls.stop(run.workspace, run.id, by=by)
        elif run.kind is RunKind.TASK:
            await self._work_of_tasks.stop(run.workspace, run.id, by=by)
        elif run.kind is not RunKind.COMMAND:
            await self._recorder.request_stop(run.workspace, run.id, by=by)
        elif not await self._commands.stop(run.workspace, run.id, by=by):
            await self._recorder.request_stop(run.workspace, run.id, by=by)
            ending = Ending.aborted("stopped", f"stopped by {by}")
            await self._recorder.finalize(run.workspace, run.id, ending)

    async def _note_asked(self, run: RunView) -> None:
        """Show that the stop has begun; a store that is down keeps no run alive."""
        try:
            await self._recorder.set_stop_phase(run.id, StopPhase.ASKED)
        except RoostError as error:
            logger.warning("the stop of run %s is not shown: %s", run.id, error)

    async def _settled(
        self, workspace: str, asked: dict[str, asyncio.Task[None]], is_patient: bool
    ) -> None:
        await asyncio.gather(
            *(self._seen_settled(workspace, *one, is_patient) for one in asked.items())
        )

    async def _seen_settled(
        self, workspace: str, run_id: str, asked: asyncio.Task[None], is_patient: bool
    ) -> None:
        await asyncio.wait({asked})
        known = await self._recorder.get(workspace, run_id)
        if known.kind is RunKind.TOOL_CALL and not (is_patient and self._calls.is_working(run_id)):
            return  # `ToolCalls` has waited; what is active goes on, or waits for the store
        try:
            await self._recorder.wait_settled(workspace, run_id)
        except RoostError as error:
            logger.warning("the end of run %s could not be read: %s", run_id, error)

    async def _with_respawn(self, outcome: StopOutcome, before: RunView) -> StopOutcome:
        """Add what would end work that goes on in a server although its call was cancelled.

        No server has to answer a cancelled call: unless its end was seen, it may go on. A handler
        of a task is only asked to stop; its worker's end ends it.
        """
        run = outcome.run
        if run.kind is RunKind.TASK:
            return await self._with_worker(outcome)
        was_called = run.kind is RunKind.TOOL_CALL and run.started_at is not None
        if self._calls.has_seen_end(run.id):
            return outcome
        if not (outcome.stopped and was_called and run.bundle is not None):
            return outcome
        try:
            if self._generation(run.workspace, run.bundle) != run.generation:
                return outcome  # the process that worked on it is gone
            impact = await self._impact(run.workspace, run.bundle)
        except (BundleNotFound, NotRunning):
            return outcome
        if impact is None:
            return with_doubt(outcome)
        return with_respawn(outcome, tuple(cut for cut in impact.run_ids if cut != run.id))

    async def _with_worker(self, outcome: StopOutcome) -> StopOutcome:
        """Add what would end a handler that goes on."""
        run = outcome.run
        if run.status is not RunStatus.RUNNING or run.bundle is None:
            return outcome
        try:
            impact = await self._impact(run.workspace, run.bundle)
        except (BundleNotFound, NotRunning):
            return outcome
        cut = impact.run_ids if impact is not None else ()
        return with_worker(outcome, tuple(other for other in cut if other != run.id))

    # Inside

    async def _active_in(self, workspace: str, scope: str) -> RunView | None:
        query = RunQuery(workspace=workspace, scope=scope, statuses=_ACTIVE, limit=1)
        return next(iter(await self._stored(query)), None)

    async def _within(self, work: Coroutine[Any, Any, Any], seconds: float) -> None:
        """Wait for work that only waits itself; it is given up after some seconds."""
        waiting = asyncio.ensure_future(work)
        patience = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            await asyncio.wait({waiting, patience}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            patience.cancel()
            await asyncio.gather(waiting, patience, return_exceptions=True)

    def _own(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
