"""Durable tasks: offered, submitted, claimed, told of, given back and ended."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Any

import pytest
from tests.contract.waiting import reading, settled
from tests.contract.world import ContractWorld

from roost.contract import EngineAPI
from roost.errors import (
    AlreadyActive,
    BadInput,
    IdempotencyConflict,
    LeaseLost,
    QueueFull,
    Refused,
    RunNotFound,
    TaskNotFound,
    TaskTaken,
    WorkspaceNotFound,
)
from roost.models import (
    Change,
    ClaimedRun,
    ClaimRequest,
    Emission,
    JournalWrite,
    Recovery,
    ReleaseRequest,
    RetryPolicy,
    RunError,
    RunEventKind,
    RunKind,
    RunProgress,
    RunStatus,
    RunView,
    StepState,
    SubmitRequest,
    SubmitState,
    TaskEnd,
    TaskReport,
    TasksChanged,
    TaskSpec,
    TaskView,
    WaitReason,
    WorkerHello,
)

AT_ONCE = ClaimRequest(free=10, wait_s=0)

SPECS = {
    spec.name: spec
    for spec in (
        TaskSpec("work", description="Do it."),
        TaskSpec("again", recovery=Recovery.RERUN),
        TaskSpec("once", recovery=Recovery.NEVER),
        TaskSpec("flaky", retry=RetryPolicy(1, first_s=3600.0, longest_s=3600.0)),
        TaskSpec("old", age_limit_s=0.0),
        TaskSpec("narrow", slots=1),
        TaskSpec("short", queue_limit=1),
    )
}


@dataclass
class Shop:
    """A world whose worker offers the tasks."""

    engine: EngineAPI
    worker: EngineAPI

    async def submit(self, task: str = "work", given: Any = None, **facts: Any) -> RunView:
        """Submit a run of its own as an operator."""
        request = SubmitRequest(given, **({"anew": True} | facts))
        return (await self.engine.submit_task("w", task, request)).run

    async def claim(self, request: ClaimRequest = AT_ONCE) -> tuple[ClaimedRun, ...]:
        """Claim what waits."""
        async with asyncio.timeout(30):
            return await self.worker.claim_runs("w", request)

    async def begun(self, task: str = "work", given: Any = None, **facts: Any) -> ClaimedRun:
        """Submit a run and claim it."""
        run = await self.submit(task, given, **facts)
        [claimed] = await self.claim()
        assert claimed.run.id == run.id
        return claimed

    async def report(self, claimed: ClaimedRun, **told: Any) -> RunView:
        """Tell of a run under its lease."""
        report = TaskReport(claimed.epoch, **told)
        return (await self.worker.report_task("w", claimed.run.id, report)).run

    async def end(
        self, claimed: ClaimedRun, status: RunStatus = RunStatus.SUCCEEDED, **told: Any
    ) -> RunView:
        """End an attempt."""
        return await self.worker.end_task(
            "w", claimed.run.id, TaskEnd(claimed.epoch, status, **told)
        )

    async def release(self, claimed: ClaimedRun, sentence: str = "it leaves") -> RunView:
        """Give a run back."""
        release = ReleaseRequest(claimed.epoch, sentence)
        return await self.worker.release_task("w", claimed.run.id, release)

    async def view(self, task: str) -> TaskView:
        """Return a task's row."""
        [view] = [each for each in await self.engine.tasks("w") if each.spec.name == task]
        return view


@pytest.fixture
async def shop(world: ContractWorld) -> Shop:
    worker = await world.worker("worker")
    await worker.register_worker("w", WorkerHello(tuple(SPECS.values()), slots=4))
    return Shop(world.engine, worker)


# Offered ------------------------------------------------------------------------------------------


async def test_what_a_worker_offers_is_listed_by_name(shop: Shop) -> None:
    views = await shop.engine.tasks()
    assert [view.spec for view in views] == [SPECS[name] for name in sorted(SPECS)]
    assert {(view.workspace, view.bundle, view.workers) for view in views} == {("w", "worker", 1)}
    assert await shop.engine.tasks("w") == views
    with pytest.raises(WorkspaceNotFound):
        await shop.engine.tasks("nowhere")


