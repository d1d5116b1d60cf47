"""Runs stopped, retried and replaced, whoever does their work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, cast

import pytest
from tests.support.fake.clock import FakeClock
from tests.support.ledger import SECRET, Desk, request
from tests.support.processes import until

from roost.clock import Clock
from roost.errors import AlreadyActive, BadInput, BundleNotFound, Refused, RunNotFound
from roost.models import (
    BeginRequest,
    CallRequest,
    ExecRequest,
    FinishRequest,
    Impact,
    RunKind,
    RunProgress,
    RunStatus,
    RunView,
    StopOutcome,
    StopPhase,
    SupersedeOutcome,
    SupersedeState,
)
from roost.runs import Commands, Ending, OutsideWork, RunControl, RunRecorder, Tasks
from roost.runs.control import LONGEST_WAIT_S
from roost.runs.payload import PAYLOAD_LIMIT
from roost.runs.tool_calls import STOP_WAIT_S
from roost.runs.withdrawal import ON_ITS_WAY_S, SETTLE_S
from roost.store.base import RunRows


class FakeCommands:
    """Commands that end when they are let."""

    def __init__(self, desk: Desk) -> None:
        self._recorder = desk.recorder
        self.under_way: set[str] = set()
        self.stopping: list[str] = []
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.begun: list[ExecRequest] = []

    async def run(self, **changes: Any) -> RunView:
        """Begin a command that goes on until it is stopped."""
        run = await begin_command(self._recorder, **changes)
        self.under_way.add(run.id)
        return run

    async def begin(self, workspace: str, request: ExecRequest, *, actor: str) -> RunView:
        self.begun.append(request)
        return await begin_command(self._recorder, scope=request.scope)

    async def stop(self, workspace: str, run_id: str, *, by: str) -> bool:
        if run_id not in self.under_way:
            return False
        self.stopping.append(run_id)
        await self._recorder.request_stop(workspace, run_id, by=by)
        await self.may_end.wait()
        await self._recorder.finalize(
            workspace, run_id, Ending.aborted("stopped", f"stopped by {by}")
        )
        return True


class Works:
    """A run control over tool calls, commands and outside work."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.recorder = desk.recorder
        self.clock = FakeClock()
        self.commands = FakeCommands(desk)
        self.outside_work = OutsideWork(desk.recorder)
        self.generation = 7
        self.is_installed = True
        self.is_elsewhere = False
        self.control = RunControl(
            desk.recorder,
            calls=desk.calls,
            commands=cast("Commands", self.commands),
            tasks=cast("Tasks", None),
            clock=cast("Clock", self.clock),
            impact=self._impact,
            generation=self._generation,
            stored=cast("RunRows", desk.ledger.rows).list,
        )

    async def call(self, **changes: Any) -> RunView:
        """Begin a tool call and wait until the tool has it."""
        arrived = len(self.desk.caller.calls)
        run = await self.desk.calls.begin("main", "files", search(**changes), actor="ann")
        await self.desk.caller.arrived(arrived + 1)
        return await self.recorder.get("main", run.id)

    async def silent_call(self, **changes: Any) -> RunView:
        """Begin a tool call of whose stop no end is seen until it answers."""
        self.desk.caller.is_silent = True
        return await self.call(**changes)

    async def settle(self, run_id: str) -> None:
        """Let the stop of a silent call hear nothing for long enough."""
        await self._asked(run_id)
        self.desk.clock.advance(SETTLE_S)

    async def report_late(self, run_id: str) -> None:
        """Let the first call report although its stop was asked for a while ago."""
        await self._asked(run_id)
        self.desk.clock.advance(ON_ITS_WAY_S)
        self.desk.caller.calls[0].report(RunProgress(1))

    async def _asked(self, run_id: str) -> None:
        await self.until(StopPhase.ASKED, run_id)
        for _ in range(10):  # until the silence is waited for
            await asyncio.sleep(0)

    async def outside(self, **changes: Any) -> RunView:
        """Begin work that another program does."""
        wish = BeginRequest("other work", **changes)
        return (await self.outside_work.begin("main", wish, actor="ann")).run

    async def report_end(self, run_id: str, status: RunStatus = RunStatus.ABORTED) -> None:
        """Let the program outside say that its work has ended."""
        await self.outside_work.finish("main", run_id, FinishRequest(1, status))

    async def stop(self, run_id: str) -> StopOutcome:
        async with asyncio.timeout(30):
            return await self.control.stop("main", run_id, by="ann")

    async def supersede(self, scope: str = "chat", **changes: Any) -> SupersedeOutcome:
        wishes: dict[str, Any] = {"expected": None, "wait_s": 10.0, "by": "ann"}
        async with asyncio.timeout(30):
            return await self.control.supersede("main", scope, **wishes | changes)

    async def until(self, phase: StopPhase, run_id: str) -> RunView:
        """Wait until the stop of a run has come so far."""
        await until(lambda: self._phase(run_id) is phase)
        return await self.recorder.get("main", run_id)

    async def until_asleep(self, sleepers: int = 1) -> None:
        """Wait until so many waits are bounded by the clock."""
        await until(lambda: self.clock.sleepers >= sleepers)

    def _phase(self, run_id: str) -> StopPhase | None:
        return next((run.stop_phase for run in self.recorder.view() if run.id == run_id), None)

    def _generation(self, workspace: str, bundle: str) -> int:
        if not self.is_installed:
            raise BundleNotFound(workspace, bundle)
        return self.generation

    async def _impact(self, workspace: str, bundle: str) -> Impact | None:
        if self.is_elsewhere:
            return None
        return Impact(self.recorder.active_ids(workspace, bundle), True, False, "")


