"""Durable tasks: what is offered and submitted, what workers tell, and schedules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from starlette.responses import Response

from roost.api.declared import Path, Router
from roost.api.frames import frame
from roost.api.reply import reply
from roost.api.routes.common import BEGUN, CONFLICT, RunId, WorkspaceId
from roost.api.routes.runs import Begun
from roost.api.source import Engine
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

router = Router(prefix="/v1", tags=("tasks",))

_WORKSPACE = "/workspaces/{workspace}"
_RUN = "/workspaces/{workspace}/runs/{run_id}"
_SCHEDULE = "/workspaces/{workspace}/schedules/{name}"

TaskName = Annotated[str, Path(description="Name of the task in its workspace")]
ScheduleName = Annotated[str, Path(description="Name of the schedule in its workspace")]


@router.get("/tasks", response_model=list[TaskView])
async def tasks(engine: Engine, workspace: str | None = None) -> Response:
    """List the tasks that workers offer or have offered."""
    return reply(await engine.tasks(workspace))


@router.post(
    _WORKSPACE + "/tasks/{task}/runs",
    status_code=201,
    response_model=SubmitOutcome,
    responses=BEGUN,
)
async def submit_task(
    engine: Engine, begun: Begun, workspace: WorkspaceId, task: TaskName, request: SubmitRequest
) -> Response:
    """Begin a run of a task, or find the one that its idempotency key has begun.

    A stream begins with the event `submitted`, which holds the outcome.
    """
    outcome = await engine.submit_task(workspace, task, request)
    return begun.followed(outcome.run, frame("submitted", outcome)) or reply(outcome, 201)


@router.get(_RUN + "/task", response_model=TaskRunDetail)
async def task_run(engine: Engine, workspace: WorkspaceId, run_id: RunId) -> Response:
    """Return the journal and the attempts of a run of a task."""
    return reply(await engine.task_run(workspace, run_id))


@router.post(_RUN + "/resume", response_model=RunView, responses=CONFLICT)
async def resume_run(engine: Engine, workspace: WorkspaceId, run_id: RunId) -> Response:
    """Let a run go on that waits for the person it acts for, who has to be the one who asks."""
    return reply(await engine.resume_run(workspace, run_id))


@router.post(
    _WORKSPACE + "/workers", status_code=201, response_model=WorkerView, responses=CONFLICT
)
async def register_worker(engine: Engine, workspace: WorkspaceId, hello: WorkerHello) -> Response:
    """Take the tasks and schedules of a worker; only a bundle's token may."""
    return reply(await engine.register_worker(workspace, hello), 201)


@router.post(_WORKSPACE + "/claims", response_model=list[ClaimedRun], responses=CONFLICT)
async def claim_runs(engine: Engine, workspace: WorkspaceId, request: ClaimRequest) -> Response:
    """Claim waiting runs for a registered worker, the oldest first; waits for one if need be."""
    return reply(await engine.claim_runs(workspace, request))


@router.post(_RUN + "/task/report", response_model=RunLease, responses=CONFLICT)
async def report_task(
    engine: Engine, workspace: WorkspaceId, run_id: RunId, report: TaskReport
) -> Response:
    """Store what a handler tells and renew the lease; an empty report is a heartbeat."""
    return reply(await engine.report_task(workspace, run_id, report))


@router.post(_RUN + "/task/end", response_model=RunView, responses=CONFLICT)
async def end_task(engine: Engine, workspace: WorkspaceId, run_id: RunId, end: TaskEnd) -> Response:
    """End an attempt: settle the run, or let it wait for its next attempt."""
    return reply(await engine.end_task(workspace, run_id, end))


@router.post(_RUN + "/task/release", response_model=RunView, responses=CONFLICT)
async def release_task(
    engine: Engine, workspace: WorkspaceId, run_id: RunId, release: ReleaseRequest
) -> Response:
    """Give a run back that its worker cannot finish, by the task's recovery policy."""
    return reply(await engine.release_task(workspace, run_id, release))


@router.get("/schedules", response_model=list[ScheduleView])
async def schedules(engine: Engine, workspace: str | None = None) -> Response:
    """List the schedules."""
    return reply(await engine.schedules(workspace))


@router.post(_WORKSPACE + "/schedules", response_model=ScheduleView, responses=CONFLICT)
async def put_schedule(engine: Engine, workspace: WorkspaceId, spec: ScheduleSpec) -> Response:
    """Make a schedule, or change one that an operator made."""
    return reply(await engine.put_schedule(workspace, spec))


@dataclass(frozen=True, slots=True)
class Pause:
    """Whether a schedule is to be paused."""

    paused: bool


@router.post(_SCHEDULE + "/pause", response_model=ScheduleView, responses=CONFLICT)
async def pause_schedule(
    engine: Engine, workspace: WorkspaceId, name: ScheduleName, pause: Pause
) -> Response:
    """Pause a schedule, or let one that is paused or disabled fire again."""
    return reply(await engine.pause_schedule(workspace, name, paused=pause.paused))


@router.post(_SCHEDULE + "/fire", status_code=201, response_model=SubmitOutcome, responses=CONFLICT)
async def fire_schedule(engine: Engine, workspace: WorkspaceId, name: ScheduleName) -> Response:
    """Submit the task of a schedule now, as a run of its own."""
    return reply(await engine.fire_schedule(workspace, name), 201)


@router.delete(_SCHEDULE, response_model=ActionResult, responses=CONFLICT)
async def remove_schedule(engine: Engine, workspace: WorkspaceId, name: ScheduleName) -> Response:
    """Remove a schedule that an operator made."""
    return reply(await engine.remove_schedule(workspace, name))