async def test_a_hello_says_who_it_was_and_replaces_the_one_before(world: ContractWorld) -> None:
    worker = await world.worker("worker")
    view = await worker.register_worker("w", WorkerHello((TaskSpec("a"), TaskSpec("b")), slots=7))
    assert (view.workspace, view.bundle, view.slots, view.tasks) == ("w", "worker", 7, ("a", "b"))
    assert view.warnings == ()
    await worker.register_worker("w", WorkerHello((TaskSpec("b"), TaskSpec("c"))))
    assert [each.spec.name for each in await world.engine.tasks("w")] == ["b", "c"]


async def test_a_task_of_another_bundle_is_not_taken_over(shop: Shop, world: ContractWorld) -> None:
    rival = await world.worker("rival")
    with pytest.raises(TaskTaken, match="worker"):
        await rival.register_worker("w", WorkerHello((TaskSpec("new"), TaskSpec("work"))))
    assert (await shop.view("work")).bundle == "worker"
    assert "new" not in {view.spec.name for view in await shop.engine.tasks()}


@pytest.mark.parametrize(
    "hello",
    [
        WorkerHello(()),
        WorkerHello((TaskSpec("a"),), slots=0),
        WorkerHello((TaskSpec("a"), TaskSpec("a"))),
        WorkerHello((TaskSpec(" "),)),
        WorkerHello((TaskSpec("a", age_limit_s=-1.0),)),
        WorkerHello((TaskSpec("a", slots=0),)),
        WorkerHello((TaskSpec("a", retry=RetryPolicy(-1)),)),
    ],
)
async def test_what_cannot_be_offered_is_refused(world: ContractWorld, hello: WorkerHello) -> None:
    worker = await world.worker("worker")
    with pytest.raises(BadInput):
        await worker.register_worker("w", hello)
    assert await world.engine.tasks() == ()


async def test_only_a_worker_does_what_workers_do(shop: Shop) -> None:
    claimed = await shop.begun()
    operator = Shop(shop.engine, shop.engine)
    for asked in (
        shop.engine.register_worker("w", WorkerHello((TaskSpec("a"),))),
        operator.claim(),
        operator.report(claimed),
        operator.end(claimed),
        operator.release(claimed),
    ):
        with pytest.raises(Refused):
            await asked


async def test_a_worker_that_has_not_said_what_it_does_gets_nothing(world: ContractWorld) -> None:
    worker = await world.worker("worker")
    with pytest.raises(Refused):
        await worker.claim_runs("w", AT_ONCE)


async def test_viewers_are_told_that_tasks_have_changed(world: ContractWorld) -> None:
    worker = await world.worker("worker")
    async with reading(world.engine.events()) as events:
        await anext(events)
        await worker.register_worker("w", WorkerHello((TaskSpec("a"),)))
        async for event in events:
            if isinstance(event, Change) and isinstance(event.body, TasksChanged):
                assert event.body.workspace == "w"
                return


# Submitted ----------------------------------------------------------------------------------------


async def test_a_submit_is_a_pending_run(shop: Shop) -> None:
    outcome = await shop.engine.submit_task("w", "work", SubmitRequest({"a": 1}, scope="s"))
    run = outcome.run
    assert (outcome.state, outcome.warning) == (SubmitState.NEW, None)
    assert (run.kind, run.status, run.title, run.task) == (
        RunKind.TASK,
        RunStatus.PENDING,
        "work",
        "work",
    )
    assert (run.bundle, run.scope, run.attempt, run.waits) == ("worker", "s", 1, None)
    assert run.idempotency_key is not None and run.on_behalf_of is None
    assert (await shop.engine.run("w", run.id)).input == {"a": 1}
    assert (await shop.view("work")).waiting == 1


