"""Whatever happens to runs of tasks in whatever order: no run without an owner, none with two,
one active per scope, one end, and no step lost that was done."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule
from tests.support.stores import STORES, add_workspaces
from tests.support.tasks import Workshop

from roost.errors import (
    AlreadyActive,
    LeaseLost,
    QueueFull,
    Refused,
    RunNotFound,
    StoreUnavailable,
)
from roost.models import (
    ClaimedRun,
    Recovery,
    RetryPolicy,
    RunQuery,
    RunStatus,
    RunView,
    StepState,
    TaskSpec,
)
from roost.store import SqlStore

SPECS = (
    TaskSpec("send", retry=RetryPolicy(attempts=2, first_s=5), slots=2, queue_limit=5),
    TaskSpec("mail", recovery=Recovery.NEVER),
)
SCOPES = st.sampled_from(["a", "b", None])
NAMES = st.sampled_from(["one", "two", "three"])
WORKERS = st.sampled_from(["g-1", "g-2"])


class TaskMachine(RuleBasedStateMachine):
    """Drives tasks over a real store, with workers that come and go, through daemon starts."""

    claims: Bundle[ClaimedRun | None] = Bundle("claims")
    runs: Bundle[str] = Bundle("runs")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.directory = tempfile.TemporaryDirectory()
        self.store: SqlStore = STORES["sqlite"](Path(self.directory.name))
        self.shop: Workshop | None = None
        self.starts = 0
        self.crashes: Counter[str] = Counter()
        """How often a worker of each name has ended; the next one is another generation."""
        self.workers: set[str] = set()
        """Generations that have said what they do and not ended."""
        self.held: dict[str, tuple[str, int]] = {}
        """Who holds which run, and under which epoch, as the workers believe."""
        self.done: dict[tuple[str, str], Any] = {}
        """What each step returned that was told to be done."""
        self.ends: dict[str, RunView] = {}

    @property
    def live(self) -> Workshop:
        assert self.shop is not None
        return self.shop

    @initialize()
    def boot(self) -> None:
        self.runner.run(self.store.open())
        self.runner.run(add_workspaces(self.store, "main"))
        self.start_daemon()

    def start_daemon(self) -> None:
        self.starts += 1
        clock = self.shop.clock if self.shop is not None else None
        owner = f"daemon-{self.starts}"
        self.shop = Workshop(self.store, Path(self.directory.name), owner=owner, clock=clock)
        self.workers.clear()
        self.held.clear()
        self.runner.run(self.shop.boot())

    def generation(self, name: str) -> str:
        return f"{name}-{self.starts}-{self.crashes[name]}"

    @rule(name=WORKERS)
    def hire(self, name: str) -> None:
        generation_id = self.generation(name)
        self.runner.run(self.live.hire(*SPECS, generation_id=generation_id, slots=3))
        self.workers.add(generation_id)

    @rule(
        target=runs,
        task=st.sampled_from(["send", "mail"]),
        number=st.integers(0, 5),
        scope=SCOPES,
        on_behalf=st.booleans(),
    )
    def submit(self, task: str, number: int, scope: str | None, on_behalf: bool) -> str:
        self.live.clock.advance(0.001)
        if not self.live.tasks.knows("main", task):
            return "none"
        submit = self.live.submit(
            number, task=task, scope=scope, on_behalf=on_behalf, anew=number > 2
        )
        try:
            return self.runner.run(submit).run.id
        except (AlreadyActive, QueueFull, StoreUnavailable):
            return "none"

    @rule(target=claims, name=WORKERS, free=st.integers(1, 3))
    def claim(self, name: str, free: int) -> ClaimedRun | None:
        generation_id = self.generation(name)
        try:
            claimed = self.runner.run(self.live.claim(generation_id, free=free))
        except (Refused, StoreUnavailable):
            return None
        assert generation_id in self.workers
        for each in claimed:
            assert each.run.id not in self.held
            assert {entry.name for entry in each.journal} >= self.steps_of(each)
            self.held[each.run.id] = (generation_id, each.epoch)
        return claimed[0] if claimed else None

    def steps_of(self, claimed: ClaimedRun) -> set[str]:
        return {name for run_id, name in self.done if run_id == claimed.run.id}

    def holds(self, claimed: ClaimedRun) -> bool:
        held = self.held.get(claimed.run.id)
        return held is not None and held[1] == claimed.epoch

    @rule(claimed=claims, name=NAMES, is_done=st.booleans())
    def step(self, claimed: ClaimedRun | None, name: str, is_done: bool) -> None:
        if claimed is None:
            return
        state = StepState.DONE if is_done else StepState.STARTED
        value = f"{name} {claimed.epoch}"
        try:
            self.runner.run(self.live.step(claimed, name, state, value))
        except (LeaseLost, RunNotFound, StoreUnavailable):
            return
        assert self.holds(claimed)
        if is_done:
            self.done.setdefault((claimed.run.id, name), value)

    @rule(
        claimed=claims,
        status=st.sampled_from([RunStatus.SUCCEEDED, RunStatus.FAILED]),
        is_transient=st.booleans(),
    )
    def end(self, claimed: ClaimedRun | None, status: RunStatus, is_transient: bool) -> None:
        if claimed is None:
            return
        held = self.holds(claimed)
        try:
            view = self.runner.run(self.live.end(claimed, status, is_transient=is_transient))
        except (LeaseLost, RunNotFound):
            assert not held
            return
        except StoreUnavailable:
            return
        if held:
            del self.held[claimed.run.id]
        else:  # told before
            assert not view.status.is_active or view.waits == "retry"

    @rule(claimed=claims)
    def release(self, claimed: ClaimedRun | None) -> None:
        if claimed is None:
            return
        try:
            view = self.runner.run(self.live.release(claimed))
        except (LeaseLost, RunNotFound, StoreUnavailable):
            return
        assert view.status is not RunStatus.RUNNING
        if self.holds(claimed):
            del self.held[claimed.run.id]

    @rule(run_id=runs)
    def stop(self, run_id: str) -> None:
        try:
            self.runner.run(self.live.tasks.stop("main", run_id, by="eve"))
        except (RunNotFound, StoreUnavailable):
            return

    @rule(run_id=runs, actor=st.sampled_from(["ann", "eve"]))
    def resume(self, run_id: str, actor: str) -> None:
        try:
            view = self.runner.run(self.live.tasks.resume("main", run_id, actor=actor))
        except (Refused, RunNotFound, StoreUnavailable):
            return
        assert view.on_behalf_of == actor

    @rule(name=WORKERS)
    def crash_worker(self, name: str) -> None:
        generation_id = self.generation(name)
        self.crashes[name] += 1
        self.workers.discard(generation_id)
        self.runner.run(self.live.crash(generation_id))
        self.drop(lambda holder: holder == generation_id)

    @rule(seconds=st.sampled_from([6.0, 31.0]))
    def pass_time(self, seconds: float) -> None:
        self.live.clock.advance(seconds)
        self.runner.run(self.live.tasks.sweep())
        if seconds > 30:
            self.drop(lambda holder: True)

    @rule()
    def crash_daemon(self) -> None:
        self.start_daemon()

    @rule()
    def restart_daemon(self) -> None:
        self.runner.run(self.live.close())
        self.start_daemon()

    def drop(self, is_gone: Any) -> None:
        gone = [run_id for run_id, (holder, _) in self.held.items() if is_gone(holder)]
        for run_id in gone:
            del self.held[run_id]

    @invariant()
    def the_rows_are_sound(self) -> None:
        if self.shop is not None:
            self.runner.run(self.check())

    async def check(self) -> None:
        rows = await self.rows_as_shown()
        active = Counter(row.scope for row in rows if row.status.is_active and row.scope)
        assert all(count == 1 for count in active.values())
        running = {row.id for row in rows if row.status is RunStatus.RUNNING}
        assert running == set(self.held)
        assert sum(row.task == "send" for row in rows if row.id in running) <= 2
        for row in rows:
            await self.check_run(row)
        self.check_counts(rows)

    async def rows_as_shown(self) -> tuple[RunView, ...]:
        """Return the rows once viewers see the same: what runs wait for is told by the way."""
        async with asyncio.timeout(30):
            while True:
                rows = await self.store.runs.list(RunQuery(limit=1000))
                if {view.id: view for view in self.live.recorder.view()} == {
                    row.id: row for row in rows
                }:
                    return rows

    async def check_run(self, row: RunView) -> None:
        events = await self.store.runs.events(row.id, after=0, limit=1000)
        assert [event.seq for event in events] == list(range(1, row.last_seq + 1))
        journal, attempts = await self.store.tasks.history(row.id)
        kept = {entry.name: entry for entry in journal if entry.state is StepState.DONE}
        for (run_id, name), value in self.done.items():
            if run_id == row.id:
                assert kept[name].value == value
        under_way = [attempt for attempt in attempts if attempt.ended_at is None]
        assert len(under_way) == (row.status is RunStatus.RUNNING)
        if not row.status.is_active:
            assert self.ends.setdefault(row.id, row) == row

    def check_counts(self, rows: tuple[RunView, ...]) -> None:
        for view in self.live.tasks.views("main"):
            mine = [row for row in rows if row.task == view.spec.name]
            pending = [row for row in mine if row.status is RunStatus.PENDING]
            suspended = sum(row.waits == "user" for row in pending)
            assert view.running == sum(row.status is RunStatus.RUNNING for row in mine)
            assert (view.waiting, view.suspended) == (len(pending) - suspended, suspended)

    def teardown(self) -> None:
        if self.shop is not None:
            self.runner.run(self.shop.close())
            self.held.clear()
            self.runner.run(self.check())
        self.runner.run(self.store.close())
        self.runner.close()
        self.directory.cleanup()


SIZED = partial(
    settings,
    stateful_step_count=30,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)

TaskMachine.TestCase.settings = SIZED(max_examples=8)
TestTasks = TaskMachine.TestCase


class LongTaskMachine(TaskMachine):
    """The same at full size."""


LongTaskMachine.TestCase.settings = SIZED(max_examples=60)
TestTasksAtFullSize = pytest.mark.soak(LongTaskMachine.TestCase)
