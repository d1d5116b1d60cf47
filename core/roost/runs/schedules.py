"""`Schedules`: when tasks are submitted by themselves, as operators make it and workers declare."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

from roost.clock import Clock
from roost.errors import BadInput, Refused, TaskNotFound
from roost.models import (
    ChangeBody,
    RunView,
    ScheduleSpec,
    ScheduleView,
    SubmitOutcome,
    SubmitRequest,
)
from roost.runs.cron import Cron
from roost.runs.kept_schedules import KeptSchedules
from roost.runs.schedule_fires import ScheduleFires, TaskQueue
from roost.runs.schedule_rules import check_name, placed, resumed
from roost.store.base import ScheduleRows

DECLARED_LIMIT = 1000
"""Schedules of one worker, as many as it may offer tasks."""

CheckInput = Callable[[str, str, str | None, Any], None]


class Schedules:
    """Keeps every schedule and submits its task when its time has come.

    Args:
        rows: where they are kept.
        tasks: takes the fires.
        knows: says of a workspace and a task whether a bundle offers it, or has offered it.
        check_input: refuses what could not be submitted, by workspace, task, the bundle that offers
            it or None for whichever does, and the input.
        clock: tells when one is due.
        publish: told when a schedule has changed.
    """

    def __init__(
        self,
        rows: ScheduleRows,
        tasks: TaskQueue,
        *,
        knows: Callable[[str, str], bool],
        check_input: CheckInput,
        clock: Clock,
        publish: Callable[[ChangeBody], None],
    ) -> None:
        self._kept = KeptSchedules(rows, knows=knows, publish=publish)
        self._fires = ScheduleFires(self._kept, tasks, clock)
        self._tasks = tasks
        self._check_input = check_input
        self._clock = clock

    async def load(self) -> None:
        """Read what earlier daemons have kept."""
        await self._kept.load()

    async def run(self) -> None:
        """Fire what is due, for as long as it is not cancelled."""
        await self._fires.run()

    def run_changed(self, run: RunView) -> None:
        """Take note of a run of a schedule that has settled."""
        self._fires.run_changed(run)

    def views(self, workspace: str | None = None) -> tuple[ScheduleView, ...]:
        """Return the schedules by workspace and name."""
        kept = (view for view in self._kept.all if workspace in (None, view.workspace))
        return tuple(self._kept.shown(view) for view in kept)

    async def put(self, workspace: str, spec: ScheduleSpec) -> ScheduleView:
        """Make a schedule, or change one that an operator made.

        Raises:
            BadInput: its name, times or time zone do not fit. TaskNotFound: nobody offers its task.
            Refused: a worker declares it.
        """
        async with self._kept.changing:
            check_name(spec.name)
            cron = Cron(spec.cron, spec.timezone)
            if not self._kept.knows(workspace, spec.task):
                raise TaskNotFound(spec.task)
            self._check_input(workspace, spec.task, None, spec.input)
            old = self._kept.get(workspace, spec.name)
            if old is not None and old.bundle is not None:
                raise _declared(old, "change it in its module")
            made = ScheduleView(workspace, spec)
            return await self._store(placed(old, spec, cron, self._clock.now(), made))

    async def pause(self, workspace: str, name: str, paused: bool) -> ScheduleView:
        """Pause a schedule, or let one that is paused or disabled fire again.

        Raises:
            ScheduleNotFound: no such schedule in this workspace.
        """
        async with self._kept.changing:
            view = self._kept.found(workspace, name)
            if paused:
                return await self._store(replace(view, is_paused=True))
            if not view.is_paused and view.disabled is None:
                return self._kept.shown(view)
            cron = Cron(view.spec.cron, view.spec.timezone)
            return await self._store(resumed(view, cron, self._clock.now()))

    async def fire(self, workspace: str, name: str, *, actor: str) -> SubmitOutcome:
        """Submit the task of a schedule now, as a run of its own.

        Raises:
            ScheduleNotFound, and what a submit raises.
        """
        spec = self._kept.found(workspace, name).spec
        request = SubmitRequest(spec.input, anew=True)
        return await self._tasks.submit(workspace, spec.task, request, actor=actor)

    async def remove(self, workspace: str, name: str) -> None:
        """Remove a schedule that an operator made.

        Raises:
            ScheduleNotFound: no such schedule in this workspace. Refused: a worker declares it.
        """
        async with self._kept.changing:
            view = self._kept.found(workspace, name)
            if view.bundle is not None:
                raise _declared(view, f"`roost schedule pause {name}` keeps it from firing")
            await self._kept.drop(view)

    def check_declared(
        self, workspace: str, bundle: str, specs: Sequence[ScheduleSpec], tasks: Collection[str]
    ) -> None:
        """Make sure that a worker may declare these schedules.

        Args:
            tasks: names of the tasks that it offers.

        Raises:
            BadInput: one does not fit, or it belongs to somebody else.
        """
        if len(specs) > DECLARED_LIMIT:
            raise BadInput(f"a worker declares at most {DECLARED_LIMIT} schedules")
        names = [spec.name for spec in specs]
        for spec in specs:
            check_name(spec.name)
            Cron(spec.cron, spec.timezone)
            if names.count(spec.name) > 1:
                raise BadInput(f"the schedule {spec.name!r} is declared twice; rename one of them")
            if spec.task not in tasks:
                raise BadInput(
                    f"the schedule {spec.name!r} is of the task {spec.task!r}, which this worker "
                    "does not offer; declare it where that task is"
                )
            self._check_owner(workspace, bundle, spec.name)
            self._check_input(workspace, spec.task, bundle, spec.input)

    def _check_owner(self, workspace: str, bundle: str, name: str) -> None:
        old = self._kept.get(workspace, name)
        if old is not None and old.bundle != bundle:
            owner = "an operator" if old.bundle is None else f"the bundle {old.bundle!r}"
            raise BadInput(
                f"{owner} has made the schedule {name!r} of {workspace} already; rename one of "
                "the two"
            )

    async def declare(self, workspace: str, bundle: str, specs: Sequence[ScheduleSpec]) -> None:
        """Take the schedules of a worker; those that it declared before and does not now go.

        Raises:
            BadInput: one belongs to somebody else by now; nothing was changed then.
        """
        async with self._kept.changing:
            for spec in specs:
                self._check_owner(workspace, bundle, spec.name)
            for spec in specs:
                cron, made = Cron(spec.cron, spec.timezone), ScheduleView(workspace, spec, bundle)
                old = self._kept.get(workspace, spec.name)
                view = placed(old, spec, cron, self._clock.now(), made)
                if view != old:
                    await self._kept.store(view)
            await self._drop_declared(workspace, bundle, {spec.name for spec in specs})
        self._kept.woken.set()  # an operator's schedule may have waited for tasks of this worker

    async def forget_bundle(self, workspace: str, bundle: str) -> None:
        """Remove the schedules of a bundle that is gone."""
        async with self._kept.changing:
            await self._drop_declared(workspace, bundle, set())

    async def _drop_declared(self, workspace: str, bundle: str, stay: Collection[str]) -> None:
        for view in self._kept.all:
            is_declared = (view.workspace, view.bundle) == (workspace, bundle)
            if is_declared and view.spec.name not in stay:
                await self._kept.drop(view)

    async def _store(self, view: ScheduleView) -> ScheduleView:
        return self._kept.shown(await self._kept.store(view))


def _declared(view: ScheduleView, way_out: str) -> Refused:
    return Refused(
        f"the bundle {view.bundle!r} declares the schedule {view.spec.name!r}; {way_out}"
    )
