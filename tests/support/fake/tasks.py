"""Tasks of the fake: what is offered and submitted, and what operators do to runs of them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from tests.support.fake.run_control import FakeRunControl
from tests.support.fake.world import FakeRun

from roost.errors import BadInput, QueueFull, Refused, RunNotFound, TaskNotFound
from roost.models import (
    JournalEntry,
    Recovery,
    RunAttempt,
    RunError,
    RunEventKind,
    RunKind,
    RunStatus,
    RunTrigger,
    RunView,
    StopOutcome,
    SubmitOutcome,
    SubmitRequest,
    SubmitState,
    TaskRunDetail,
    TasksChanged,
    TaskSpec,
    TaskView,
    WaitReason,
)
from roost.models.codec import to_json

RETRY_AFTER_S = 30
"""What who finds a full queue is told."""

SLOTS = 1000
"""Of the workers of what a test offers; those of a hello have as many as it says."""


class FakeTasks(FakeRunControl):
    """Offers tasks and takes runs of them."""

    # What tests do from the side

    def offer(self, workspace: str, bundle: str, *specs: TaskSpec, workers: int = 1) -> None:
        """Let a bundle offer tasks, by workers that are there or not."""
        if workers:
            self.world.worker_slots.setdefault((workspace, bundle), SLOTS)
        for spec in specs:
            key = (workspace, spec.name)
            self.world.tasks[key] = TaskView(workspace, bundle, spec, workers=workers)
        self.world.publish(TasksChanged(workspace))

    def put_journal(self, run_id: str, *entries: JournalEntry) -> None:
        """Say which steps of a run stand in its journal."""
        self.world.runs[run_id].journal.extend(entries)

    def put_attempts(self, run_id: str, *attempts: RunAttempt) -> None:
        """Say which attempts a run has had."""
        self.world.runs[run_id].attempts[:] = attempts

    def emit(self, run_id: str, name: str, data: Any = None) -> None:
        """Let a task tell an event of its own making."""
        run = self.world.runs[run_id]
        self.world.add_run_event(run, RunEventKind.EMIT, to_json(data).decode())
        run.events[-1] = replace(run.events[-1], name=name)

    def suspend(self, run_id: str, error: RunError | None = None) -> None:
        """Let a run wait for the person it acts for."""
        self._put_back(self.world.runs[run_id], error, WaitReason.USER)

    # Verbs

    async def tasks(self, workspace: str | None = None) -> tuple[TaskView, ...]:
        self._begin("tasks", workspace=workspace)
        if workspace is not None:
            self.world.require_workspace(workspace)
        return tuple(
            self._counted(view)
            for key, view in sorted(self.world.tasks.items())
            if workspace in (None, key[0])
        )

    async def submit_task(self, workspace: str, task: str, request: SubmitRequest) -> SubmitOutcome:
        self._begin("submit_task", workspace=workspace, task=task, request=request)
        self._refuse_when_stopping()
        return self._submit(workspace, task, request)

    async def task_run(self, workspace: str, run_id: str) -> TaskRunDetail:
        self._begin("task_run", workspace=workspace, run_id=run_id)
        run = self.world.require_run(workspace, run_id)
        return TaskRunDetail(tuple(run.journal), tuple(run.attempts), self._spec_of(run))

    async def resume_run(self, workspace: str, run_id: str) -> RunView:
        self._begin("resume_run", workspace=workspace, run_id=run_id)
        run = self.world.require_run(workspace, run_id)
        if run.view.on_behalf_of not in (None, self.actor):
            raise RunNotFound(run_id)
        if run.view.waits != WaitReason.USER:
            raise Refused(f"{run_id} does not wait for anybody")
        run.view = replace(run.view, waits=None)
        self.world.put_run(run)
        return run.view

    async def stop_run(self, workspace: str, run_id: str) -> StopOutcome:
        run = self.world.require_run(workspace, run_id)
        is_held = run.epoch > 0 and run.view.status is RunStatus.RUNNING
        is_resisting = run_id in self.switches.resisting
        if run.view.kind is not RunKind.TASK or not is_held or is_resisting:
            return await super().stop_run(workspace, run_id)
        self._begin("stop_run", workspace=workspace, run_id=run_id)
        self._ask_to_stop(run)
        self.world.put_run(run)
        while run.view.status.is_active:
            await self.world.wait_for_change()
        return StopOutcome(True, run.view, f"{run_id} was stopped")

    async def retry_run(self, workspace: str, run_id: str) -> RunView:
        run = self.world.require_run(workspace, run_id)
        view = run.view
        if view.task is None or view.status.is_active:
            return await super().retry_run(workspace, run_id)
        self._begin("retry_run", workspace=workspace, run_id=run_id)
        self._refuse_when_stopping()
        is_for_somebody = view.on_behalf_of is not None
        request = SubmitRequest(run.input, view.scope, on_behalf=is_for_somebody, anew=True)
        return self._submit(workspace, view.task, request).run

    # Inside

    def _submit(
        self,
        workspace: str,
        task: str,
        request: SubmitRequest,
        trigger: RunTrigger = RunTrigger.USER,
    ) -> SubmitOutcome:
        view = self._require_task(workspace, task)
        owner = self.actor if request.on_behalf else None
        key = self._key(task, request, owner)
        warning = self._warning(view, request)
        work = (RunKind.TASK, view.bundle, None, request.input)
        if earlier := self._earlier(workspace, key, work):
            is_active = earlier.view.status.is_active
            state = SubmitState.ATTACHED if is_active else SubmitState.REPLAYED
            return SubmitOutcome(state, earlier.view, warning)
        self._refuse_full_queue(view)
        self._refuse_taken_scope(workspace, request.scope)
        self.switches.run_count += 1
        run = FakeRun(
            RunView(
                id=f"r-{self.switches.run_count:04}",
                workspace=workspace,
                kind=RunKind.TASK,
                status=RunStatus.PENDING,
                title=task,
                task=task,
                bundle=view.bundle,
                created_at=self.clock.now(),
                created_by=self.actor,
                on_behalf_of=owner,
                scope=request.scope,
                parent=request.parent,
                trigger=trigger,
                idempotency_key=key,
                waits=None if view.workers else WaitReason.WORKER,
            ),
            request.input,
        )
        self.world.put_run(run)
        self.world.publish(TasksChanged(workspace))
        return SubmitOutcome(SubmitState.NEW, run.view, warning)

    def _key(self, task: str, request: SubmitRequest, owner: str | None) -> str:
        given = request.idempotency_key
        if request.anew:
            if given is not None:
                raise BadInput("a run of its own has no key: give a key or `anew`")
            return f"anew:{self.switches.run_count + 1}"
        if given is None:
            given = json.dumps([task, request.input], sort_keys=True)
        return f"{owner or ''}:{given}"

    def _warning(self, view: TaskView, request: SubmitRequest) -> str | None:
        key = (view.workspace, view.spec.name)
        is_recovered = view.spec.recovery is not Recovery.NEVER
        if not request.on_behalf or not is_recovered or key in self.world.warned_tasks:
            return None
        self.world.warned_tasks.add(key)
        return f"the runs of {view.spec.name!r} that act for a person wait for that person"

    def _refuse_full_queue(self, view: TaskView) -> None:
        counted = self._counted(view)
        waiting = counted.waiting + counted.suspended
        if waiting >= view.spec.queue_limit:
            raise QueueFull(view.spec.name, waiting, RETRY_AFTER_S)

    def _require_task(self, workspace: str, task: str) -> TaskView:
        self.world.require_workspace(workspace)
        view = self.world.tasks.get((workspace, task))
        if view is None:
            raise TaskNotFound(task)
        return view

    def _spec_of(self, run: FakeRun) -> TaskSpec | None:
        offered = self.world.tasks.get((run.view.workspace, run.view.task or ""))
        return offered.spec if offered else None

    def _counted(self, view: TaskView) -> TaskView:
        mine = [
            run.view
            for run in self.world.runs.values()
            if (run.view.workspace, run.view.task) == (view.workspace, view.spec.name)
        ]
        suspended = [run for run in mine if run.waits == WaitReason.USER and run.status.is_active]
        pending = [run for run in mine if run.status is RunStatus.PENDING]
        return replace(
            view,
            waiting=len(pending) - len(suspended),
            running=sum(run.status is RunStatus.RUNNING for run in mine),
            suspended=len(suspended),
        )

    def _put_back(
        self,
        run: FakeRun,
        error: RunError | None,
        waits: WaitReason | None,
        available_at: int | None = None,
    ) -> RunView:
        """Let a run wait for its next attempt."""
        self._end_attempt(run, error)
        run.journal[:] = [
            replace(entry, was_interrupted=True) if entry.ended_at is None else entry
            for entry in run.journal
        ]
        run.view = replace(
            run.view,
            status=RunStatus.PENDING,
            waits=waits,
            attempt=run.view.attempt + 1,
            available_at=available_at,
        )
        self.world.put_run(run)
        return run.view

    def _end_attempt(self, run: FakeRun, error: RunError | None) -> None:
        if run.attempts:
            ended = replace(run.attempts[-1], ended_at=self.clock.now(), error=error)
            run.attempts[-1] = ended