def search(**changes: Any) -> CallRequest:
    return CallRequest(**{"tool": "search", "arguments": {"query": "x"}} | changes)


async def begin_command(recorder: RunRecorder, **changes: Any) -> RunView:
    """Begin a run of a command that is working."""
    values = {"kind": RunKind.COMMAND, "title": "a command", "bundle": None, "tool": None}
    begun = await recorder.begin(request(**values | changes))
    return await recorder.started(begun.run.id, None) or begun.run


@pytest.fixture
async def works(desk: Desk) -> AsyncIterator[Works]:
    works = Works(desk)
    yield works
    works.commands.may_end.set()
    for run in works.recorder.view():
        await works.recorder.finalize("main", run.id, Ending.aborted("stopped", "the test is over"))
    async with asyncio.timeout(30):
        await works.control.close()


# Stop


async def test_a_stopped_call_is_aborted_and_says_by_whom(works: Works) -> None:
    run = await works.call()
    outcome = await works.stop(run.id)
    assert (outcome.stopped, outcome.run.status) == (True, RunStatus.ABORTED)
    assert outcome.run.stop_requested_by == "ann"
    assert outcome.run.stop_phase is StopPhase.ASKED
    assert works.desk.caller.calls[0].is_cancelled


async def test_a_settled_run_is_left_to_the_byte_and_the_stop_says_so(works: Works) -> None:
    run = await works.call()
    works.desk.caller.calls[0].succeed()
    before = await works.desk.settled(run.id)
    detail = await works.recorder.detail("main", run.id)
    outcome = await works.stop(run.id)
    assert (outcome.stopped, outcome.run) == (False, before)
    assert "succeeded already; nothing was changed" in outcome.sentence
    assert await works.recorder.detail("main", run.id) == detail


async def test_a_second_stop_finds_the_work_of_the_first(works: Works) -> None:
    run = await works.call()
    first, second = await asyncio.gather(works.stop(run.id), works.stop(run.id))
    assert first.run == second.run
    third = await works.stop(run.id)
    assert (third.stopped, third.run) == (False, first.run)


async def test_a_run_of_another_workspace_is_not_there_to_stop(works: Works) -> None:
    run = await works.call()
    for workspace, run_id in (("other", run.id), ("main", "r-none")):
        with pytest.raises(RunNotFound):
            await works.control.stop(workspace, run_id, by="eve")
    assert (await works.recorder.get("main", run.id)).stop_requested_at is None


async def test_a_command_is_stopped_by_whoever_runs_it(works: Works) -> None:
    run = await works.commands.run()
    outcome = await works.stop(run.id)
    assert (outcome.stopped, outcome.run.status) == (True, RunStatus.ABORTED)
    assert works.commands.stopping == [run.id]
    assert (outcome.respawn, outcome.would_cut) == (None, ())


async def test_a_command_that_nobody_runs_any_more_is_settled(works: Works) -> None:
    run = await begin_command(works.recorder)
    outcome = await works.stop(run.id)
    assert (outcome.stopped, outcome.run.status) == (True, RunStatus.ABORTED)
    assert works.commands.stopping == []


async def test_outside_work_is_asked_and_ends_when_its_program_says_so(works: Works) -> None:
    run = await works.outside()
    stopping = asyncio.create_task(works.stop(run.id))
    asked = await works.until(StopPhase.ASKED, run.id)
    assert asked.status is RunStatus.RUNNING
    await works.report_end(run.id)
    outcome = await stopping
    assert (outcome.stopped, outcome.run.stop_requested_by) == (True, "ann")


