"""`ScheduleFires`: submits the tasks of schedules when their time has come.

A fire is submitted under a key that holds its time, and only then is the next one kept. A daemon
that ends in between finds the same fire due again, and its key finds the run that it has begun.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from dataclasses import replace
from typing import Protocol

from roost.clock import Clock
from roost.errors import IdempotencyConflict, RoostError, ShuttingDown, StoreUnavailable
from roost.models import (
    RunStatus,
    RunTrigger,
    RunView,
    ScheduleView,
    SubmitOutcome,
    SubmitRequest,
)
from roost.runs.cron import Cron, fire_name
from roost.runs.kept_schedules import KeptSchedules
from roost.runs.schedule_rules import due_fires, with_failure

logger = logging.getLogger(__name__)

LONGEST_REST_S = 60.0
"""The wall clock may be set, and a machine that slept wakes up late: it is looked at this often."""

AGAIN_S = 5.0
"""Until what the store did not take is tried again."""

RUNS_COUNTED = 1000
"""Settled runs that are remembered, so that none is counted twice."""

BY = "schedule:"
"""What stands before a schedule's name where a run tells who began it, and in its key."""

_LATER = (StoreUnavailable, ShuttingDown)
"""Refusals that say nothing of the schedule: its fire stays due."""


class TaskQueue(Protocol):
    """Takes what is to be run."""

    async def submit(
        self,
        workspace: str,
        task: str,
        request: SubmitRequest,
        *,
        actor: str,
        trigger: RunTrigger = RunTrigger.USER,
    ) -> SubmitOutcome:
        """Begin a run of a task, or find the one that its idempotency key has begun."""
        ...


class ScheduleFires:
    """Fires what is due, and counts how the runs of it end.

    Args:
        kept: the schedules.
        tasks: takes the fires.
        clock: tells when one is due.
    """

    def __init__(self, kept: KeptSchedules, tasks: TaskQueue, clock: Clock) -> None:
        self._kept = kept
        self._tasks = tasks
        self._clock = clock
        self._settled: list[RunView] = []
        """Runs of schedules that are not counted yet."""
        self._counted: OrderedDict[str, None] = OrderedDict()

    def run_changed(self, run: RunView) -> None:
        """Take note of a run of a schedule that has settled."""
        if run.trigger is RunTrigger.SCHEDULE and not run.status.is_active:
            self._settled.append(run)
            self._kept.woken.set()

    async def run(self) -> None:
        """Fire what is due, for as long as it is not cancelled."""
        while True:
            self._kept.woken.clear()
            seconds = await self.turn()
            await self._rest(seconds)

    async def turn(self) -> float:
        """Do what is to be done now; return after how many seconds there may be more."""
        try:
            await self._count_settled()
            for view in self._kept.all:
                await self._fire_due(view.workspace, view.spec.name)
        except _LATER as error:
            logger.warning("the schedules wait for %g s: %s", AGAIN_S, error)
            return AGAIN_S
        except Exception:
            logger.exception("the schedules were not all fired; they are looked at again")
            return LONGEST_REST_S
        now = self._clock.now()
        times = (self._kept.next_at(view) for view in self._kept.all)
        left = (max(at - now, 0) / 1000 for at in times if at is not None)
        return min((LONGEST_REST_S, *left))

    async def _rest(self, seconds: float) -> None:
        waits = [
            asyncio.create_task(self._clock.sleep(seconds), name="schedule-rest"),
            asyncio.create_task(self._kept.woken.wait(), name="schedule-wake"),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    async def _fire_due(self, workspace: str, name: str) -> None:
        async with self._kept.changing:
            view, now = self._kept.get(workspace, name), self._clock.now()
            next_at = None if view is None else self._kept.next_at(view)
            if view is None or next_at is None or next_at > now:
                return
            cron = Cron(view.spec.cron, view.spec.timezone)
            fires = due_fires(view, cron, now)
            for at in fires:
                view = replace(await self._submit(view, at), next_at=cron.after(at))
                await self._kept.store(view)
                if view.disabled is not None:
                    return
            if not fires:
                await self._kept.store(replace(view, next_at=cron.after(now)))

    async def _submit(self, view: ScheduleView, at: int) -> ScheduleView:
        """Submit one fire; return the schedule after it."""
        spec, done = view.spec, replace(view, last_at=at)
        request = SubmitRequest(spec.input, idempotency_key=f"{BY}{spec.name}:{fire_name(at)}")
        try:
            outcome = await self._tasks.submit(
                view.workspace,
                spec.task,
                request,
                actor=BY + spec.name,
                trigger=RunTrigger.SCHEDULE,
            )
        except _LATER:
            raise
        except IdempotencyConflict:
            return done  # it has had its run, before the schedule's input was changed
        except RoostError as error:
            logger.warning(
                "the schedule %s of %s did not fire: %s", spec.name, view.workspace, error
            )
            return with_failure(done, f"it could not be submitted ({error})")
        return replace(done, last_run=outcome.run.id)

    async def _count_settled(self) -> None:
        while self._settled:
            await self._count(self._settled[0])
            self._settled.pop(0)

    async def _count(self, run: RunView) -> None:
        async with self._kept.changing:
            view = self._kept.get(run.workspace, run.created_by.removeprefix(BY))
            if view is None or run.id in self._counted:
                return
            if run.status is RunStatus.FAILED:
                told = run.error.sentence if run.error is not None else "nobody knows why"
                await self._kept.store(with_failure(view, f"its run {run.id} failed ({told})"))
            elif run.status is RunStatus.SUCCEEDED and view.failures:
                await self._kept.store(replace(view, failures=0))
            self._remember(run.id)

    def _remember(self, run_id: str) -> None:
        self._counted[run_id] = None
        while len(self._counted) > RUNS_COUNTED:
            self._counted.popitem(last=False)
