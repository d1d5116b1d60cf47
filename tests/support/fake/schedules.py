"""Schedules of the fake: they are kept, and fire only when they are told to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tests.support.fake.task_work import FakeTaskWork

from roost.errors import BadInput, Refused, ScheduleNotFound
from roost.models import (
    ActionResult,
    ScheduleSpec,
    ScheduleView,
    SubmitOutcome,
    SubmitRequest,
    TasksChanged,
    WorkerHello,
    WorkerView,
)
from roost.runs.cron import Cron
from roost.runs.schedule_rules import check_name, resumed

NEXT_FIRE_MS = 300_000
"""Every schedule of the fake fires five minutes from now."""


class FakeSchedules(FakeTaskWork):
    """Keeps what operators make and workers declare."""

    async def register_worker(self, workspace: str, hello: WorkerHello) -> WorkerView:
        bundle, _ = self._worker()
        self._check_declared(workspace, bundle, hello)
        view = await super().register_worker(workspace, hello)
        self._declare(workspace, bundle, hello.schedules)
        return view

    async def schedules(self, workspace: str | None = None) -> tuple[ScheduleView, ...]:
        self._begin("schedules", workspace=workspace)
        if workspace is not None:
            self.world.require_workspace(workspace)
        return tuple(
            self._shown(view)
            for key, view in sorted(self.world.schedules.items())
            if workspace in (None, key[0])
        )

    async def put_schedule(self, workspace: str, spec: ScheduleSpec) -> ScheduleView:
        self._begin("put_schedule", workspace=workspace, spec=spec)
        self.world.require_workspace(workspace)
        check_name(spec.name)
        Cron(spec.cron, spec.timezone)
        self._require_task(workspace, spec.task)
        held = self.world.schedules.get((workspace, spec.name))
        if held is not None and held.bundle is not None:
            raise Refused(f"the schedule {spec.name!r} is declared by {held.bundle!r}")
        return self._place(workspace, spec, None)

    def put_schedule_view(self, view: ScheduleView) -> ScheduleView:
        """Put a schedule there as it is."""
        self.world.schedules[view.workspace, view.spec.name] = view
        self.world.publish(TasksChanged(view.workspace))
        return view

    async def pause_schedule(self, workspace: str, name: str, *, paused: bool) -> ScheduleView:
        self._begin("pause_schedule", workspace=workspace, name=name, paused=paused)
        view = self._require_schedule(workspace, name)
        if paused:
            view = replace(view, is_paused=True)
        elif view.is_paused or view.disabled is not None:
            cron = Cron(view.spec.cron, view.spec.timezone)
            view = replace(resumed(view, cron, self.clock.now()), next_at=self._next_at())
        return self._shown(self.put_schedule_view(view))

    async def fire_schedule(self, workspace: str, name: str) -> SubmitOutcome:
        self._begin("fire_schedule", workspace=workspace, name=name)
        self._refuse_when_stopping()
        spec = self._require_schedule(workspace, name).spec
        return self._submit(workspace, spec.task, SubmitRequest(spec.input, anew=True))

    async def remove_schedule(self, workspace: str, name: str) -> ActionResult:
        self._begin("remove_schedule", workspace=workspace, name=name)
        view = self._require_schedule(workspace, name)
        if view.bundle is not None:
            raise Refused(f"the schedule {name!r} is declared by {view.bundle!r}; pause it instead")
        self._drop(view)
        return ActionResult(True, f"the schedule {name} of {workspace} is removed")

    # Inside

    def _check_declared(self, workspace: str, bundle: str, hello: WorkerHello) -> None:
        names = [spec.name for spec in hello.schedules]
        for spec in hello.schedules:
            check_name(spec.name)
            Cron(spec.cron, spec.timezone)
            if names.count(spec.name) > 1:
                raise BadInput(f"the schedule {spec.name!r} is declared twice")
            if spec.task not in {task.name for task in hello.tasks}:
                raise BadInput(f"the schedule {spec.name!r} is of a task that is not offered")
            held = self.world.schedules.get((workspace, spec.name))
            if held is not None and held.bundle != bundle:
                raise BadInput(f"the schedule {spec.name!r} belongs to somebody else")

    def _declare(self, workspace: str, bundle: str, specs: Sequence[ScheduleSpec]) -> None:
        declared = {spec.name for spec in specs}
        for view in tuple(self.world.schedules.values()):
            is_own = (view.workspace, view.bundle) == (workspace, bundle)
            if is_own and view.spec.name not in declared:
                self._drop(view)
        for spec in specs:
            self._place(workspace, spec, bundle)

    def _place(self, workspace: str, spec: ScheduleSpec, bundle: str | None) -> ScheduleView:
        """Make a schedule, or change one; what it has done so far is kept."""
        held = self.world.schedules.get((workspace, spec.name))
        made = ScheduleView(workspace, spec, bundle, next_at=self._next_at())
        view = made if held is None else replace(held, spec=spec)
        return self._shown(self.put_schedule_view(view))

    def _shown(self, view: ScheduleView) -> ScheduleView:
        is_known = (view.workspace, view.spec.task) in self.world.tasks
        fires = is_known and not view.is_paused and view.disabled is None
        return view if fires else replace(view, next_at=None)

    def _drop(self, view: ScheduleView) -> None:
        del self.world.schedules[view.workspace, view.spec.name]
        self.world.publish(TasksChanged(view.workspace))

    def _next_at(self) -> int:
        return self.clock.now() + NEXT_FIRE_MS

    def _require_schedule(self, workspace: str, name: str) -> ScheduleView:
        view = self.world.schedules.get((workspace, name))
        if view is None:
            raise ScheduleNotFound(name)
        return view
