"""Schedules over a real store, with a task queue that keeps runs as the ledger does."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from tests.support.fake.clock import FakeClock

from roost.errors import BadInput, IdempotencyConflict, RoostError, TaskNotFound
from roost.models import (
    ChangeBody,
    RunError,
    RunKind,
    RunStatus,
    RunTrigger,
    RunView,
    ScheduleSpec,
    ScheduleView,
    SubmitOutcome,
    SubmitRequest,
    SubmitState,
)
from roost.runs import Schedules
from roost.store.base import ScheduleRows

MINUTE_MS = 60_000

TURNS = 50
"""Of the event loop: many times what it takes from being woken to the next rest."""

SECRET = "hunter2hunter2"
"""Input that no schedule may have."""


@dataclass
class Submitted:
    """One submit that was taken."""

    run: RunView
    input: Any


class FakeQueue:
    """Takes submits under their keys, for as long as no daemon forgets them: never."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.tasks = {("main", "report"), ("other", "report")}
        self.taken: dict[str, Submitted] = {}
        """By key."""
        self.refusal: RoostError | None = None
        self.submits = 0
        self.before_submit: asyncio.Event | None = None
        """Holds a submit up before it is taken."""
        self.after_submit: asyncio.Event | None = None
        """Holds a submit up that has been taken."""
        self.was_taken = asyncio.Event()

    def knows(self, workspace: str, task: str) -> bool:
        return (workspace, task) in self.tasks

    def check_input(self, workspace: str, task: str, bundle: str | None, given: Any) -> None:
        if given == SECRET:
            raise BadInput("the input holds a secret; leave it out")

    async def submit(
        self,
        workspace: str,
        task: str,
        request: SubmitRequest,
        *,
        actor: str,
        trigger: RunTrigger = RunTrigger.USER,
    ) -> SubmitOutcome:
        self.submits += 1
        if self.before_submit is not None:
            await self.before_submit.wait()
        if self.refusal is not None:
            raise self.refusal
        if (workspace, task) not in self.tasks:
            raise TaskNotFound(task)
        key = request.idempotency_key or secrets.token_hex(8)
        known = self.taken.get(key)
        if known is not None and known.input != request.input:
            raise IdempotencyConflict(key, known.run.id)
        if known is not None:
            return SubmitOutcome(SubmitState.ATTACHED, known.run)
        run = RunView(
            id=f"run-{len(self.taken) + 1}",
            workspace=workspace,
            kind=RunKind.TASK,
            status=RunStatus.PENDING,
            title=task,
            created_at=self.clock.now(),
            trigger=trigger,
            created_by=actor,
            idempotency_key=key,
            task=task,
        )
        self.taken[key] = Submitted(run, request.input)
        self.was_taken.set()
        if self.after_submit is not None:
            await self.after_submit.wait()
        return SubmitOutcome(SubmitState.NEW, run)


class Daemon:
    """The schedules of one daemon start."""

    def __init__(self, rows: ScheduleRows, clock: FakeClock, queue: FakeQueue) -> None:
        self.clock = clock
        self.queue = queue
        self.published: list[ChangeBody] = []
        self.schedules = Schedules(
            rows,
            queue,
            knows=queue.knows,
            check_input=queue.check_input,
            clock=clock,
            publish=self.published.append,
        )
        self.firing: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Daemon]:
        """Load what is kept and fire what is due, until the end."""
        await self.schedules.load()
        self.firing = asyncio.create_task(self.schedules.run())
        try:
            await self.rested()
            yield self
        finally:
            await self.kill()

    async def kill(self) -> None:
        """End in the middle of whatever is under way."""
        assert self.firing is not None
        self.firing.cancel()
        await asyncio.gather(self.firing, return_exceptions=True)

    async def rested(self) -> None:
        """Wait until all is fired that is due, and the next look at the clock is waited for."""
        async with asyncio.timeout(30):
            while not await self._is_at_rest():  # noqa: ASYNC110 - a write has no event of its own
                await asyncio.sleep(0.001)

    async def _is_at_rest(self) -> bool:
        """Let all go on that waits for nothing; then only a write keeps it from its rest."""
        for _ in range(TURNS):
            await asyncio.sleep(0)
        return self.clock.sleepers > 0

    async def rested_but_held(self) -> None:
        """Let everything go on that does not wait for a submit."""
        for _ in range(20):
            await asyncio.sleep(0.001)

    async def at(self, milliseconds: int) -> None:
        """Move the clock to a moment in the steps in which a daemon lives through them."""
        while (left := milliseconds - self.clock.now()) > 0:
            self.clock.advance(min(left, MINUTE_MS / 2) / 1000)
            await self.rested()

    async def jump(self, milliseconds: int) -> None:
        """Move the clock to a moment at once, as where a machine slept."""
        self.clock.advance((milliseconds - self.clock.now()) / 1000)
        await self.rested()

    async def put(self, **changes: Any) -> ScheduleView:
        """Make a schedule of every five minutes."""
        values: dict[str, Any] = {"name": "often", "task": "report", "cron": "*/5 * * * *"}
        return await self.schedules.put("main", ScheduleSpec(**values | changes))

    def view(self, name: str = "often") -> ScheduleView:
        """Return a schedule as clients see it."""
        found = {view.spec.name: view for view in self.schedules.views("main")}
        return found[name]

    @property
    def fired(self) -> list[str]:
        """Keys of all that was submitted, in order."""
        return list(self.queue.taken)

    async def settle(self, status: RunStatus) -> None:
        """Let the newest run end."""
        run = list(self.queue.taken.values())[-1].run
        error = RunError("boom", "it broke") if status is RunStatus.FAILED else None
        self.schedules.run_changed(replace(run, status=status, error=error))
        await self.rested()
