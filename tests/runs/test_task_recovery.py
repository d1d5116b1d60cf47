"""What becomes of runs of tasks whose worker ends: by policy, by person, by age, by number."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.tasks import Workshop

from roost.errors import LeaseLost, Refused, RunNotFound
from roost.models import (
    ClaimedRun,
    Recovery,
    RunStatus,
    RunView,
    StepState,
    TaskSpec,
    WaitReason,
)
from roost.store import SqlStore

RESUME = TaskSpec("send")
RERUN = TaskSpec("send", recovery=Recovery.RERUN)
NEVER = TaskSpec("send", recovery=Recovery.NEVER)


@pytest.fixture
async def shop(store: SqlStore, tmp_path: Path) -> AsyncIterator[Workshop]:
    shop = Workshop(store, tmp_path)
    await shop.boot()
    yield shop
    await shop.close()


async def working(shop: Workshop, spec: TaskSpec = RESUME) -> ClaimedRun:
    """Begin a run that has one step done and is in the middle of another."""
    await shop.hire(spec)
    claimed = await shop.begun("x")
    await shop.step(claimed, "first", value={"rows": 3})
    await shop.step(claimed, "second", StepState.STARTED)
    return claimed


def code_of(run: RunView) -> str:
    assert run.error is not None
    return run.error.code


async def test_a_run_whose_worker_crashed_goes_on_behind_its_steps_that_are_done(
    shop: Workshop,
) -> None:
    claimed = await working(shop)
    await shop.crash()
    waiting = await shop.run(claimed.run.id)
    assert (waiting.status, waiting.attempt, waiting.lease_until) == (RunStatus.PENDING, 2, None)
    await shop.hire(generation_id="g-2")
    again = await shop.claimed_again(waiting.id, "g-2")
    assert again.input == "x"
    told = [(entry.name, entry.state, entry.was_interrupted) for entry in again.journal]
    assert told == [("first", StepState.DONE, False), ("second", StepState.STARTED, True)]
    assert again.journal[0].value == {"rows": 3}
    await shop.step(again, "second", StepState.STARTED)
    await shop.step(again, "second", value=2)
    ended = await shop.end(again)
    assert (ended.status, ended.attempt) == (RunStatus.SUCCEEDED, 2)
    detail = await shop.detail(ended.id)
    assert [(entry.attempt, entry.was_interrupted) for entry in detail.journal] == [
        (1, False),
        (2, True),
    ]
    first, second = detail.attempts
    assert first.error is not None
    assert (first.error.code, second.error) == ("lost", None)
    assert [event.message for event in await shop.events(ended.id)] == [
        "running",
        "pending (attempt 2): its worker ended in the middle of it",
        "running (attempt 2)",
        "succeeded",
    ]


async def test_a_task_that_is_run_again_begins_with_an_empty_journal(shop: Workshop) -> None:
    claimed = await working(shop, RERUN)
    await shop.crash()
    await shop.hire(RERUN, generation_id="g-2")
    again = await shop.claimed_again(claimed.run.id, "g-2")
    assert (again.journal, again.run.attempt) == ((), 2)


async def test_a_task_that_is_never_recovered_fails(shop: Workshop) -> None:
    claimed = await working(shop, NEVER)
    await shop.crash()
    run = await shop.run(claimed.run.id)
    assert (run.status, code_of(run)) == (RunStatus.FAILED, "lost")
    await shop.hire(NEVER, generation_id="g-2")
    await shop.submit("y")
    (second,) = await shop.claim("g-2")
    await shop.tasks.worker_gone("g-2", was_asked=True)
    assert code_of(await shop.run(second.run.id)) == "interrupted"


async def test_a_run_that_is_handed_back_waits_for_its_next_attempt(shop: Workshop) -> None:
    claimed = await working(shop)
    waiting = await shop.release(claimed, "the worker is being replaced")
    assert (waiting.status, waiting.attempt, waiting.waits) == (RunStatus.PENDING, 2, None)
    assert await shop.release(claimed) == waiting  # told twice
    (attempt,) = (await shop.detail(waiting.id)).attempts
    assert attempt.error is not None
    assert (attempt.error.code, attempt.error.sentence) == (
        "interrupted",
        "the worker is being replaced",
    )
    again = await shop.claimed_again(waiting.id)
    with pytest.raises(LeaseLost):
        await shop.release(claimed)
    assert (await shop.run(waiting.id)).status is RunStatus.RUNNING
    await shop.end(again)


@pytest.mark.parametrize(
    ("limit_s", "age_s", "is_recovered"),
    [(0, 0, False), (60, 59, True), (60, 61, False), (None, 10**6, True)],
)
async def test_a_run_past_its_age_limit_is_not_recovered(
    shop: Workshop, limit_s: float | None, age_s: float, is_recovered: bool
) -> None:
    claimed = await working(shop, TaskSpec("send", age_limit_s=limit_s))
    shop.clock.advance(age_s)
    await shop.crash()
    run = await shop.run(claimed.run.id)
    if is_recovered:
        assert run.status is RunStatus.PENDING
    else:
        assert (run.status, code_of(run)) == (RunStatus.FAILED, "too_old")


async def test_work_for_a_person_waits_for_that_person(shop: Workshop) -> None:
    await shop.hire()
    claimed = await shop.begun("x", on_behalf=True)
    await shop.step(claimed, "first", value=1)
    await shop.crash()
    await shop.hire(generation_id="g-2")
    run = await shop.run(claimed.run.id)
    assert (run.status, run.waits) == (RunStatus.PENDING, WaitReason.USER)
    assert (shop.view().suspended, shop.view().waiting) == (1, 0)
    assert await shop.claim("g-2") == ()
    with pytest.raises(RunNotFound):
        await shop.tasks.resume("main", run.id, actor="eve")
    assert await shop.claim("g-2") == ()
    resumed = await shop.tasks.resume("main", run.id, actor="ann")
    assert (resumed.status, resumed.waits) == (RunStatus.PENDING, None)
    again = await shop.claimed_again(run.id, "g-2")
    assert [entry.name for entry in again.journal] == ["first"]
    with pytest.raises(Refused):
        await shop.tasks.resume("main", run.id, actor="ann")


async def test_work_for_a_person_still_waits_after_a_restart(
    shop: Workshop, store: SqlStore, tmp_path: Path
) -> None:
    await shop.hire()
    claimed = await shop.begun("x", on_behalf=True)
    later = Workshop(store, tmp_path, owner="daemon-2", clock=shop.clock)
    assert await later.boot() == 1
    await later.hire()
    assert await later.claim() == ()
    assert later.view().suspended == 1
    await later.tasks.resume("main", claimed.run.id, actor="ann")
    await later.claimed_again(claimed.run.id)
    await later.close()


async def test_a_run_that_waits_for_nobody_cannot_be_resumed(shop: Workshop) -> None:
    await shop.hire()
    outcome = await shop.submit("x", on_behalf=True)
    with pytest.raises(Refused):
        await shop.tasks.resume("main", outcome.run.id, actor="ann")
    with pytest.raises(RunNotFound):
        await shop.tasks.resume("main", "r-none", actor="ann")


async def test_a_run_that_was_asked_to_stop_is_not_recovered(shop: Workshop) -> None:
    claimed = await working(shop)
    await shop.tasks.stop("main", claimed.run.id, by="eve")
    await shop.crash()
    run = await shop.run(claimed.run.id)
    assert (run.status, code_of(run)) == (RunStatus.ABORTED, "stopped")


async def test_a_run_that_ends_its_worker_ten_times_in_a_row_fails(shop: Workshop) -> None:
    await shop.hire()
    claimed = await shop.begun("x")
    for number in range(2, 11):
        await shop.crash(f"g-{number - 1}")
        await shop.hire(generation_id=f"g-{number}")
        claimed = await shop.claimed_again(claimed.run.id, f"g-{number}")
    assert claimed.run.attempt == 10
    await shop.crash("g-10")
    run = await shop.run(claimed.run.id)
    assert (run.status, code_of(run)) == (RunStatus.FAILED, "crash_loop")


async def test_a_run_that_gets_further_each_time_goes_on(shop: Workshop) -> None:
    await shop.hire()
    claimed = await shop.begun("x")
    for number in range(2, 14):
        if number % 4 == 0:
            await shop.step(claimed, f"step {number}", value=number)
        await shop.crash(f"g-{number - 1}")
        await shop.hire(generation_id=f"g-{number}")
        claimed = await shop.claimed_again(claimed.run.id, f"g-{number}")
    assert claimed.run.attempt == 13


async def test_workers_that_are_replaced_are_no_crash(shop: Workshop) -> None:
    await shop.hire()
    claimed = await shop.begun("x")
    for _ in range(12):
        await shop.release(claimed)
        claimed = await shop.claimed_again(claimed.run.id)
    assert claimed.run.attempt == 13


async def test_a_daemon_that_died_leaves_nothing_running(
    shop: Workshop, store: SqlStore, tmp_path: Path
) -> None:
    claimed = await working(shop)
    scoped = await shop.begun("y", scope="chat")
    later = Workshop(store, tmp_path, owner="daemon-2", clock=shop.clock)
    assert await later.boot() == 2
    run = await later.run(claimed.run.id)
    assert (run.status, run.attempt, run.waits) == (RunStatus.PENDING, 2, WaitReason.WORKER)
    with pytest.raises(LeaseLost):
        await later.report(claimed, output="from the dead")
    await later.hire()
    assert {each.run.id for each in await later.claim()} == {claimed.run.id, scoped.run.id}
    await later.close()


async def test_a_daemon_that_quits_takes_back_what_its_workers_held(
    shop: Workshop, store: SqlStore, tmp_path: Path
) -> None:
    claimed = await working(shop)
    await shop.close()
    run = await shop.run(claimed.run.id)
    assert (run.status, run.attempt) == (RunStatus.PENDING, 2)
    later = Workshop(store, tmp_path, owner="daemon-2", clock=shop.clock)
    assert await later.boot() == 0
    await later.close()


async def test_a_store_that_fails_at_boot_stops_no_daemon(
    shop: Workshop, store: SqlStore, tmp_path: Path
) -> None:
    claimed = await working(shop)
    later = Workshop(store, tmp_path, owner="daemon-2", clock=shop.clock)
    later.rows.failures["requeue"] = 1
    await later.boot()
    assert (await later.run(claimed.run.id)).status is RunStatus.RUNNING
    await later.tasks.close()
    assert (await later.run(claimed.run.id)).status is RunStatus.PENDING
    await later.close()


async def test_a_run_whose_worker_says_nothing_for_a_whole_lease_is_taken_back(
    shop: Workshop,
) -> None:
    silent = await working(shop)
    heard = await shop.begun("y")
    shop.clock.advance(20)
    await shop.report(heard)
    await shop.tasks.sweep()
    assert (await shop.run(silent.run.id)).status is RunStatus.RUNNING
    shop.clock.advance(11)
    await shop.tasks.sweep()
    assert (await shop.run(silent.run.id)).status is RunStatus.PENDING
    assert (await shop.run(heard.run.id)).status is RunStatus.RUNNING
    with pytest.raises(LeaseLost):
        await shop.end(silent)


async def test_runs_of_tasks_are_left_alone_by_the_sweep_of_silent_runs(shop: Workshop) -> None:
    await shop.hire()
    waiting = await shop.submit("x")
    shop.clock.advance(100_000)
    assert await shop.recorder.windowed_sweep() == 0
    assert (await shop.run(waiting.run.id)).status is RunStatus.PENDING


async def test_a_run_that_is_claimed_while_its_worker_ends_is_not_lost(shop: Workshop) -> None:
    await shop.hire()
    outcome = await shop.submit("x")
    gate = shop.rows.gates["claim"] = asyncio.Event()
    claim = asyncio.create_task(shop.claim())
    await shop.rows.called("claim")
    gone = asyncio.create_task(shop.crash())
    await asyncio.sleep(0)
    gate.set()
    async with asyncio.timeout(30):
        assert await claim == ()
        await gone
    run = await shop.run(outcome.run.id)
    assert (run.status, run.attempt) == (RunStatus.PENDING, 2)
