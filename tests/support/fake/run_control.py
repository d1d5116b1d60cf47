"""Listing, following, stopping, retrying and replacing runs of the fake."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from tests.support.fake.commands import FakeCommands
from tests.support.fake.switches import Resistance
from tests.support.fake.world import FakeRun

from roost.errors import Refused
from roost.models import (
    RunDetail,
    RunError,
    RunEvent,
    RunEventKind,
    RunKind,
    RunQuery,
    RunStatus,
    RunView,
    StopOutcome,
    StopPhase,
    SupersedeOutcome,
    SupersedeState,
)


class FakeRunControl(FakeCommands):
    """Acts on runs of every kind."""

    def resist_stop(
        self,
        run_id: str,
        phase: StopPhase,
        *,
        respawn: str | None = None,
        would_cut: tuple[str, ...] = (),
    ) -> None:
        """Let the stop of a run come to a phase and no further; `settle_run` ends it."""
        self.switches.resisting[run_id] = Resistance(phase, respawn, would_cut)

    def forget_events(self, run_id: str, up_to: int) -> None:
        """Let retention pass the first events of a run."""
        run = self.world.runs[run_id]
        run.events[:] = [event for event in run.events if event.seq > up_to]
        self.world.wake()

    async def run_events(
        self, workspace: str, run_id: str, *, after: int = 0
    ) -> AsyncIterator[RunEvent]:
        self._begin("run_events", workspace=workspace, run_id=run_id, after=after)
        run = self.world.require_run(workspace, run_id)
        seen = after
        if gap := _gap(run, after):
            seen = gap.seq
            yield gap
        while True:
            for event in tuple(run.events):
                if event.seq > seen:
                    seen = event.seq
                    yield event
            if run.view.last_seq > seen:
                continue
            if not run.view.status.is_active or self.world.is_closed:
                return
            await self.world.wait_for_change()

    async def runs(self, query: RunQuery) -> tuple[RunView, ...]:
        self._begin("runs", query=query)
        views = [run.view for run in reversed(self.world.runs.values())]
        if query.before is not None:
            ids = [view.id for view in views]
            views = views[ids.index(query.before) + 1 :] if query.before in ids else []
        return tuple(view for view in views if _matches(view, query))[: query.limit]

    async def run(self, workspace: str, run_id: str) -> RunDetail:
        self._begin("run", workspace=workspace, run_id=run_id)
        run = self.world.require_run(workspace, run_id)
        dropped = run.events[0].seq - 1 if run.events else 0
        return RunDetail(
            run.view, run.input, run.result, run.is_truncated, tuple(run.events), dropped
        )

    async def stop_run(self, workspace: str, run_id: str) -> StopOutcome:
        self._begin("stop_run", workspace=workspace, run_id=run_id)
        run = self.world.require_run(workspace, run_id)
        if not run.view.status.is_active:
            sentence = f"{run_id} had {run.view.status} before; nothing was changed"
            return StopOutcome(False, run.view, sentence)
        self._ask_to_stop(run)
        resistance = self.switches.resisting.pop(run_id, None)
        if resistance is not None:
            self.change_run(run_id, stop_phase=resistance.phase)
            if resistance.respawn is not None:
                return _ignored(run, resistance)
            while run.view.status.is_active:
                await self.world.wait_for_change()
            return StopOutcome(True, run.view, f"{run_id} was stopped")
        for child in self._active_children(run_id):
            self._ask_to_stop(child)
            self._abort(child)
        return StopOutcome(True, self._abort(run), f"{run_id} was stopped")

    async def retry_run(self, workspace: str, run_id: str) -> RunView:
        self._begin("retry_run", workspace=workspace, run_id=run_id)
        self._refuse_when_stopping()
        run = self.world.require_run(workspace, run_id)
        view = run.view
        if view.status.is_active:
            raise Refused(f"{run_id} is still active; stop it first, then retry it")
        if view.kind not in (RunKind.TOOL_CALL, RunKind.COMMAND):
            raise Refused(f"{run_id} is outside work; whoever does it begins it again")
        self._refuse_taken_scope(workspace, view.scope)
        fields: dict[str, Any] = {"bundle": view.bundle, "tool": view.tool, "scope": view.scope}
        fields |= {"generation": view.generation, "attempt": view.attempt + 1}
        return self._begin_run(workspace, view.kind, view.title, run.input, **fields).view

    async def supersede(
        self, workspace: str, scope: str, *, expected: str | None = None, wait_s: float = 10.0
    ) -> SupersedeOutcome:
        self._begin("supersede", workspace=workspace, scope=scope, expected=expected, wait_s=wait_s)
        active = self._active_in(workspace, scope)
        if active is None:
            return SupersedeOutcome(SupersedeState.IDLE, f"nothing is active in {scope}")
        run_id = active.view.id
        if expected is not None and run_id != expected:
            sentence = f"{run_id} is active in {scope}, not {expected}; nothing was stopped"
            return SupersedeOutcome(SupersedeState.OTHER_ACTIVE, sentence, active.view)
        self._ask_to_stop(active)
        if run_id in self.switches.resisting:
            self.change_run(run_id, stop_phase=self.switches.resisting[run_id].phase)
            sentence = f"{run_id} has not settled within {wait_s:g} s; nothing was started"
            return SupersedeOutcome(SupersedeState.NOT_SETTLING, sentence, active.view)
        sentence = f"{run_id} was stopped; {scope} is free"
        return SupersedeOutcome(SupersedeState.READY, sentence, self._abort(active))

    def _active_children(self, run_id: str) -> list[FakeRun]:
        return [
            run
            for run in self.world.runs.values()
            if run.view.parent == run_id and run.view.status.is_active
        ]

    def _ask_to_stop(self, run: FakeRun) -> None:
        run.view = replace(
            run.view, stop_requested_at=self.clock.now(), stop_requested_by=self.actor
        )

    def _abort(self, run: FakeRun) -> RunView:
        error = RunError("stopped", f"stopped by {run.view.stop_requested_by}")
        return self.settle_run(run.view.id, RunStatus.ABORTED, error=error)


def _ignored(run: FakeRun, resistance: Resistance) -> StopOutcome:
    sentence = f"{run.view.id} was asked to stop, and its server goes on with it"
    return StopOutcome(True, run.view, sentence, resistance.respawn, resistance.would_cut)


def _gap(run: FakeRun, after: int) -> RunEvent | None:
    """Return what tells a viewer that retention has passed its number."""
    first = run.events[0].seq if run.events else run.view.last_seq + 1
    if first <= after + 1:
        return None
    message = f"events up to {first - 1} are not kept any more"
    return RunEvent(run.view.id, first - 1, 0, RunEventKind.RELOAD, message)


def _matches(view: RunView, query: RunQuery) -> bool:
    wanted = (query.workspace, query.bundle, query.scope, query.parent)
    actual = (view.workspace, view.bundle, view.scope, view.parent)
    fits = all(want in (None, have) for want, have in zip(wanted, actual, strict=True))
    fits = fits and (not query.statuses or view.status in query.statuses)
    fits = fits and (not query.kinds or view.kind in query.kinds)
    return fits and (query.since is None or view.created_at >= query.since)