async def test_the_same_input_finds_the_same_run(shop: Shop) -> None:
    first = await shop.engine.submit_task("w", "work", SubmitRequest({"a": 1, "b": 2}))
    second = await shop.engine.submit_task("w", "work", SubmitRequest({"b": 2, "a": 1}))
    assert (second.state, second.run.id) == (SubmitState.ATTACHED, first.run.id)
    [claimed] = await shop.claim()
    await shop.end(claimed, result=3)
    third = await shop.engine.submit_task("w", "work", SubmitRequest({"a": 1, "b": 2}))
    assert (third.state, third.run.id) == (SubmitState.REPLAYED, first.run.id)
    anew = await shop.engine.submit_task("w", "work", SubmitRequest({"a": 1, "b": 2}, anew=True))
    assert anew.state is SubmitState.NEW and anew.run.id != first.run.id


async def test_a_key_stands_for_one_input(shop: Shop) -> None:
    first = await shop.engine.submit_task("w", "work", SubmitRequest(1, idempotency_key="k"))
    again = await shop.engine.submit_task("w", "work", SubmitRequest(1, idempotency_key="k"))
    assert (again.state, again.run.id) == (SubmitState.ATTACHED, first.run.id)
    with pytest.raises(IdempotencyConflict):
        await shop.engine.submit_task("w", "work", SubmitRequest(2, idempotency_key="k"))
    with pytest.raises(BadInput):
        await shop.submit(idempotency_key="k")


async def test_the_same_input_for_somebody_else_is_another_run(shop: Shop) -> None:
    mine = await shop.submit(anew=False, on_behalf=True)
    request = SubmitRequest(None, on_behalf=True)
    theirs = (await shop.worker.submit_task("w", "work", request)).run
    assert theirs.id != mine.id
    assert theirs.on_behalf_of == "worker"
    assert mine.on_behalf_of not in (None, "worker")


async def test_a_scope_has_one_active_run(shop: Shop) -> None:
    run = await shop.submit(scope="s")
    with pytest.raises(AlreadyActive) as refused:
        await shop.submit(scope="s")
    assert refused.value.details["run"] == run.id


async def test_what_is_not_there_cannot_be_submitted(shop: Shop) -> None:
    with pytest.raises(TaskNotFound):
        await shop.submit("nothing")
    with pytest.raises(WorkspaceNotFound):
        await shop.engine.submit_task("nowhere", "work", SubmitRequest())


async def test_a_full_queue_says_when_to_come_back(shop: Shop) -> None:
    await shop.submit("short")
    with pytest.raises(QueueFull) as refused:
        await shop.submit("short")
    assert 1 <= refused.value.details["retry_after_s"] <= 60
    await shop.claim()
    await shop.submit("short")


async def test_work_for_somebody_warns_once_for_each_task(shop: Shop) -> None:
    for task, warns in (("work", True), ("work", False), ("again", True), ("once", False)):
        request = SubmitRequest(anew=True, on_behalf=True)
        outcome = await shop.engine.submit_task("w", task, request)
        assert (outcome.warning is not None) is warns, task


# Claimed ------------------------------------------------------------------------------------------


async def test_a_claim_begins_the_oldest_runs_under_a_lease(shop: Shop) -> None:
    runs = [await shop.submit(given=number) for number in range(3)]
    claimed = await shop.claim(ClaimRequest(free=2, wait_s=0))
    assert {each.run.id for each in claimed} <= {run.id for run in runs}
    assert len(claimed) == 2
    for each in claimed:
        assert (each.run.status, each.run.attempt, each.epoch) == (RunStatus.RUNNING, 1, 1)
        assert each.input in (0, 1, 2) and each.journal == () and each.lease_ms > 0
    view = await shop.view("work")
    assert (view.waiting, view.running, view.suspended) == (1, 2, 0)
    detail = await shop.engine.task_run("w", claimed[0].run.id)
    assert [attempt.number for attempt in detail.attempts] == [1]
    assert detail.spec == SPECS["work"]


async def test_a_worker_holds_no_more_runs_than_it_and_its_tasks_have_slots(shop: Shop) -> None:
    for _ in range(2):
        await shop.submit("narrow")
    for _ in range(5):
        await shop.submit()
    claimed = await shop.claim()
    assert len(claimed) == 4
    assert sum(each.run.task == "narrow" for each in claimed) == 1
    assert await shop.claim() == ()


