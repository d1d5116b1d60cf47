"""Tasks from submit to end: keys and owners, queues and slots, what a worker tells."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.ledger import SECRET
from tests.support.processes import until
from tests.support.tasks import FAILED, Workshop

from roost.errors import (
    AlreadyActive,
    BadInput,
    IdempotencyConflict,
    LeaseLost,
    QueueFull,
    Refused,
    RunNotFound,
    ShuttingDown,
    StoreUnavailable,
    TaskNotFound,
    TaskTaken,
)
from roost.models import (
    ClaimRequest,
    Emission,
    JournalWrite,
    RetryPolicy,
    RunEventKind,
    RunKind,
    RunProgress,
    RunStatus,
    RunTrigger,
    StepState,
    SubmitState,
    TasksChanged,
    TaskSpec,
    WaitReason,
)
from roost.models.codec import from_json
from roost.store import SqlStore


@pytest.fixture
async def shop(store: SqlStore, tmp_path: Path) -> AsyncIterator[Workshop]:
    shop = Workshop(store, tmp_path)
    await shop.boot()
    yield shop
    await shop.close()


# Submitting


async def test_a_submit_is_a_row_before_any_worker_has_it(shop: Workshop) -> None:
    await shop.hire()
    outcome = await shop.submit({"to": "bob"}, scope="chat")
    run = await shop.run(outcome.run.id)
    assert outcome.state is SubmitState.NEW
    assert (run.kind, run.status, run.task) == (RunKind.TASK, RunStatus.PENDING, "send")
    assert (run.created_by, run.on_behalf_of, run.trigger) == ("ann", None, RunTrigger.USER)
    assert (run.bundle, run.scope) == ("worker", "chat")


async def test_a_task_that_nobody_offers_cannot_be_submitted(shop: Workshop) -> None:
    await shop.hire()
    with pytest.raises(TaskNotFound, match="'other'"):
        await shop.submit(task="other")


async def test_equal_input_in_any_order_of_keys_attaches_and_another_person_gets_a_run_of_his_own(
    shop: Workshop,
) -> None:
    await shop.hire()
    first = await shop.submit({"a": 1, "b": 2}, actor="u", on_behalf=True)
    again = await shop.submit({"b": 2, "a": 1}, actor="u", on_behalf=True)
    other = await shop.submit({"a": 1, "b": 2}, actor="v", on_behalf=True)
    assert (again.state, again.run.id) == (SubmitState.ATTACHED, first.run.id)
    assert other.state is SubmitState.NEW
    assert (first.run.on_behalf_of, other.run.on_behalf_of) == ("u", "v")


async def test_a_key_of_one_person_is_another_ones_own_key(shop: Workshop) -> None:
    await shop.hire()
    first = await shop.submit(1, actor="u", on_behalf=True, idempotency_key="k")
    other = await shop.submit(2, actor="v", on_behalf=True, idempotency_key="k")
    assert first.run.id != other.run.id
    with pytest.raises(IdempotencyConflict):  # a key that tells whose it is opens nothing
        await shop.submit(1, actor="v", idempotency_key=first.run.idempotency_key)


async def test_the_key_that_was_derived_finds_the_run_again(shop: Workshop) -> None:
    await shop.hire()
    first = await shop.submit({"a": 1}, actor="u", on_behalf=True)
    key = first.run.idempotency_key
    again = await shop.submit({"a": 1}, actor="u", on_behalf=True, idempotency_key=key)
    assert again.run.id == first.run.id


async def test_a_settled_run_is_replayed_and_a_run_anew_is_begun(shop: Workshop) -> None:
    await shop.hire()
    claimed = await shop.begun("x")
    await shop.end(claimed, result="sent")
    replayed = await shop.submit("x")
    assert (replayed.state, replayed.run.id) == (SubmitState.REPLAYED, claimed.run.id)
    anew = await shop.submit("x", anew=True)
    assert anew.state is SubmitState.NEW
    with pytest.raises(BadInput, match="anew"):
        await shop.submit("x", anew=True, idempotency_key="k")


async def test_a_key_with_other_input_is_a_conflict(shop: Workshop) -> None:
    await shop.hire()
    first = await shop.submit(1, idempotency_key="k")
    with pytest.raises(IdempotencyConflict) as caught:
        await shop.submit(2, idempotency_key="k")
    assert caught.value.details["run"] == first.run.id


async def test_a_key_still_finds_its_run_when_another_bundle_offers_the_task(
    shop: Workshop,
) -> None:
    await shop.hire()
    first = await shop.submit(1)
    await shop.tasks.forget_bundle("main", "worker")
    await shop.hire(bundle="newer", generation_id="g-2")
    assert (await shop.submit(1)).run.id == first.run.id
    (claimed,) = await shop.claim("g-2")
    assert claimed.run.bundle == "newer"


async def test_of_twenty_submits_at_once_on_one_scope_one_begins(shop: Workshop) -> None:
    await shop.hire()
    submits = [shop.submit(number, scope="chat") for number in range(20)]
    outcomes = await asyncio.gather(*submits, return_exceptions=True)
    (winner,) = [each for each in outcomes if not isinstance(each, BaseException)]
    losers = [each for each in outcomes if isinstance(each, AlreadyActive)]
    assert len(losers) == 19
    assert {each.details["run"] for each in losers} == {winner.run.id}


async def test_twenty_submits_of_one_input_at_once_are_one_run(shop: Workshop) -> None:
    await shop.hire()
    gate = shop.ledger.rows.gates["insert"] = asyncio.Event()
    submits = asyncio.gather(*(shop.submit({"n": 1}) for _ in range(20)))
    await until(lambda: shop.ledger.rows.calls["insert"] == 20)
    gate.set()
    outcomes = await submits
    assert len({outcome.run.id for outcome in outcomes}) == 1
    assert [outcome.state for outcome in outcomes].count(SubmitState.NEW) == 1


@pytest.mark.parametrize("given", [SECRET, {"key": [f"Bearer {SECRET}"]}, {SECRET: 1}])
async def test_an_input_that_holds_a_secret_is_refused(shop: Workshop, given: Any) -> None:
    await shop.hire()
    with pytest.raises(BadInput, match="secret of 'worker'"):
        await shop.submit(given)
    assert shop.view().waiting == 0


@pytest.mark.parametrize(
    "given", [object(), {"a": "x" * 2**21}, from_json("[" * 150 + "]" * 150, Any)]
)
async def test_an_input_that_cannot_be_kept_whole_is_refused(shop: Workshop, given: Any) -> None:
    await shop.hire()
    with pytest.raises(BadInput, match="send"):
        await shop.submit(given)


async def test_a_full_queue_refuses_and_tells_when_to_try_again(shop: Workshop) -> None:
    await shop.hire(TaskSpec("send", queue_limit=3))
    outcomes = await asyncio.gather(
        *(shop.submit(number) for number in range(8)), return_exceptions=True
    )
    refused = [each for each in outcomes if isinstance(each, QueueFull)]
    assert len(refused) == 5
    assert {each.retry_after_s for each in refused} == {60}
    taken = next(number for number in range(8) if not isinstance(outcomes[number], QueueFull))
    assert (await shop.submit(taken)).state is SubmitState.ATTACHED


async def test_what_ended_lately_says_how_soon_there_is_room(shop: Workshop) -> None:
    await shop.hire(TaskSpec("send", queue_limit=1))
    for number in range(3):
        claimed = await shop.begun(number)
        shop.clock.advance(2)
        await shop.end(claimed)
    await shop.submit("waits")
    with pytest.raises(QueueFull) as caught:
        await shop.submit("too many")
    assert 1 <= caught.value.retry_after_s <= 2


async def test_a_task_that_recovers_by_itself_warns_once_of_work_for_a_person(
    shop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    await shop.hire(TaskSpec("send"), TaskSpec("mail"))
    with caplog.at_level(logging.WARNING, "roost.runs"):
        warned = [
            (await shop.submit(number, task=task, on_behalf=True)).warning
            for task in ("send", "mail")
            for number in range(50)
        ]
    told = [warning for warning in warned if warning]
    assert [("'send'" in each, "'mail'" in each) for each in told] == [(True, False), (False, True)]
    assert len([record for record in caplog.records if "resumes it" in record.message]) == 2


async def test_after_the_close_nothing_is_begun_or_claimed(shop: Workshop) -> None:
    await shop.hire()
    await shop.close()
    with pytest.raises(ShuttingDown):
        await shop.submit(1)
    with pytest.raises(ShuttingDown):
        await shop.claim()


# Workers


async def test_a_name_that_another_bundle_offers_is_refused_and_nothing_is_taken_over(
    shop: Workshop,
) -> None:
    await shop.hire(TaskSpec("send"))
    with pytest.raises(TaskTaken, match="'worker'"):
        await shop.hire(TaskSpec("more"), TaskSpec("send"), bundle="other", generation_id="g-2")
    assert [view.spec.name for view in shop.tasks.views()] == ["send"]
    with pytest.raises(Refused):
        await shop.claim("g-2")


async def test_a_hello_replaces_what_its_bundle_offered(shop: Workshop) -> None:
    await shop.hire(TaskSpec("send"), TaskSpec("old"))
    await shop.hire(TaskSpec("send", description="newer"), generation_id="g-2")
    assert [view.spec for view in shop.tasks.views("main")] == [
        TaskSpec("send", description="newer")
    ]
    assert shop.view().workers == 2
    assert shop.tasks.views("other") == ()


async def test_a_worker_that_ended_while_it_said_hello_is_not_waited_for(shop: Workshop) -> None:
    gate = shop.rows.gates["put"] = asyncio.Event()
    hello = asyncio.create_task(shop.hire())
    await shop.rows.called("put")
    await shop.crash()
    gate.set()
    with pytest.raises(Refused):
        await hello
    assert (await shop.submit("x")).run.waits == WaitReason.WORKER
    assert shop.view().workers == 0


@pytest.mark.parametrize(
    "spec",
    [
        TaskSpec(""),
        TaskSpec("a\nb"),
        TaskSpec("x" * 201),
        TaskSpec("send", age_limit_s=-1.0),
        TaskSpec("send", age_limit_s=float("nan")),
        TaskSpec("send", slots=0),
        TaskSpec("send", queue_limit=0),
        TaskSpec("send", retry=RetryPolicy(attempts=-1)),
        TaskSpec("send", retry=RetryPolicy(first_s=float("inf"))),
    ],
)
async def test_a_task_that_does_not_fit_is_refused(shop: Workshop, spec: TaskSpec) -> None:
    with pytest.raises(BadInput):
        await shop.hire(spec)
    assert shop.tasks.views() == ()


async def test_a_name_offered_twice_and_a_worker_without_slots_are_refused(shop: Workshop) -> None:
    with pytest.raises(BadInput, match="twice"):
        await shop.hire(TaskSpec("send"), TaskSpec("send"))
    with pytest.raises(BadInput, match="slots"):
        await shop.hire(slots=0)


async def test_a_run_says_what_it_waits_for(shop: Workshop) -> None:
    await shop.hire(slots=1)
    held = await shop.begun("held")
    waiting = await shop.submit("next")
    assert waiting.run.waits == WaitReason.SLOT
    await shop.crash()
    await until(lambda: shop.shown(waiting.run.id).waits == WaitReason.WORKER)
    alone = await shop.submit("alone")
    assert alone.run.waits == WaitReason.WORKER
    assert (await shop.run(held.run.id)).status is RunStatus.PENDING
    await shop.hire(generation_id="g-2", slots=9)
    assert len(await shop.claim("g-2")) == 3
    assert (await shop.run(alone.run.id)).waits is None


async def test_a_task_survives_its_worker_and_its_daemon(
    shop: Workshop, store: SqlStore, tmp_path: Path
) -> None:
    await shop.hire(TaskSpec("send", description="sends"))
    await shop.close()
    later = Workshop(store, tmp_path, owner="daemon-2")
    await later.boot()
    outcome = await later.submit("x")
    assert (outcome.run.waits, later.view().workers) == (WaitReason.WORKER, 0)
    assert later.view().spec.description == "sends"
    await later.close()


async def test_viewers_are_told_that_tasks_changed(shop: Workshop) -> None:
    await shop.hire()
    await asyncio.sleep(0)
    shop.clock.advance(1)
    await asyncio.sleep(0)
    assert TasksChanged("main") in shop.told


# Claiming


async def test_a_worker_gets_the_oldest_runs_that_it_has_slots_for(shop: Workshop) -> None:
    await shop.hire(TaskSpec("send"), TaskSpec("mail"), slots=3)
    ids = []
    for number in range(5):
        shop.clock.advance(0.001)
        task = "mail" if number % 2 else "send"
        ids.append((await shop.submit(number, task=task)).run.id)
    assert [each.run.id for each in await shop.claim()] == ids[:3]
    assert await shop.claim() == ()


async def test_a_claim_begins_an_attempt_under_a_lease(shop: Workshop) -> None:
    await shop.hire()
    claimed = await shop.begun({"to": "bob"})
    run = await shop.run(claimed.run.id)
    assert run == claimed.run
    assert (run.status, run.generation, run.attempt) == (RunStatus.RUNNING, 7, 1)
    assert run.lease_until == shop.clock.now() + claimed.lease_ms
    assert (claimed.epoch, claimed.input, claimed.journal) == (1, {"to": "bob"}, ())
    assert [event.message for event in await shop.events(run.id)] == ["running"]
    (attempt,) = (await shop.detail(run.id)).attempts
    assert (attempt.number, attempt.bundle, attempt.generation) == (1, "worker", 7)
    assert run in shop.ledger.published


async def test_two_workers_never_get_one_run(shop: Workshop) -> None:
    for number in range(4):
        await shop.hire(generation_id=f"g-{number}", slots=10)
    for number in range(30):
        await shop.submit(number)
    rounds = [shop.claim(f"g-{number % 4}", free=3) for number in range(40)]
    claimed = [each.run.id for some in await asyncio.gather(*rounds) for each in some]
    assert len(claimed) == len(set(claimed)) == 30


async def test_the_slots_of_a_task_hold_over_all_workers(shop: Workshop) -> None:
    spec = TaskSpec("send", slots=2)
    for number in range(3):
        await shop.hire(spec, generation_id=f"g-{number}")
    for number in range(6):
        await shop.submit(number)
    rounds = await asyncio.gather(*(shop.claim(f"g-{number}") for number in range(3)))
    claimed = [each for some in rounds for each in some]
    assert len(claimed) == 2
    assert (shop.view().waiting, shop.view().running) == (4, 2)
    await shop.end(claimed[0])
    rounds = await asyncio.gather(*(shop.claim(f"g-{number}") for number in range(3)))
    assert sum(map(len, rounds)) == 1


async def test_a_claim_waits_for_a_run_and_gets_it_when_it_comes(shop: Workshop) -> None:
    await shop.hire()
    claim = asyncio.create_task(shop.claim(wait_s=20))
    await asyncio.sleep(0)
    outcome = await shop.submit("x")
    async with asyncio.timeout(30):
        (claimed,) = await claim
    assert claimed.run.id == outcome.run.id


async def test_a_claim_that_finds_nothing_ends_with_nothing(shop: Workshop) -> None:
    await shop.hire()
    claim = asyncio.create_task(shop.claim(wait_s=20))
    async with asyncio.timeout(30):
        while not claim.done():
            shop.clock.advance(21)
            await asyncio.sleep(0)
    assert await claim == ()


async def test_a_waiting_claim_is_let_go_when_its_worker_ends(shop: Workshop) -> None:
    await shop.hire()
    claim = asyncio.create_task(shop.claim(wait_s=20))
    await asyncio.sleep(0)
    await shop.crash()
    async with asyncio.timeout(30):
        with pytest.raises(Refused):
            await claim


async def test_a_wish_for_no_run_is_refused(shop: Workshop) -> None:
    await shop.hire()
    with pytest.raises(BadInput):
        await shop.tasks.claim("main", "g-1", ClaimRequest(0))
    with pytest.raises(Refused):
        await shop.tasks.claim("other", "g-1", ClaimRequest(1))


async def test_a_run_that_the_store_did_not_give_is_given_later(shop: Workshop) -> None:
    await shop.hire()
    outcome = await shop.submit("x")
    shop.rows.failures["claim"] = 1
    with pytest.raises(StoreUnavailable):
        await shop.claim()
    assert (shop.view().waiting, shop.view().running) == (1, 0)
    (claimed,) = await shop.claim()
    assert claimed.run.id == outcome.run.id


# Telling


async def test_a_report_is_stored_before_it_is_answered(shop: Workshop) -> None:
    await shop.hire()
    claimed = await shop.begun()
    shop.clock.advance(5)
    lease = await shop.report(
        claimed,
        steps=(RunProgress(1, 3, "one"),),
        emissions=(Emission("mailed", {"to": "bob"}),),
        output="a line",
        link="https://out/1",
        journal=(JournalWrite("fetch", StepState.DONE, [1, 2]),),
    )
    run = await shop.run(claimed.run.id)
    assert lease.run == run
    assert (run.step_count, run.progress, run.link) == (
        1,
        RunProgress(1, 3, "one"),
        "https://out/1",
    )
    assert lease.until == run.lease_until == shop.clock.now() + claimed.lease_ms
    told = [(event.kind, event.name, event.message) for event in await shop.events(run.id)]
    assert told[1:] == [
        (RunEventKind.STEP, None, "one"),
        (RunEventKind.EMIT, "mailed", '{"to":"bob"}'),
        (RunEventKind.OUTPUT, None, "a line"),
    ]
    (entry,) = (await shop.detail(run.id)).journal
    assert (entry.name, entry.state, entry.value) == ("fetch", StepState.DONE, [1, 2])


async def test_a_heartbeat_renews_the_lease_and_tells_of_a_stop(shop: Workshop) -> None:
    await shop.hire()
    claimed = await shop.begun()
    shop.clock.advance(20)
    assert not (await shop.report(claimed)).stop_requested
    await shop.tasks.stop("main", claimed.run.id, by="ann")
    lease = await shop.report(claimed)
    assert lease.stop_requested
    assert lease.until == shop.clock.now() + claimed.lease_ms
    assert len(await shop.events(claimed.run.id)) == 1


@pytest.mark.parametrize("told", [{}, {"output": "late"}])
async def test_a_report_under_another_epoch_stores_nothing(
    shop: Workshop, told: dict[str, str]
) -> None:
    await shop.hire()
    first = await shop.begun()
    await shop.crash()
    await shop.hire(generation_id="g-2")
    second = await shop.claimed_again(first.run.id, "g-2")
    before = await shop.events(first.run.id)
    with pytest.raises(LeaseLost):
        await shop.report(first, **told)
    assert await shop.events(first.run.id) == before
    await shop.report(second, output="mine")


async def test_an_end_under_another_epoch_changes_nothing(shop: Workshop) -> None:
    await shop.hire()
    first = await shop.begun()
    await shop.crash()
    with pytest.raises(LeaseLost):  # it waits for its next attempt
        await shop.end(first, result="late")
    with pytest.raises(LeaseLost):
        await shop.report(first)
    await shop.hire(generation_id="g-2")
    second = await shop.claimed_again(first.run.id, "g-2")
    with pytest.raises(LeaseLost):
        await shop.end(first, result="late")
    with pytest.raises(LeaseLost):
        await shop.release(first)
    assert await shop.run(first.run.id) == second.run
    assert (await shop.end(second, result="mine")).status is RunStatus.SUCCEEDED
    with pytest.raises(LeaseLost):
        await shop.end(first, result="late")
    detail = await shop.store.runs.detail("main", first.run.id, newest=1)
    assert detail.result == "mine"


async def test_an_end_that_is_told_twice_is_answered_twice(shop: Workshop) -> None:
    await shop.hire()
    claimed = await shop.begun()
    first = await shop.end(claimed, result={"sent": 1}, link="https://out")
    again = await shop.end(claimed, RunStatus.FAILED)
    assert first == again == await shop.run(claimed.run.id)
    assert (first.status, first.link, first.waits) == (RunStatus.SUCCEEDED, "https://out", None)
    (attempt,) = (await shop.detail(first.id)).attempts
    assert (attempt.ended_at, attempt.error) == (first.finished_at, None)
    with pytest.raises(LeaseLost):
        await shop.report(claimed)


async def test_a_run_of_another_workspace_is_not_found(shop: Workshop) -> None:
    await shop.hire()
    claimed = await shop.begun()
    with pytest.raises(RunNotFound):
        await shop.tasks.detail("other", claimed.run.id)
    with pytest.raises(RunNotFound):
        await shop.tasks.resume("other", claimed.run.id, actor="ann")


async def test_a_journal_value_that_holds_a_secret_is_refused_with_the_name_of_its_step(
    shop: Workshop,
) -> None:
    await shop.hire()
    claimed = await shop.begun()
    with pytest.raises(BadInput, match="'login'"):
        await shop.report(
            claimed,
            output="not kept either",
            journal=(
                JournalWrite("fetch", StepState.DONE, 1),
                JournalWrite("login", StepState.DONE, {"token": SECRET}),
            ),
        )
    assert (await shop.detail(claimed.run.id)).journal == ()
    assert len(await shop.events(claimed.run.id)) == 1


async def test_a_secret_in_the_journal_is_shown_to_nobody_but_its_handler(shop: Workshop) -> None:
    await shop.hire()
    claimed = await shop.begun()
    await shop.store.tasks.report_work(  # as it was stored before the value became a secret
        claimed.run.id,
        at=shop.clock.now(),
        owner="g-1",
        epoch=claimed.epoch,
        lease_until=0,
        journal=(JournalWrite("login", StepState.DONE, SECRET),),
    )
    (entry,) = (await shop.detail(claimed.run.id)).journal
    assert entry.value == "[secret]"
    await shop.release(claimed)
    (given,) = (await shop.claimed_again(claimed.run.id)).journal
    assert given.value == SECRET


async def test_emissions_and_output_are_scrubbed(shop: Workshop) -> None:
    await shop.hire()
    claimed = await shop.begun()
    await shop.report(
        claimed,
        emissions=(Emission("mailed", [SECRET]),),
        output=f"with {SECRET}",
        steps=(RunProgress(1, None, SECRET),),
    )
    assert not any(SECRET in event.message for event in await shop.events(claimed.run.id))


@pytest.mark.parametrize("name", ["completed", "Failed", "status", "", "x" * 201])
async def test_an_emission_cannot_take_a_name_of_the_daemon(shop: Workshop, name: str) -> None:
    await shop.hire()
    claimed = await shop.begun()
    with pytest.raises(BadInput):
        await shop.report(claimed, emissions=(Emission(name),))
    assert len(await shop.events(claimed.run.id)) == 1


async def test_a_step_that_is_done_stays_as_it_is(shop: Workshop) -> None:
    await shop.hire()
    claimed = await shop.begun()
    await shop.step(claimed, "fetch", StepState.STARTED)
    await shop.step(claimed, "fetch", value=1)
    await shop.step(claimed, "fetch", StepState.STARTED)
    await shop.step(claimed, "fetch", value=2)
    (entry,) = (await shop.detail(claimed.run.id)).journal
    assert (entry.state, entry.value) == (StepState.DONE, 1)


async def test_the_counts_of_a_task_are_those_of_its_rows_after_a_restart(
    shop: Workshop, store: SqlStore, tmp_path: Path
) -> None:
    await shop.hire(slots=3)
    for number in range(5):
        await shop.submit(number)
    await shop.submit("hers", on_behalf=True)
    await shop.claim()
    assert (shop.view().waiting, shop.view().running, shop.view().workers) == (3, 3, 1)
    await shop.close()
    later = Workshop(store, tmp_path, owner="daemon-2", clock=shop.clock)
    await later.boot()
    assert (later.view().waiting, later.view().running) == (6, 0)
    await later.close()


# Another try


async def test_a_transient_failure_is_tried_again_after_a_pause_that_doubles(
    shop: Workshop,
) -> None:
    await shop.hire(TaskSpec("send", retry=RetryPolicy(attempts=2, first_s=10, longest_s=60)))
    claimed = await shop.begun()
    for number, pause_s in ((2, 10), (3, 20)):
        waiting = await shop.fail(claimed)
        assert (waiting.status, waiting.waits, waiting.attempt) == (
            RunStatus.PENDING,
            WaitReason.RETRY,
            number,
        )
        assert waiting.available_at is not None
        pause_ms = waiting.available_at - shop.clock.now()
        assert pause_s * 800 <= pause_ms <= pause_s * 1200
        assert await shop.fail(claimed) == waiting  # told twice
        assert await shop.claim() == ()
        shop.clock.advance(pause_ms / 1000)
        claimed = await shop.claimed_again(waiting.id)
    ended = await shop.fail(claimed)
    assert (ended.status, ended.error, ended.attempt) == (RunStatus.FAILED, FAILED, 3)
    told = [event.message for event in await shop.events(ended.id)]
    assert told == [
        "running",
        "pending (attempt 2): it broke",
        "running (attempt 2)",
        "pending (attempt 3): it broke",
        "running (attempt 3)",
        "failed: it broke",
    ]
    attempts = (await shop.detail(ended.id)).attempts
    assert [(attempt.number, attempt.error) for attempt in attempts] == [
        (1, FAILED),
        (2, FAILED),
        (3, FAILED),
    ]


async def test_a_worker_that_waits_is_given_a_run_when_its_pause_is_over(shop: Workshop) -> None:
    await shop.hire(TaskSpec("send", retry=RetryPolicy(attempts=1, first_s=5)))
    claimed = await shop.begun()
    await shop.fail(claimed)
    claim = asyncio.create_task(shop.claim(wait_s=20))
    async with asyncio.timeout(30):
        while not claim.done():
            if shop.clock.sleepers:
                shop.clock.advance(0.5)
            await asyncio.sleep(0)
    (again,) = await claim
    assert again.run.attempt == 2
    assert again.epoch == claimed.epoch + 1


async def test_an_interrupted_attempt_costs_no_further_try(shop: Workshop) -> None:
    await shop.hire(TaskSpec("send", retry=RetryPolicy(attempts=1, first_s=0)))
    claimed = await shop.begun()
    await shop.release(claimed)
    claimed = await shop.claimed_again(claimed.run.id)
    waiting = await shop.fail(claimed)
    assert waiting.waits == WaitReason.RETRY
    shop.clock.advance(1)
    claimed = await shop.claimed_again(claimed.run.id)
    assert (await shop.fail(claimed)).status is RunStatus.FAILED


async def test_a_failure_that_is_not_transient_ends_the_run(shop: Workshop) -> None:
    await shop.hire(TaskSpec("send", retry=RetryPolicy(attempts=5)))
    claimed = await shop.begun()
    assert (await shop.fail(claimed, is_transient=False)).status is RunStatus.FAILED


async def test_what_cannot_be_stored_now_is_kept_as_the_end(shop: Workshop) -> None:
    await shop.hire()
    claimed = await shop.begun()
    shop.ledger.rows.failures["finalize"] = 99
    end = asyncio.create_task(shop.end(claimed, result=1))
    async with asyncio.timeout(30):
        while not end.done():
            if shop.clock.sleepers:
                shop.clock.advance(1)
            await asyncio.sleep(0)
    with pytest.raises(StoreUnavailable):
        await end
    with pytest.raises(LeaseLost):
        await shop.report(claimed)
    shop.ledger.rows.recover()
    await shop.recorder.sweep()
    assert (await shop.run(claimed.run.id)).status is RunStatus.SUCCEEDED
