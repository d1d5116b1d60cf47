"""How the fake begins runs: one active run per scope, one run per idempotency key."""

from __future__ import annotations

from typing import Any

from tests.support.fake.controls import FakeControls
from tests.support.fake.world import FakeBundle, FakeRun

from roost.errors import AlreadyActive, IdempotencyConflict, NotRunning
from roost.models import RunEventKind, RunKind, RunStatus, RunView, SlotState


class FakeRuns(FakeControls):
    """What every kind of run has in common."""

    def _require_running(self, workspace: str, name: str) -> FakeBundle:
        bundle = self.world.require_bundle(workspace, name)
        if bundle.view.state is not SlotState.RUNNING:
            raise NotRunning(name, bundle.view.state)
        return bundle

    def _earlier(self, workspace: str, key: str | None, work: tuple[Any, ...]) -> FakeRun | None:
        """Return the run that a key has begun.

        Raises:
            IdempotencyConflict: it began other work than this.
        """
        if key is None:
            return None
        for run in self.world.runs.values():
            view = run.view
            if (view.workspace, view.idempotency_key) != (workspace, key):
                continue
            if _work_of(run) != work:
                raise IdempotencyConflict(key, view.id)
            return run
        return None

    def _refuse_taken_scope(self, workspace: str, scope: str | None) -> None:
        if active := self._active_in(workspace, scope):
            raise AlreadyActive(str(scope), active.view.id)

    def _active_in(self, workspace: str, scope: str | None) -> FakeRun | None:
        """Return the run that occupies a scope."""
        for run in self.world.runs.values():
            view = run.view
            is_here = (view.workspace, view.scope) == (workspace, scope)
            if scope is not None and is_here and view.status.is_active:
                return run
        return None

    def _begin_run(
        self, workspace: str, kind: RunKind, title: str, work: Any, **fields: Any
    ) -> FakeRun:
        """Put a new run there and let it run."""
        self.switches.run_count += 1
        view = RunView(
            id=f"r-{self.switches.run_count:04}",
            workspace=workspace,
            kind=kind,
            status=RunStatus.PENDING,
            title=title,
            created_at=self.clock.now(),
            created_by=self.actor,
            **fields,
        )
        run = FakeRun(view, work)
        self.world.put_run(run)
        self.world.add_run_event(
            run,
            RunEventKind.STATUS,
            "running",
            status=RunStatus.RUNNING,
            started_at=self.clock.now(),
        )
        return run


def _work_of(run: FakeRun) -> tuple[Any, ...]:
    view = run.view
    return view.kind, view.bundle, view.tool, run.input