async def test_a_claim_with_nothing_to_do_ends_with_nothing(shop: Shop) -> None:
    assert await shop.claim() == ()
    with pytest.raises(BadInput):
        await shop.claim(ClaimRequest(free=0))


async def test_a_claim_waits_for_a_run(shop: Shop) -> None:
    waiting = asyncio.create_task(shop.claim(ClaimRequest(free=1, wait_s=20)))
    run = await shop.submit()
    assert [each.run.id for each in await waiting] == [run.id]


# Told of ------------------------------------------------------------------------------------------


async def test_what_a_handler_tells_is_stored_and_shown(shop: Shop) -> None:
    claimed = await shop.begun()
    told = await shop.report(
        claimed,
        journal=(JournalWrite("one", StepState.STARTED),),
        steps=(RunProgress(1, 2, "half"),),
        emissions=(Emission("found", {"n": 1}),),
        output="a line",
        link="https://out/1",
    )
    assert (told.step_count, told.link) == (1, "https://out/1")
    await shop.report(claimed, journal=(JournalWrite("one", StepState.DONE, [1]),))
    events = (await shop.engine.run("w", told.id)).events
    shown = [(event.kind, event.name, event.message) for event in events]
    kinds = (RunEventKind.STEP, RunEventKind.EMIT, RunEventKind.OUTPUT)
    assert [each for each in shown if each[0] in kinds] == [
        (RunEventKind.STEP, None, "half"),
        (RunEventKind.EMIT, "found", '{"n":1}'),
        (RunEventKind.OUTPUT, None, "a line"),
    ]
    [entry] = (await shop.engine.task_run("w", told.id)).journal
    assert (entry.name, entry.state, entry.value) == ("one", StepState.DONE, [1])
    assert (entry.attempt, entry.was_interrupted) == (1, False)
    assert entry.ended_at is not None and entry.ended_at >= entry.started_at


async def test_a_failed_step_is_kept_as_such(shop: Shop) -> None:
    claimed = await shop.begun()
    await shop.report(claimed, journal=(JournalWrite("one", StepState.STARTED),))
    await shop.report(claimed, journal=(JournalWrite("one", StepState.FAILED, error="it broke"),))
    [entry] = (await shop.engine.task_run("w", claimed.run.id)).journal
    assert (entry.state, entry.value) == (StepState.FAILED, "it broke")


async def test_an_empty_report_tells_whether_a_stop_is_wished_for(shop: Shop) -> None:
    claimed = await shop.begun()
    report = TaskReport(claimed.epoch)
    lease = await shop.worker.report_task("w", claimed.run.id, report)
    assert (lease.epoch, lease.stop_requested) == (1, False)
    stopping = asyncio.create_task(shop.engine.stop_run("w", claimed.run.id))
    await _asked_to_stop(shop, claimed)
    run = await shop.end(claimed, result="whatever")
    assert (run.status, run.error and run.error.code) == (RunStatus.ABORTED, "stopped")
    assert (await stopping).run.status is RunStatus.ABORTED


async def _asked_to_stop(shop: Shop, claimed: ClaimedRun) -> None:
    """Wait until the answer to a heartbeat tells of a stop."""
    async with reading(shop.engine.events()) as events:
        async for _ in events:
            report = TaskReport(claimed.epoch)
            if (await shop.worker.report_task("w", claimed.run.id, report)).stop_requested:
                return


@pytest.mark.parametrize(
    "told",
    [
        {"emissions": (Emission("completed", None),)},
        {"emissions": (Emission(" ", None),)},
        {"journal": (JournalWrite("x" * 201, StepState.STARTED),)},
        {"link": ""},
    ],
)
async def test_what_must_not_be_told_is_refused_whole(shop: Shop, told: dict[str, Any]) -> None:
    claimed = await shop.begun()
    with pytest.raises(BadInput):
        await shop.report(claimed, steps=(RunProgress(1, 2, "half"),), **told)
    assert (await shop.engine.run("w", claimed.run.id)).run.step_count == 0