async def test_outside_work_that_goes_on_is_told_of_truthfully_after_the_wait(
    works: Works,
) -> None:
    run = await works.outside()
    stopping = asyncio.create_task(works.stop(run.id))
    await works.until(StopPhase.ASKED, run.id)
    await works.until_asleep()
    works.clock.advance(STOP_WAIT_S)
    outcome = await stopping
    assert (outcome.stopped, outcome.run.status) == (True, RunStatus.RUNNING)
    assert "ends when the program says so or its lease runs out" in outcome.sentence


async def test_outside_work_that_ends_well_after_all_was_not_stopped(works: Works) -> None:
    run = await works.outside()
    stopping = asyncio.create_task(works.stop(run.id))
    await works.until(StopPhase.ASKED, run.id)
    await works.report_end(run.id, RunStatus.SUCCEEDED)
    outcome = await stopping
    assert (outcome.stopped, outcome.run.status) == (False, RunStatus.SUCCEEDED)


async def test_a_command_goes_on_being_stopped_after_the_wait_and_without_the_caller(
    works: Works,
) -> None:
    works.commands.may_end.clear()
    run = await works.commands.run()
    stopping = asyncio.create_task(works.stop(run.id))
    await works.until_asleep()
    works.clock.advance(STOP_WAIT_S)
    outcome = await stopping
    assert outcome.run.status is RunStatus.RUNNING
    assert "has not ended yet" in outcome.sentence
    again = asyncio.create_task(works.stop(run.id))
    await works.until_asleep()
    again.cancel()
    works.commands.may_end.set()
    assert (await works.desk.settled(run.id)).status is RunStatus.ABORTED


async def test_child_runs_are_asked_at_once_and_stop_with_their_parent(works: Works) -> None:
    works.commands.may_end.clear()
    parent = await works.outside()
    child = await works.commands.run(parent=parent.id)
    sibling = await works.commands.run(parent=parent.id)
    grandchild = await works.outside(parent=child.id)
    stranger = await works.outside()
    stopping = asyncio.create_task(works.stop(parent.id))
    for run in (parent, grandchild):
        await works.until(StopPhase.ASKED, run.id)
    assert set(works.commands.stopping) == {child.id, sibling.id}
    works.commands.may_end.set()
    for run in (grandchild, parent):
        await works.report_end(run.id)
    outcome = await stopping
    assert "3 runs it began" in outcome.sentence
    for run in (child, sibling, grandchild):
        assert (await works.recorder.get("main", run.id)).status is RunStatus.ABORTED
    assert (await works.recorder.get("main", stranger.id)).stop_requested_at is None


async def test_a_child_that_does_not_end_is_named(works: Works) -> None:
    parent = await works.commands.run()
    child = await works.outside(parent=parent.id)
    stopping = asyncio.create_task(works.stop(parent.id))
    await works.until(StopPhase.ASKED, child.id)
    await works.until_asleep()
    works.clock.advance(STOP_WAIT_S)
    outcome = await stopping
    assert outcome.run.status is RunStatus.ABORTED
    assert f"1 run it began, of which {child.id} has not ended yet" in outcome.sentence


async def test_a_store_that_is_down_keeps_no_run_alive(works: Works) -> None:
    run = await works.call()
    works.desk.ledger.rows.break_down()
    works.desk.ledger.rows.failures["amend"] = 1_000_000
    outcome = await works.stop(run.id)
    assert works.desk.caller.calls[0].is_cancelled
    assert outcome.run.status is RunStatus.RUNNING
    assert "not stored yet" in outcome.sentence
    works.desk.ledger.rows.recover()
    await works.recorder.sweep()
    assert (await works.recorder.get("main", run.id)).status is RunStatus.ABORTED


async def test_outside_work_that_could_not_be_told_is_not_said_to_be_asked(works: Works) -> None:
    run = await works.outside()
    works.desk.ledger.rows.failures.update({"request_stop": 1, "amend": 1, "get": 1})
    outcome = await works.stop(run.id)
    assert (outcome.stopped, outcome.run.status) == (False, RunStatus.RUNNING)
    assert "could not be asked to stop" in outcome.sentence


async def test_a_stopped_call_names_the_respawn_that_ends_its_work_and_what_it_cuts(
    works: Works,
) -> None:
    run, other = await works.silent_call(), await works.call()
    stopping = asyncio.create_task(works.stop(run.id))
    await works.settle(run.id)
    outcome = await stopping
    assert (outcome.run.status, outcome.respawn) == (RunStatus.ABORTED, "files")
    assert outcome.would_cut == (other.id,)
    assert "may still be at work: `roost respawn files` ends that" in outcome.sentence
    assert "cuts 1 other run" in outcome.sentence


