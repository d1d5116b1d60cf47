"""`TaskVerbs`: tasks, their runs and schedules, bound to the one who asks."""

from __future__ import annotations

from roost.engine.facade_base import FacadeBase
from roost.errors import Refused
from roost.models import (
    ActionResult,
    ClaimedRun,
    ClaimRequest,
    ReleaseRequest,
    RunLease,
    RunView,
    ScheduleSpec,
    ScheduleView,
    SubmitOutcome,
    SubmitRequest,
    TaskEnd,
    TaskReport,
    TaskRunDetail,
    TaskView,
    WorkerHello,
    WorkerView,
)


class TaskVerbs(FacadeBase):
    """The verbs of `EngineAPI` about durable tasks."""

    async def tasks(self, workspace: str | None = None) -> tuple[TaskView, ...]:
        if workspace is not None:
            self._check_workspace(workspace)
        return self._engine.tasks.views(workspace)

    async def submit_task(self, workspace: str, task: str, request: SubmitRequest) -> SubmitOutcome:
        self._refuse_when_stopping()
        self._check_workspace(workspace)
        outcome = await self._engine.tasks.submit(workspace, task, request, actor=self._actor)
        await self._audit("task.submit", workspace, task, outcome.state, outcome.run.id)
        return outcome

    async def task_run(self, workspace: str, run_id: str) -> TaskRunDetail:
        return await self._engine.tasks.detail(workspace, run_id)

    async def resume_run(self, workspace: str, run_id: str) -> RunView:
        self._refuse_when_stopping()
        run = await self._engine.tasks.resume(workspace, run_id, actor=self._actor)
        await self._audit("run.resume", workspace, run_id, "ok")
        return run

    # Workers -----------------------------------------------------------------------------------

    async def register_worker(self, workspace: str, hello: WorkerHello) -> WorkerView:
        self._refuse_when_stopping()
        generation_id = self._own_generation()
        work = self._engine.register_worker(workspace, self._actor, generation_id, hello)
        return await self._engine.whole(work)

    async def claim_runs(self, workspace: str, request: ClaimRequest) -> tuple[ClaimedRun, ...]:
        self._refuse_when_stopping()
        return await self._engine.tasks.claim(workspace, self._own_generation(), request)

    async def report_task(self, workspace: str, run_id: str, report: TaskReport) -> RunLease:
        self._own_generation()
        return await self._engine.tasks.report(workspace, run_id, report)

    async def end_task(self, workspace: str, run_id: str, end: TaskEnd) -> RunView:
        self._own_generation()
        return await self._engine.whole(self._engine.tasks.end(workspace, run_id, end))

    async def release_task(self, workspace: str, run_id: str, release: ReleaseRequest) -> RunView:
        self._own_generation()
        return await self._engine.whole(self._engine.tasks.release(workspace, run_id, release))

    def _own_generation(self) -> str:
        if self._generation_id is None:
            raise Refused(
                "only a worker that Roost runs may do this; `roost add --worker MODULE` "
                "installs one"
            )
        return self._generation_id

    # Schedules ---------------------------------------------------------------------------------

    async def schedules(self, workspace: str | None = None) -> tuple[ScheduleView, ...]:
        if workspace is not None:
            self._check_workspace(workspace)
        return self._engine.schedules.views(workspace)

    async def put_schedule(self, workspace: str, spec: ScheduleSpec) -> ScheduleView:
        self._refuse_when_stopping()
        self._check_workspace(workspace)
        view = await self._engine.whole(self._engine.schedules.put(workspace, spec))
        await self._audit("schedule.put", workspace, spec.name, "ok", spec.cron)
        return view

    async def pause_schedule(self, workspace: str, name: str, *, paused: bool) -> ScheduleView:
        self._refuse_when_stopping()
        view = await self._engine.whole(self._engine.schedules.pause(workspace, name, paused))
        await self._audit("schedule.pause" if paused else "schedule.resume", workspace, name, "ok")
        return view

    async def fire_schedule(self, workspace: str, name: str) -> SubmitOutcome:
        self._refuse_when_stopping()
        outcome = await self._engine.schedules.fire(workspace, name, actor=self._actor)
        await self._audit("schedule.fire", workspace, name, "ok", outcome.run.id)
        return outcome

    async def remove_schedule(self, workspace: str, name: str) -> ActionResult:
        await self._engine.whole(self._engine.schedules.remove(workspace, name))
        await self._audit("schedule.remove", workspace, name, "ok")
        return ActionResult(True, f"the schedule {name} of {workspace} is removed")