async def test_another_epoch_changes_nothing(shop: Shop) -> None:
    claimed = await shop.begun()
    other = replace(claimed, epoch=claimed.epoch + 1)
    for asked in (shop.report(other, output="x"), shop.end(other), shop.release(other)):
        with pytest.raises(LeaseLost):
            await asked
    assert (await shop.engine.run("w", claimed.run.id)).run.status is RunStatus.RUNNING


async def test_a_run_that_is_not_there_is_not_found(shop: Shop) -> None:
    claimed = await shop.begun()
    gone = replace(claimed, run=replace(claimed.run, id="r-none"))
    for asked in (
        shop.report(gone),
        shop.end(gone),
        shop.release(gone),
        shop.engine.task_run("w", "r-none"),
        shop.engine.resume_run("w", "r-none"),
    ):
        with pytest.raises(RunNotFound):
            await asked


# Ended --------------------------------------------------------------------------------------------


async def test_the_first_end_of_an_attempt_stays(shop: Shop) -> None:
    claimed = await shop.begun()
    run = await shop.end(claimed, result={"n": 1}, link="https://out/2")
    assert (run.status, run.link, run.finished_at is not None) == (
        RunStatus.SUCCEEDED,
        "https://out/2",
        True,
    )
    assert await shop.end(claimed, RunStatus.FAILED, error=RunError("late", "too late")) == run
    with pytest.raises(LeaseLost):
        await shop.report(claimed)
    detail = await settled(shop.engine, run.id)
    assert detail.result == {"n": 1}
    [attempt] = (await shop.engine.task_run("w", run.id)).attempts
    assert attempt.ended_at is not None and attempt.error is None


async def test_a_failure_is_told_with_its_reason(shop: Shop) -> None:
    claimed = await shop.begun()
    error = RunError("ValueError", "no such page")
    run = await shop.end(claimed, RunStatus.FAILED, error=error, is_transient=True)
    assert (run.status, run.error) == (RunStatus.FAILED, error)
    with pytest.raises(BadInput):
        await shop.end(claimed, RunStatus.RUNNING)


async def test_a_transient_failure_waits_for_its_next_attempt(shop: Shop) -> None:
    claimed = await shop.begun("flaky")
    error = RunError("TimeoutError", "too slow")
    run = await shop.end(claimed, RunStatus.FAILED, error=error, is_transient=True)
    assert (run.status, run.waits, run.attempt) == (RunStatus.PENDING, WaitReason.RETRY, 2)
    assert run.available_at is not None and run.available_at > run.created_at
    assert await shop.claim() == ()
    [attempt] = (await shop.engine.task_run("w", run.id)).attempts
    assert attempt.error == error


async def test_a_retry_is_a_new_run_with_the_same_input(shop: Shop) -> None:
    claimed = await shop.begun(given=[7])
    with pytest.raises(Refused):
        await shop.engine.retry_run("w", claimed.run.id)
    await shop.end(claimed, RunStatus.FAILED)
    again = await shop.engine.retry_run("w", claimed.run.id)
    assert (again.task, again.status, again.attempt) == ("work", RunStatus.PENDING, 1)
    assert again.id != claimed.run.id
    assert (await shop.engine.run("w", again.id)).input == [7]


async def test_a_run_that_waits_is_stopped_at_once(shop: Shop) -> None:
    run = await shop.submit()
    outcome = await shop.engine.stop_run("w", run.id)
    assert (outcome.stopped, outcome.run.status) == (True, RunStatus.ABORTED)
    assert await shop.claim() == ()


# Given back ---------------------------------------------------------------------------------------


async def _halfway(shop: Shop, task: str, **facts: Any) -> ClaimedRun:
    claimed = await shop.begun(task, **facts)
    await shop.report(claimed, journal=(JournalWrite("one", StepState.STARTED),))
    await shop.report(claimed, journal=(JournalWrite("one", StepState.DONE, 1),))
    await shop.report(claimed, journal=(JournalWrite("two", StepState.STARTED),))
    return claimed


