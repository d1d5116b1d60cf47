"""How the slots of the fake move: starts step by step, stops, crashes and what they end."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from tests.support.fake.build import generation_view
from tests.support.fake.switches import Switches
from tests.support.fake.world import FakeBundle, FakeRun, FakeWorld

from roost.models import (
    LogStream,
    Reason,
    RespawnResult,
    RunError,
    RunEventKind,
    RunStatus,
    RunView,
    SlotState,
    StartStep,
)
from roost.models.handover import hands_over


class FakeSlots:
    """Moves slots on behalf of one actor."""

    def __init__(self, world: FakeWorld, switches: Switches, actor: str) -> None:
        self._world = world
        self._switches = switches
        self._actor = actor

    async def start(self, bundle: FakeBundle, *, cause: str) -> RespawnResult:
        """Take a slot through a start; what ran before is replaced."""
        view = bundle.view
        missing = bundle.missing
        if missing:
            return self._need_credentials(bundle, missing, cause)
        had_process = view.state is SlotState.RUNNING
        for step in StartStep:
            if step is StartStep.STOP_OLD and not had_process:
                continue
            self._enter_step(bundle, step, cause)
            failing = self._switches.failing_start
            if failing is not None and failing[0] is step:
                self._switches.failing_start = None
                return self._fail_start(bundle, step, failing[1], cause)
            if step is StartStep.HANDSHAKE:
                await self._switches.start_gate.wait()
            await asyncio.sleep(0)
        return self._become_ready(bundle, cause)

    async def apply(self, bundle: FakeBundle, *, must_end: bool) -> RespawnResult | None:
        """Bring a slot to the credentials that were just written, as far as it may be."""
        view = bundle.view
        if not view.should_run:
            return None
        if view.protected and view.state is SlotState.RUNNING and not must_end:
            self._world.change_bundle(bundle, stale=("credentials",), restart_pending=True)
            sentence = f"{view.name} is protected, so a respawn needs a reason"
            return RespawnResult(False, view.workspace, view.name, sentence, "protected")
        if must_end:
            return await self.start(bundle, cause="credentials")
        return await self.respawn(bundle, cause="credentials")

    async def respawn(self, bundle: FakeBundle, *, cause: str) -> RespawnResult:
        """Replace what runs by the next generation, as the bundle's strategy says."""
        is_running = bundle.view.state is SlotState.RUNNING
        if is_running and hands_over(bundle.definition) and not bundle.missing:
            return await self._hand_over(bundle, cause)
        return await self.start(bundle, cause=cause)

    async def _hand_over(self, bundle: FakeBundle, cause: str) -> RespawnResult:
        candidate = generation_view(
            bundle.generations[0].number + 1,
            spawned_at=self._world.clock.now(),
            credential_revision=bundle.view.credential_revision,
        )
        for step in (StartStep.PREPARE, StartStep.SPAWN, StartStep.HANDSHAKE):
            self._world.change_bundle(bundle, step=step, reason=None)
            if step is StartStep.SPAWN:
                self._world.change_bundle(bundle, candidate=candidate)
            failing = self._switches.failing_start
            if failing is not None and failing[0] is step:
                self._switches.failing_start = None
                return self._keep_old(bundle, step, failing[1])
            if step is StartStep.HANDSHAKE:
                await self._switches.start_gate.wait()
            await asyncio.sleep(0)
        self._end_generation(bundle)
        bundle.generations.insert(0, candidate)
        self._world.change_bundle(
            bundle,
            generation=candidate,
            candidate=None,
            step=None,
            stale=(),
            restart_pending=False,
            missing_fields=(),
        )
        view = bundle.view
        sentence = f"{view.name} runs as generation {candidate.number}"
        return RespawnResult(
            True, view.workspace, view.name, sentence, generation=candidate.number, duration_ms=180
        )

    def _keep_old(self, bundle: FakeBundle, step: StartStep, problem: str) -> RespawnResult:
        view, number = bundle.view, bundle.generations[0].number
        sentence = (
            f"{view.name} in {view.workspace} failed at {step}: {problem}; generation {number} "
            "serves on, read its log, then respawn it"
        )
        lagging = ("credentials",) if self._lags(bundle) else ()
        self._world.change_bundle(
            bundle,
            candidate=None,
            reason=Reason("start_failed", sentence),
            stale=(*lagging, "respawn"),
        )
        return RespawnResult(
            False, view.workspace, view.name, sentence, "start_failed", number, step
        )

    def _lags(self, bundle: FakeBundle) -> bool:
        return bundle.generations[0].credential_revision < bundle.view.credential_revision

    def _enter_step(self, bundle: FakeBundle, step: StartStep, cause: str) -> None:
        if bundle.view.state is SlotState.STARTING:
            self._world.change_bundle(bundle, step=step)
        else:
            self._world.move(
                bundle,
                SlotState.STARTING,
                cause=cause,
                actor=self._actor,
                step=step,
                should_run=True,
                missing_fields=(),
            )
        if step is StartStep.STOP_OLD:
            sentence = f"{bundle.view.name} was replaced while it worked on this"
            self.end_runs(bundle, RunError("restarting", sentence))
            self._end_generation(bundle)
        if step is StartStep.SPAWN:
            self._add_generation(bundle)

    def _add_generation(self, bundle: FakeBundle) -> None:
        number = bundle.generations[0].number + 1 if bundle.generations else 1
        generation = generation_view(
            number,
            spawned_at=self._world.clock.now(),
            credential_revision=bundle.view.credential_revision,
            ready_at=None,
            ready_ms=None,
        )
        bundle.generations.insert(0, generation)
        self._world.change_bundle(bundle, generation=generation)
        text = f"generation {number} started"
        self._world.append_log(bundle, text, LogStream.ROOST, number)

    def _end_generation(self, bundle: FakeBundle, exit: str = "SIGTERM") -> None:
        if bundle.generations and bundle.generations[0].ended_at is None:
            ended = replace(
                bundle.generations[0], ended_at=self._world.clock.now(), exit=exit, pid=None
            )
            bundle.generations[0] = ended
            self._world.change_bundle(bundle, generation=ended)

    def _become_ready(self, bundle: FakeBundle, cause: str) -> RespawnResult:
        ready = replace(bundle.generations[0], ready_at=self._world.clock.now() + 180, ready_ms=180)
        bundle.generations[0] = ready
        self._world.move(
            bundle,
            SlotState.RUNNING,
            cause=cause,
            actor=self._actor,
            generation=ready,
            stale=(),
            restart_pending=False,
            failures=0,
            parked=False,
            retry_at=None,
            crash=None,
            should_run=True,
        )
        view = bundle.view
        sentence = f"{view.name} runs as generation {ready.number}"
        return RespawnResult(
            True, view.workspace, view.name, sentence, generation=ready.number, duration_ms=180
        )

    def _fail_start(
        self, bundle: FakeBundle, step: StartStep, problem: str, cause: str
    ) -> RespawnResult:
        view = bundle.view
        sentence = (
            f"{view.name} in {view.workspace} failed at {step}: {problem}; read its log, then "
            "respawn it"
        )
        self._end_generation(bundle, "exit 1")
        self._world.move(
            bundle,
            SlotState.DEAD,
            cause=cause,
            actor=self._actor,
            step=step,
            reason=Reason("start_failed", sentence),
            failures=view.failures + 1,
        )
        return RespawnResult(False, view.workspace, view.name, sentence, "start_failed", step=step)

    def _need_credentials(
        self, bundle: FakeBundle, missing: tuple[str, ...], cause: str
    ) -> RespawnResult:
        view = bundle.view
        sentence = f"{view.name} needs {', '.join(missing)}; set it with `roost credentials`"
        self.end_runs(bundle, RunError("restarting", f"{view.name} lost its credentials"))
        self._end_generation(bundle)
        self._world.move(
            bundle,
            SlotState.NEEDS_CREDENTIALS,
            cause=cause,
            actor=self._actor,
            reason=Reason("needs_credentials", sentence),
            missing_fields=missing,
            should_run=True,
        )
        return RespawnResult(
            False,
            view.workspace,
            view.name,
            sentence,
            "needs_credentials",
            step=StartStep.CREDENTIALS,
        )

    def stop(self, bundle: FakeBundle) -> None:
        """Take a slot to `stopped`; its active runs end."""
        name = bundle.view.name
        self.end_runs(bundle, RunError("stopped", f"{name} was stopped under it"))
        if bundle.view.state is SlotState.RUNNING:
            self._world.move(bundle, SlotState.STOPPING, cause="operator", actor=self._actor)
        self._end_generation(bundle)
        self._world.move(
            bundle,
            SlotState.STOPPED,
            cause="operator",
            actor=self._actor,
            should_run=False,
            retry_at=None,
            parked=False,
        )

    def end_runs(self, bundle: FakeBundle, error: RunError) -> None:
        """Fail every active run of a bundle; those that were stopped have ended as asked."""
        for run in self._world.active_runs(bundle.view.workspace, bundle.view.name):
            if run.view.stop_requested_at is None:
                self.settle_run(run, RunStatus.FAILED, error=error)
            else:
                told = RunError("stopped", f"stopped by {run.view.stop_requested_by}")
                self.settle_run(run, RunStatus.ABORTED, error=told)

    def settle_run(
        self,
        run: FakeRun,
        status: RunStatus,
        *,
        result: Any = None,
        error: RunError | None = None,
    ) -> RunView:
        """Write the terminal status of a run with its closing event."""
        run.result = result
        self._world.add_run_event(
            run,
            RunEventKind.STATUS,
            status.value,
            status=status,
            error=error,
            finished_at=self._world.clock.now(),
        )
        return run.view

    def crash(self, bundle: FakeBundle, sentence: str) -> None:
        """Let a bundle die by itself; its active runs are lost."""
        name = bundle.view.name
        self.end_runs(bundle, RunError("lost", f"{name} ended while it worked on this"))
        self._end_generation(bundle, "exit 1")
        reason = Reason("crashed", f"{name} {sentence}; read its log, then respawn it")
        self._world.move(bundle, SlotState.DEAD, cause="crash", actor="roost", reason=reason)
