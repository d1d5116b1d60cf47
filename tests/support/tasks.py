"""Tasks over a ledger, with workers that do what a test says."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from tests.support.fake.clock import FakeClock
from tests.support.ledger import FlakyRows, Ledger

from roost.models import (
    ChangeBody,
    ClaimedRun,
    ClaimRequest,
    JournalWrite,
    ReleaseRequest,
    RunError,
    RunEvent,
    RunLease,
    RunStatus,
    RunView,
    StepState,
    SubmitOutcome,
    SubmitRequest,
    TaskEnd,
    TaskReport,
    TaskRunDetail,
    TaskSpec,
    TaskView,
    WorkerHello,
    WorkerView,
)
from roost.runs import Tasks
from roost.store import SqlStore
from roost.store.base import TaskRows

FAILED = RunError("tool_error", "it broke")


class Workshop:
    """The tasks of one daemon start."""

    def __init__(
        self,
        store: SqlStore,
        directory: Path,
        *,
        owner: str = "daemon-1",
        clock: FakeClock | None = None,
    ) -> None:
        self.store = store
        self.clock = clock or FakeClock()
        self.ledger = Ledger(store.runs, directory, owner=owner, clock=self.clock)
        self.recorder = self.ledger.recorder
        self.rows = FlakyRows(cast("Any", store.tasks))
        self.told: list[ChangeBody] = []
        self.tasks = Tasks(
            self.recorder,
            cast("TaskRows", self.rows),
            publish=self.told.append,
            generation_of=lambda workspace, bundle, generation_id: 7,
        )
        self.ledger.on_run = self.tasks.run_changed

    async def boot(self) -> int:
        """Start as a daemon does; returns how many runs of tasks were recovered."""
        await self.recorder.boot_sweep()
        recovered = await self.tasks.boot()
        await self.recorder.load_recent()
        return recovered

    async def close(self) -> None:
        """Stop as a daemon does."""
        await self.tasks.close()
        await self.recorder.close()

    async def hire(
        self, *specs: TaskSpec, generation_id: str = "g-1", bundle: str = "worker", slots: int = 4
    ) -> WorkerView:
        """Let a worker say what it does; without specs it is the task ``send``."""
        hello = WorkerHello(specs or (TaskSpec("send"),), slots=slots)
        return await self.tasks.register("main", bundle, generation_id, hello)

    async def submit(
        self, given: Any = None, *, task: str = "send", actor: str = "ann", **changes: Any
    ) -> SubmitOutcome:
        request = SubmitRequest(given, **changes)
        return await self.tasks.submit("main", task, request, actor=actor)

    async def claim(
        self, generation_id: str = "g-1", *, free: int = 99, wait_s: float = 0.0
    ) -> tuple[ClaimedRun, ...]:
        return await self.tasks.claim("main", generation_id, ClaimRequest(free, wait_s))

    async def begun(self, given: Any = None, **changes: Any) -> ClaimedRun:
        """Submit a run and claim it."""
        outcome = await self.submit(given, **changes)
        claimed = await self.claim()
        return next(each for each in claimed if each.run.id == outcome.run.id)

    async def claimed_again(self, run_id: str, generation_id: str = "g-1") -> ClaimedRun:
        """Claim a run that waits for its next attempt."""
        (claimed,) = await self.claim(generation_id)
        assert claimed.run.id == run_id
        return claimed

    async def report(self, claimed: ClaimedRun, **told: Any) -> RunLease:
        report = TaskReport(claimed.epoch, **told)
        return await self.tasks.report("main", claimed.run.id, report)

    async def step(
        self, claimed: ClaimedRun, name: str, state: StepState = StepState.DONE, value: Any = None
    ) -> RunLease:
        """Tell of one named step."""
        return await self.report(claimed, journal=(JournalWrite(name, state, value),))

    async def end(
        self, claimed: ClaimedRun, status: RunStatus = RunStatus.SUCCEEDED, **told: Any
    ) -> RunView:
        return await self.tasks.end("main", claimed.run.id, TaskEnd(claimed.epoch, status, **told))

    async def fail(self, claimed: ClaimedRun, *, is_transient: bool = True) -> RunView:
        failed = RunStatus.FAILED
        return await self.end(claimed, failed, error=FAILED, is_transient=is_transient)

    async def release(self, claimed: ClaimedRun, sentence: str = "") -> RunView:
        release = ReleaseRequest(claimed.epoch, sentence)
        return await self.tasks.release("main", claimed.run.id, release)

    async def crash(self, generation_id: str = "g-1") -> None:
        """Let a worker end in the middle of everything."""
        await self.tasks.worker_gone(generation_id, was_asked=False)

    async def run(self, run_id: str) -> RunView:
        """Return a run as it is stored."""
        view = await self.store.runs.get("main", run_id)
        assert view is not None
        return view

    def shown(self, run_id: str) -> RunView:
        """Return a run as viewers see it."""
        return next(view for view in self.recorder.view() if view.id == run_id)

    async def events(self, run_id: str) -> tuple[RunEvent, ...]:
        return await self.store.runs.events(run_id, after=0, limit=1000)

    async def detail(self, run_id: str) -> TaskRunDetail:
        return await self.tasks.detail("main", run_id)

    def view(self, task: str = "send") -> TaskView:
        return next(view for view in self.tasks.views("main") if view.spec.name == task)