async def test_a_call_whose_end_was_seen_leaves_nothing_to_respawn_for(works: Works) -> None:
    run = await works.call()
    outcome = await works.stop(run.id)
    assert (outcome.sentence, outcome.respawn) == (f"{run.id} was stopped", None)


@pytest.mark.parametrize("is_elsewhere", [False, True])
async def test_a_server_that_goes_on_is_told_of_at_once_with_what_ends_that(
    works: Works, is_elsewhere: bool
) -> None:
    works.is_elsewhere = is_elsewhere
    run, other = await works.silent_call(), await works.call()
    stopping = asyncio.create_task(works.stop(run.id))
    await works.report_late(run.id)
    outcome = await stopping
    assert (outcome.stopped, outcome.run.status) == (True, RunStatus.RUNNING)
    assert outcome.run.stop_phase is StopPhase.IGNORED
    told = f"{run.id} was cancelled, but files goes on with it"
    if is_elsewhere:
        assert (
            outcome.sentence == f"{told}; files runs somewhere else, where alone that can be ended"
        )
        assert (outcome.respawn, outcome.would_cut) == (None, ())
    else:
        assert outcome.sentence == f"{told}: `roost respawn files` ends that and cuts 1 other run"
        assert (outcome.respawn, outcome.would_cut) == ("files", (other.id,))
    works.desk.caller.calls[0].succeed()
    await works.desk.settled(run.id)


async def test_a_replacement_waits_for_work_that_ignores_the_stop_until_it_ends(
    works: Works,
) -> None:
    run = await works.silent_call(scope="chat")
    replacing = asyncio.create_task(works.supersede(wait_s=60.0))
    await works.report_late(run.id)
    await works.until(StopPhase.IGNORED, run.id)
    for _ in range(5):  # longer than it takes to read what would be answered
        await works.recorder.detail("main", run.id)
    assert not replacing.done()
    works.desk.caller.calls[0].succeed()
    assert (await replacing).state is SupersedeState.READY


async def test_work_whose_process_is_gone_needs_no_respawn(works: Works) -> None:
    run, other = await works.silent_call(), await works.silent_call()
    works.generation = 8
    for run_id in (run.id, other.id):
        stopping = asyncio.create_task(works.stop(run_id))
        await works.settle(run_id)
        assert (await stopping).respawn is None
        works.is_installed = False


# Retry


async def test_a_retry_is_a_new_run_with_the_input_of_a_settled_call(works: Works) -> None:
    first = await works.call(scope="chat", idempotency_key="k")
    works.desk.caller.calls[0].succeed()
    await works.desk.settled(first.id)
    again = await works.control.retry("main", first.id, actor="bob")
    call = await works.desk.caller.arrived(2)
    assert call.arguments == {"query": "x"}
    assert again.id != first.id
    assert (again.bundle, again.tool, again.scope, again.idempotency_key, again.created_by) == (
        "files",
        "search",
        "chat",
        None,
        "bob",
    )
    with pytest.raises(AlreadyActive):
        await works.control.retry("main", first.id, actor="bob")


async def test_a_retry_of_a_command_runs_it_again_as_it_was(works: Works) -> None:
    given = {"command": ["make", "all"], "directory": "/tmp", "time_limit_s": 5.0, "env": []}
    run = await works.commands.run(input=given, title="build", scope="ci")
    await works.stop(run.id)
    await works.control.retry("main", run.id, actor="bob")
    [again] = works.commands.begun
    assert again == ExecRequest(
        ("make", "all"), directory="/tmp", title="build", scope="ci", time_limit_s=5.0
    )


