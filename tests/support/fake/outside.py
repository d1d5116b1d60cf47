"""Outside work of the fake: leases with an epoch that every report needs."""

from __future__ import annotations

from tests.support.fake.recorded_runs import FakeRuns
from tests.support.fake.world import FakeRun

from roost.errors import BadInput, LeaseLost
from roost.models import (
    BeginRequest,
    FinishRequest,
    RunKind,
    RunLease,
    RunReport,
    RunView,
)


class FakeOutside(FakeRuns):
    """Begins, reports and ends what other programs do."""

    async def begin_run(self, workspace: str, request: BeginRequest) -> RunLease:
        self._begin("begin_run", workspace=workspace, request=request)
        self._refuse_when_stopping()
        self.world.require_workspace(workspace)
        if not request.title.strip():
            raise BadInput("outside work needs a title; nothing was begun")
        same = (RunKind.EXTERNAL, request.bundle, None, request.input)
        if earlier := self._earlier(workspace, request.idempotency_key, same):
            if earlier.view.status.is_active:
                earlier.epoch += 1
            return self._lease(earlier, is_new=False)
        self._refuse_taken_scope(workspace, request.scope)
        run = self._begin_run(
            workspace,
            RunKind.EXTERNAL,
            request.title,
            request.input,
            scope=request.scope,
            bundle=request.bundle,
            parent=request.parent,
            on_behalf_of=request.on_behalf_of,
            idempotency_key=request.idempotency_key,
        )
        run.epoch, run.lease_s = 1, request.lease_s
        return self._lease(run)

    async def report_run(self, workspace: str, run_id: str, report: RunReport) -> RunLease:
        self._begin("report_run", workspace=workspace, run_id=run_id, report=report)
        run = self._held(workspace, run_id, report.epoch)
        for step in report.steps:
            self.progress(run_id, step.current, step.total, step.message)
        if report.output is not None:
            self.output(run_id, report.output)
        if report.link is not None:
            self.change_run(run_id, link=report.link)
        return self._lease(run)

    async def finish_run(self, workspace: str, run_id: str, end: FinishRequest) -> RunView:
        self._begin("finish_run", workspace=workspace, run_id=run_id, end=end)
        if end.status.is_active:
            raise BadInput(f"{end.status} is no end of a run; nothing was changed")
        run = self.world.require_run(workspace, run_id)
        if not run.view.status.is_active and run.epoch == end.epoch:
            return run.view
        self._held(workspace, run_id, end.epoch)
        if end.link is not None:
            self.change_run(run_id, link=end.link)
        return self.settle_run(run_id, end.status, result=end.result, error=end.error)

    def _held(self, workspace: str, run_id: str, epoch: int) -> FakeRun:
        run = self.world.require_run(workspace, run_id)
        if not run.view.status.is_active:
            raise LeaseLost(run_id, f"the run has {run.view.status}")
        if run.epoch != epoch:
            raise LeaseLost(run_id, f"epoch {run.epoch} holds it")
        return run

    def _lease(self, run: FakeRun, *, is_new: bool = True) -> RunLease:
        until = self.clock.now() + round(run.lease_s * 1000)
        if run.view.status.is_active:
            run = self.world.runs[run.view.id]
            self.change_run(run.view.id, lease_until=until)
        is_stopping = run.view.stop_requested_at is not None
        return RunLease(run.view, run.epoch, until, is_stopping, is_new)