async def test_a_run_that_is_given_back_goes_on_behind_its_finished_steps(shop: Shop) -> None:
    run = await shop.release(await _halfway(shop, "work"))
    assert (run.status, run.attempt) == (RunStatus.PENDING, 2)
    [claimed] = await shop.claim()
    assert (claimed.run.id, claimed.run.attempt, claimed.epoch) == (run.id, 2, 2)
    seen = {entry.name: entry for entry in claimed.journal}
    assert (seen["one"].state, seen["one"].value) == (StepState.DONE, 1)
    assert not seen["one"].was_interrupted
    assert (seen["two"].state, seen["two"].was_interrupted) == (StepState.STARTED, True)
    attempts = (await shop.engine.task_run("w", run.id)).attempts
    assert [attempt.number for attempt in attempts] == [1, 2]
    assert attempts[0].error == RunError("interrupted", "it leaves")


async def test_a_step_that_runs_again_is_still_one_that_was_interrupted(shop: Shop) -> None:
    await shop.release(await _halfway(shop, "work"))
    [claimed] = await shop.claim()
    await shop.report(claimed, journal=(JournalWrite("two", StepState.STARTED),))
    await shop.report(claimed, journal=(JournalWrite("two", StepState.DONE, 2),))
    journal = (await shop.engine.task_run("w", claimed.run.id)).journal
    assert [(each.name, each.attempt, each.was_interrupted) for each in journal] == [
        ("one", 1, False),
        ("two", 2, True),
    ]


async def test_a_task_that_runs_again_begins_with_an_empty_journal(shop: Shop) -> None:
    await shop.release(await _halfway(shop, "again"))
    [claimed] = await shop.claim()
    assert (claimed.run.attempt, claimed.journal) == (2, ())


@pytest.mark.parametrize(("task", "code"), [("once", "interrupted"), ("old", "too_old")])
async def test_what_is_not_recovered_fails(shop: Shop, task: str, code: str) -> None:
    run = await shop.release(await _halfway(shop, task))
    assert (run.status, run.error and run.error.code) == (RunStatus.FAILED, code)


async def test_work_for_somebody_waits_until_he_resumes_it(shop: Shop) -> None:
    run = await shop.release(await _halfway(shop, "work", on_behalf=True))
    assert (run.status, run.waits, run.attempt) == (RunStatus.PENDING, WaitReason.USER, 2)
    assert await shop.claim() == ()
    view = await shop.view("work")
    assert (view.waiting, view.running, view.suspended) == (0, 0, 1)
    resumed = await shop.engine.resume_run("w", run.id)
    assert (resumed.status, resumed.waits) == (RunStatus.PENDING, None)
    with pytest.raises(Refused):
        await shop.engine.resume_run("w", run.id)
    [claimed] = await shop.claim()
    assert [entry.name for entry in claimed.journal] == ["one", "two"]


async def test_who_is_not_the_person_finds_no_run_to_resume(shop: Shop) -> None:
    request = SubmitRequest(on_behalf=True, anew=True)
    await shop.worker.submit_task("w", "work", request)
    [claimed] = await shop.claim()
    run = await shop.release(claimed)
    assert run.waits == WaitReason.USER
    told = []
    for run_id in (run.id, "r-none"):
        with pytest.raises(RunNotFound) as refused:
            await shop.engine.resume_run("w", run_id)
        told.append(refused.value.message.replace(run_id, "ID"))
    assert told[0] == told[1]
    assert (await shop.engine.run("w", run.id)).run.waits == WaitReason.USER


async def test_a_run_that_was_asked_to_stop_is_not_recovered(shop: Shop) -> None:
    claimed = await _halfway(shop, "work")
    stopping = asyncio.create_task(shop.engine.stop_run("w", claimed.run.id))
    await _asked_to_stop(shop, claimed)
    run = await shop.release(claimed)
    assert run.status is RunStatus.ABORTED
    assert (await stopping).run.status is RunStatus.ABORTED