@pytest.mark.parametrize(
    "arguments",
    [
        {"query": f"with {SECRET}"},
        {"query": "x" * (PAYLOAD_LIMIT + 1)},
        {"query": "x", "more": [7] * (PAYLOAD_LIMIT // 8)},
    ],
)
async def test_input_that_was_not_kept_whole_is_not_tried_again(
    works: Works, arguments: dict[str, Any]
) -> None:
    run = await works.call(tool="anything", arguments=arguments)
    await works.stop(run.id)
    with pytest.raises(Refused, match="not kept whole") as refusal:
        await works.control.retry("main", run.id, actor="bob")
    assert SECRET not in str(refusal.value)
    assert len(works.desk.caller.calls) == 1


async def test_input_just_below_the_limit_is_tried_again(works: Works) -> None:
    run = await works.call(tool="anything", arguments={"query": "x" * (PAYLOAD_LIMIT - 100)})
    await works.stop(run.id)
    assert await works.control.retry("main", run.id, actor="bob")


async def test_what_is_active_or_outside_or_had_variables_is_not_tried_again(works: Works) -> None:
    active, outside = await works.call(), await works.outside()
    keyed = await works.commands.run(input={"command": ["make"], "env": ["TOKEN"]})
    await works.stop(keyed.id)
    for run, why in ((active, "running still"), (outside, "another program"), (keyed, "variables")):
        with pytest.raises(Refused, match=why):
            await works.control.retry("main", run.id, actor="bob")
    with pytest.raises(RunNotFound):
        await works.control.retry("other", active.id, actor="bob")
    assert works.commands.begun == []
    assert len(works.desk.caller.calls) == 1


# Replace


async def test_an_active_run_makes_room_for_the_next_one(works: Works) -> None:
    run = await works.call(scope="chat")
    outcome = await works.supersede(expected=run.id)
    assert outcome.state is SupersedeState.READY
    assert outcome.active is not None
    assert outcome.active.id == run.id
    assert (await works.recorder.get("main", run.id)).status is RunStatus.ABORTED
    assert await works.call(scope="chat")


async def test_a_scope_without_an_active_run_is_idle(works: Works) -> None:
    assert (await works.supersede()).state is SupersedeState.IDLE
    run = await works.call(scope="chat")
    await works.stop(run.id)
    assert await works.supersede(expected=run.id) == replace(await works.supersede(), active=None)


async def test_another_run_than_the_expected_one_is_told_and_left_alone(works: Works) -> None:
    run = await works.call(scope="chat")
    outcome = await works.supersede(expected="r-old")
    assert outcome.state is SupersedeState.OTHER_ACTIVE
    assert outcome.active is not None
    assert outcome.active.id == run.id
    assert run.id in outcome.sentence
    assert (await works.recorder.get("main", run.id)).stop_requested_at is None


async def test_a_run_that_does_not_settle_in_time_keeps_its_scope(works: Works) -> None:
    run = await works.outside(scope="chat")
    replacing = asyncio.create_task(works.supersede(wait_s=3.0))
    await works.until(StopPhase.ASKED, run.id)
    await works.until_asleep()
    works.clock.advance(3.0)
    outcome = await replacing
    assert outcome.state is SupersedeState.NOT_SETTLING
    assert outcome.active is not None
    assert (outcome.active.id, outcome.active.status) == (run.id, RunStatus.RUNNING)
    with pytest.raises(AlreadyActive):
        await works.outside(scope="chat")


async def test_two_replacements_at_once_never_stop_each_others_new_run(works: Works) -> None:
    old = await works.outside(scope="chat")
    first = asyncio.create_task(works.supersede())
    second = asyncio.create_task(works.supersede())
    await works.until_asleep(2)
    gate = works.desk.ledger.rows.gates["list"] = asyncio.Event()
    await works.report_end(old.id)
    new = await works.outside(scope="chat")
    gate.set()
    outcomes = [await first, await second]
    assert {outcome.state for outcome in outcomes} == {SupersedeState.OTHER_ACTIVE}
    assert {outcome.active and outcome.active.id for outcome in outcomes} == {new.id}
    assert (await works.recorder.get("main", new.id)).stop_requested_at is None


async def test_a_begin_that_slips_in_is_told_with_its_id(works: Works) -> None:
    old = await works.outside(scope="chat")
    replacing = asyncio.create_task(works.supersede(expected=old.id))
    await works.until_asleep()
    gate = works.desk.ledger.rows.gates["list"] = asyncio.Event()
    await works.report_end(old.id)
    new = await works.outside(scope="chat")
    gate.set()
    outcome = await replacing
    assert (outcome.state, outcome.active and outcome.active.id) == (
        SupersedeState.OTHER_ACTIVE,
        new.id,
    )
    assert "has ended, but" in outcome.sentence
    assert (await works.recorder.get("main", new.id)).stop_requested_at is None


@pytest.mark.parametrize("wait_s", [-1.0, float("nan"), float("inf"), LONGEST_WAIT_S + 1])
async def test_a_wait_that_is_none_stops_nothing(works: Works, wait_s: float) -> None:
    run = await works.call(scope="chat")
    with pytest.raises(BadInput, match="nothing was stopped"):
        await works.supersede(wait_s=wait_s)
    assert (await works.recorder.get("main", run.id)).stop_requested_at is None
