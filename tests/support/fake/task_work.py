"""What workers do to the fake: they register, claim, tell, end and give back.

What is refused and what becomes of a run are the engine's own rules, which are pure.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from tests.support.fake.tasks import FakeTasks
from tests.support.fake.world import FakeRun

from roost.errors import BadInput, LeaseLost, Refused, TaskTaken
from roost.models import (
    ClaimedRun,
    ClaimRequest,
    JournalEntry,
    JournalWrite,
    ReleaseRequest,
    RunAttempt,
    RunError,
    RunEventKind,
    RunKind,
    RunLease,
    RunStatus,
    RunView,
    StepState,
    TaskEnd,
    TaskReport,
    WaitReason,
    WorkerHello,
    WorkerView,
)
from roost.runs.payload import Payloads
from roost.runs.task_checks import check_end, check_hello, check_report
from roost.runs.task_recovery import INTERRUPTED, Requeue, after_failure, after_loss, stopped

LEASE_MS = 30_000

PAYLOADS = Payloads(lambda workspace, bundle: lambda value: value)
"""The fake knows no secrets."""


class FakeTaskWork(FakeTasks):
    """Lets workers do the runs of tasks."""

    async def register_worker(self, workspace: str, hello: WorkerHello) -> WorkerView:
        self._begin("register_worker", workspace=workspace, hello=hello)
        bundle, generation_id = self._worker()
        check_hello(hello)
        for spec in hello.tasks:
            offered = self.world.tasks.get((workspace, spec.name))
            if offered is not None and offered.bundle != bundle:
                raise TaskTaken(spec.name, offered.bundle)
        for key, view in tuple(self.world.tasks.items()):
            if (view.workspace, view.bundle) == (workspace, bundle):
                del self.world.tasks[key]
        self.offer(workspace, bundle, *hello.tasks)
        self.world.worker_slots[workspace, bundle] = hello.slots
        names = tuple(spec.name for spec in hello.tasks)
        return WorkerView(workspace, bundle, generation_id, hello.slots, names)

    async def claim_runs(self, workspace: str, request: ClaimRequest) -> tuple[ClaimedRun, ...]:
        self._begin("claim_runs", workspace=workspace, request=request)
        bundle, _ = self._worker()
        if (workspace, bundle) not in self.world.worker_slots:
            raise Refused("a worker has to tell its tasks before it claims runs of them")
        if request.free < 1:
            raise BadInput("a claim is for 1 run or more, within a number of seconds")
        claimed = self._claim_some(workspace, bundle, request.free)
        with suppress(TimeoutError):
            async with asyncio.timeout(request.wait_s):
                while not claimed and request.wait_s > 0:
                    await self.world.wait_for_change()
                    claimed = self._claim_some(workspace, bundle, request.free)
        return claimed

    async def report_task(self, workspace: str, run_id: str, report: TaskReport) -> RunLease:
        self._begin("report_task", workspace=workspace, run_id=run_id, report=report)
        self._worker()
        run = self._held_task(workspace, run_id, report.epoch)
        check_report(PAYLOADS, workspace, run.view.bundle or "", report)
        for written in report.journal:
            self._write_journal(run, written)
        for step in report.steps:
            self.progress(run_id, step.current, step.total, step.message)
        for emission in report.emissions:
            self.emit(run_id, emission.name, emission.data)
        if report.output is not None:
            self.output(run_id, report.output)
        if report.link is not None:
            self.change_run(run_id, link=report.link)
        until = self.clock.now() + LEASE_MS
        return RunLease(run.view, run.epoch, until, run.view.stop_requested_at is not None)

    async def end_task(self, workspace: str, run_id: str, end: TaskEnd) -> RunView:
        self._begin("end_task", workspace=workspace, run_id=run_id, end=end)
        self._worker()
        check_end(end)
        run = self._known_task(workspace, run_id, end.epoch)
        if not run.view.status.is_active:
            return run.view
        self._held_task(workspace, run_id, end.epoch)
        error = None if end.status is RunStatus.SUCCEEDED else _error(end)
        if error is not None and end.is_transient and end.status is RunStatus.FAILED:
            spec = self._spec_of(run)
            requeue = after_failure(run.view, spec, error, tuple(run.attempts))
            if requeue is not None:
                return self._requeue(run, requeue)
        if end.link is not None:
            self.change_run(run_id, link=end.link)
        status = end.status
        if run.view.stop_requested_at is not None:
            status, error = RunStatus.ABORTED, stopped(run.view).error
        return self._settle(run, status, error, end.result)

    async def release_task(self, workspace: str, run_id: str, release: ReleaseRequest) -> RunView:
        self._begin("release_task", workspace=workspace, run_id=run_id, release=release)
        self._worker()
        run = self._held_task(workspace, run_id, release.epoch)
        verdict = after_loss(
            run.view,
            self._spec_of(run),
            RunError(INTERRUPTED, release.sentence or "its worker left in the middle of it"),
            journal=tuple(run.journal),
            attempts=tuple(run.attempts),
            now=self.clock.now(),
        )
        if isinstance(verdict, Requeue):
            return self._requeue(run, verdict)
        return self._settle(run, verdict.status, verdict.error, verdict.result)

    # Inside

    def _worker(self) -> tuple[str, str]:
        if self.generation_id is None:
            raise Refused("only a worker that Roost runs may do this")
        return self.actor, self.generation_id

    def _claim_some(self, workspace: str, bundle: str, free: int) -> tuple[ClaimedRun, ...]:
        claimed: list[ClaimedRun] = []
        for run in tuple(self.world.runs.values()):
            if len(claimed) < free and self._may_begin(run, workspace, bundle):
                claimed.append(self._claim(run))
        return tuple(claimed)

    def _may_begin(self, run: FakeRun, workspace: str, bundle: str) -> bool:
        view = run.view
        offered = self.world.tasks.get((workspace, view.task or ""))
        if view.workspace != workspace or offered is None or offered.bundle != bundle:
            return False
        is_waiting = view.status is RunStatus.PENDING and view.waits != WaitReason.USER
        if not is_waiting or (view.available_at or 0) > self.clock.now():
            return False
        slots = offered.spec.slots
        has_slot = slots is None or self._counted(offered).running < slots
        return has_slot and self._running(workspace, bundle) < self._slots_of(workspace, bundle)

    def _slots_of(self, workspace: str, bundle: str) -> int:
        return self.world.worker_slots[workspace, bundle]

    def _running(self, workspace: str, bundle: str) -> int:
        return sum(
            (run.view.workspace, run.view.bundle) == (workspace, bundle)
            and run.view.kind is RunKind.TASK
            and run.view.status is RunStatus.RUNNING
            for run in self.world.runs.values()
        )

    def _claim(self, run: FakeRun) -> ClaimedRun:
        run.epoch += 1
        now = self.clock.now()
        message = "running" if run.view.attempt == 1 else f"running (attempt {run.view.attempt})"
        changes: dict[str, Any] = {"status": RunStatus.RUNNING, "started_at": now, "waits": None}
        self.world.add_run_event(run, RunEventKind.STATUS, message, **changes)
        run.attempts.append(RunAttempt(run.view.attempt, now, bundle=run.view.bundle, generation=1))
        return ClaimedRun(run.view, run.epoch, LEASE_MS, run.input, tuple(run.journal))

    def _known_task(self, workspace: str, run_id: str, epoch: int) -> FakeRun:
        run = self.world.require_run(workspace, run_id)
        if run.epoch != epoch or run.view.task is None:
            raise LeaseLost(run_id, "another attempt holds it")
        return run

    def _held_task(self, workspace: str, run_id: str, epoch: int) -> FakeRun:
        run = self._known_task(workspace, run_id, epoch)
        if run.view.status is not RunStatus.RUNNING:
            raise LeaseLost(run_id, f"it is {run.view.status}")
        return run

    def _requeue(self, run: FakeRun, requeue: Requeue) -> RunView:
        if requeue.journal == "emptied":
            run.journal.clear()
        pause_ms = requeue.pause_ms
        available_at = None if pause_ms is None else self.clock.now() + pause_ms
        return self._put_back(run, requeue.error, requeue.waits, available_at)

    def _settle(
        self, run: FakeRun, status: RunStatus, error: RunError | None, result: Any
    ) -> RunView:
        self._end_attempt(run, error)
        return self.settle_run(run.view.id, status, result=result, error=error)

    def _write_journal(self, run: FakeRun, written: JournalWrite) -> None:
        now = self.clock.now()
        is_started = written.state is StepState.STARTED
        before = next((entry for entry in run.journal if entry.name == written.name), None)
        entry = JournalEntry(
            written.name,
            written.state,
            run.view.attempt,
            now if is_started or before is None else before.started_at,
            None if is_started else now,
            written.error if written.state is StepState.FAILED else written.value,
            before is not None and before.was_interrupted,
        )
        if before is None:
            run.journal.append(entry)
        else:
            run.journal[run.journal.index(before)] = entry


def _error(end: TaskEnd) -> RunError:
    return end.error or RunError(str(end.status), "its handler did not say why")
