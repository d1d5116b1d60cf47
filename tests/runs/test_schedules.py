"""When schedules fire: once each, whatever happens to the daemon and to the clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.support.fake.clock import FIXED_START, FakeClock
from tests.support.schedules import MINUTE_MS, SECRET, Daemon, FakeQueue, Submitted

from roost.errors import (
    BadInput,
    Refused,
    ScheduleNotFound,
    StoreUnavailable,
    TaskNotFound,
)
from roost.models import (
    MissedFires,
    RunStatus,
    RunTrigger,
    ScheduleSpec,
    TasksChanged,
)
from roost.runs.cron import fire_name
from roost.store import SqlStore

START = FIXED_START
"""A whole hour: 09:00 UTC."""


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def queue(clock: FakeClock) -> FakeQueue:
    return FakeQueue(clock)


@pytest.fixture
async def daemon(store: SqlStore, clock: FakeClock, queue: FakeQueue) -> AsyncIterator[Daemon]:
    async with Daemon(store.schedules, clock, queue).running() as daemon:
        yield daemon


def key(minutes: int, name: str = "often") -> str:
    """Return the key of a fire so many minutes after the start."""
    return f"schedule:{name}:{fire_name(START + minutes * MINUTE_MS)}"


def declared(name: str = "nightly", cron: str = "*/5 * * * *") -> ScheduleSpec:
    return ScheduleSpec(name, "report", cron)


async def test_a_schedule_fires_at_each_of_its_times_under_a_key_of_that_time(
    daemon: Daemon,
) -> None:
    view = await daemon.put(input={"all": True})
    assert view.next_at == START + 5 * MINUTE_MS
    await daemon.at(START + 11 * MINUTE_MS)
    assert daemon.fired == [key(5), key(10)]
    run = daemon.queue.taken[key(10)].run
    assert (run.trigger, run.created_by) == (RunTrigger.SCHEDULE, "schedule:often")
    assert daemon.queue.taken[key(10)].input == {"all": True}
    view = daemon.view()
    assert (view.last_at, view.last_run) == (START + 10 * MINUTE_MS, run.id)
    assert view.next_at == START + 15 * MINUTE_MS
    assert TasksChanged("main") in daemon.published


async def test_a_fire_waits_for_its_time_without_looking_at_the_clock_all_the_while(
    daemon: Daemon,
) -> None:
    await daemon.put(cron="0 12 * * *")
    async with asyncio.timeout(30):
        for _ in range(5):
            await daemon.rested()
    assert daemon.clock.sleepers == 1 and daemon.queue.submits == 0


async def test_a_clock_that_is_set_back_fires_nothing_twice(daemon: Daemon) -> None:
    await daemon.put()
    await daemon.at(START + 6 * MINUTE_MS)
    daemon.clock._start -= 4 * MINUTE_MS
    await daemon.at(START + 8 * MINUTE_MS)
    assert daemon.fired == [key(5)] and daemon.queue.submits == 1


@pytest.mark.parametrize(
    ("missed", "fired"),
    [
        (MissedFires.SKIP, []),
        (MissedFires.ONCE, [15]),
        (MissedFires.ALL, [5, 10, 15]),
    ],
)
async def test_fires_missed_while_no_daemon_ran_go_by_the_policy(
    store: SqlStore, clock: FakeClock, queue: FakeQueue, missed: MissedFires, fired: list[int]
) -> None:
    async with Daemon(store.schedules, clock, queue).running() as first:
        await first.put(missed=missed)
    clock.advance(17 * 60)
    async with Daemon(store.schedules, clock, queue).running() as second:
        assert second.fired == [key(minutes) for minutes in fired]
        assert second.view().next_at == START + 20 * MINUTE_MS
        await second.at(START + 20 * MINUTE_MS)
        assert second.fired == [key(minutes) for minutes in (*fired, 20)]


async def test_of_very_many_missed_fires_the_newest_hundred_are_made_up_for(
    store: SqlStore, clock: FakeClock, queue: FakeQueue
) -> None:
    async with Daemon(store.schedules, clock, queue).running() as first:
        await first.put(cron="* * * * *", missed=MissedFires.ALL)
    clock.advance(500 * 60)
    async with Daemon(store.schedules, clock, queue).running() as second:
        assert second.fired == [key(minutes) for minutes in range(401, 501)]


async def test_a_fire_that_is_a_little_late_is_not_a_missed_one(
    store: SqlStore, clock: FakeClock, queue: FakeQueue
) -> None:
    async with Daemon(store.schedules, clock, queue).running() as first:
        await first.put()
    clock.advance(5 * 60 + 30)
    async with Daemon(store.schedules, clock, queue).running() as second:
        assert second.fired == [key(5)]


@pytest.mark.parametrize("missed", list(MissedFires))
async def test_a_daemon_killed_between_the_submit_and_the_next_time_neither_loses_nor_doubles(
    store: SqlStore, clock: FakeClock, queue: FakeQueue, missed: MissedFires
) -> None:
    queue.after_submit = asyncio.Event()
    async with Daemon(store.schedules, clock, queue).running() as first:
        await first.put(missed=missed)
        clock.advance(5 * 60)
        async with asyncio.timeout(30):
            await queue.was_taken.wait()
    queue.after_submit = None
    async with Daemon(store.schedules, clock, queue).running() as second:
        assert (second.fired, queue.submits) == ([key(5)], 2)
        assert second.view().last_run == queue.taken[key(5)].run.id
        await second.at(START + 10 * MINUTE_MS)
        assert second.fired == [key(5), key(10)]


async def test_a_fire_that_had_its_run_before_its_input_changed_is_no_failure(
    daemon: Daemon,
) -> None:
    await daemon.put(input=1)
    await daemon.schedules.fire("main", "often", actor="ann")
    _, taken = daemon.queue.taken.popitem()
    daemon.queue.taken[key(5)] = Submitted(taken.run, input=2)
    await daemon.at(START + 5 * MINUTE_MS)
    assert (daemon.fired, daemon.queue.submits, daemon.view().failures) == ([key(5)], 2, 0)
    assert daemon.view().next_at == START + 10 * MINUTE_MS


async def test_what_the_store_does_not_take_is_fired_once_it_does(daemon: Daemon) -> None:
    await daemon.put()
    daemon.queue.refusal = StoreUnavailable("the disk is full; make room")
    await daemon.jump(START + 5 * MINUTE_MS)
    assert daemon.fired == [] and daemon.view().failures == 0
    daemon.queue.refusal = None
    await daemon.jump(daemon.clock.now() + 5_000)
    assert daemon.fired == [key(5)]


async def test_five_failed_runs_in_a_row_disable_a_schedule_until_it_is_resumed(
    daemon: Daemon,
) -> None:
    await daemon.put()
    for minutes in range(5, 30, 5):
        await daemon.at(START + minutes * MINUTE_MS)
        await daemon.settle(RunStatus.FAILED)
    view = daemon.view()
    assert (view.failures, view.next_at) == (5, None)
    assert view.disabled is not None and view.disabled.code == "schedule_failing"
    assert "`roost schedule resume often`" in view.disabled.sentence
    assert "it broke" in view.disabled.sentence
    await daemon.at(START + 40 * MINUTE_MS)
    assert len(daemon.fired) == 5
    view = await daemon.schedules.pause("main", "often", paused=False)
    assert (view.failures, view.disabled) == (0, None)
    await daemon.at(START + 46 * MINUTE_MS)
    assert daemon.fired[5:] == [key(45)]


async def test_one_run_that_succeeds_makes_the_failures_before_it_forgotten(
    daemon: Daemon,
) -> None:
    await daemon.put()
    for minutes, status in (
        (5, RunStatus.FAILED),
        (10, RunStatus.ABORTED),
        (15, RunStatus.FAILED),
        (20, RunStatus.SUCCEEDED),
    ):
        await daemon.at(START + minutes * MINUTE_MS)
        failures = daemon.view().failures
        await daemon.settle(status)
        if status is RunStatus.ABORTED:
            assert daemon.view().failures == failures == 1
    assert daemon.view().failures == 0


async def test_a_run_that_is_told_of_twice_counts_once(daemon: Daemon) -> None:
    await daemon.put()
    await daemon.at(START + 5 * MINUTE_MS)
    for _ in range(3):
        await daemon.settle(RunStatus.FAILED)
    assert daemon.view().failures == 1


async def test_fires_that_cannot_be_submitted_count_as_failures(daemon: Daemon) -> None:
    await daemon.put()
    daemon.queue.refusal = BadInput("its input holds a secret; take it out")
    await daemon.at(START + 30 * MINUTE_MS)
    view = daemon.view()
    assert (view.failures, daemon.queue.submits) == (5, 5)
    assert view.disabled is not None and "holds a secret" in view.disabled.sentence


@pytest.mark.parametrize(
    ("missed", "fired"),
    [(MissedFires.SKIP, []), (MissedFires.ONCE, [10]), (MissedFires.ALL, [5, 10])],
)
async def test_fires_missed_while_paused_go_by_the_policy_too(
    daemon: Daemon, missed: MissedFires, fired: list[int]
) -> None:
    await daemon.put(missed=missed)
    assert (await daemon.schedules.pause("main", "often", paused=True)).next_at is None
    await daemon.at(START + 10 * MINUTE_MS)
    assert daemon.fired == []
    await daemon.schedules.pause("main", "often", paused=False)
    await daemon.rested()
    assert daemon.fired == [key(minutes) for minutes in fired]
    assert daemon.view().next_at == START + 15 * MINUTE_MS


async def test_a_schedule_can_be_fired_at_any_time_and_every_time_anew(daemon: Daemon) -> None:
    await daemon.put()
    await daemon.schedules.pause("main", "often", paused=True)
    first = await daemon.schedules.fire("main", "often", actor="ann")
    second = await daemon.schedules.fire("main", "often", actor="ann")
    assert first.run.id != second.run.id and second.run.created_by == "ann"
    assert daemon.view().last_at is None


async def test_a_schedule_whose_task_nobody_offers_waits_for_the_worker(daemon: Daemon) -> None:
    await daemon.put(missed=MissedFires.ONCE)
    daemon.queue.tasks.clear()
    assert daemon.view().next_at is None
    await daemon.at(START + 7 * MINUTE_MS)
    assert daemon.queue.submits == 0
    daemon.queue.tasks.add(("main", "report"))
    await daemon.schedules.declare("main", "jobs", ())
    await daemon.rested()
    assert daemon.fired == [key(5)]


async def test_another_time_begins_anew_and_other_input_keeps_the_time(daemon: Daemon) -> None:
    await daemon.put()
    await daemon.at(START + 6 * MINUTE_MS)
    view = await daemon.put(input="other")
    assert (view.next_at, view.last_at) == (START + 10 * MINUTE_MS, START + 5 * MINUTE_MS)
    assert (await daemon.put(cron="30 * * * *")).next_at == START + 30 * MINUTE_MS


async def test_what_was_missed_while_paused_is_not_forgotten_by_a_change_of_the_input(
    daemon: Daemon,
) -> None:
    await daemon.put(missed=MissedFires.ONCE)
    await daemon.schedules.pause("main", "often", paused=True)
    await daemon.at(START + 7 * MINUTE_MS)
    await daemon.put(missed=MissedFires.ONCE, input="other")
    await daemon.schedules.pause("main", "often", paused=False)
    await daemon.rested()
    assert daemon.fired == [key(5)]


async def test_a_change_that_comes_while_a_fire_is_submitted_stays_beside_it(
    daemon: Daemon,
) -> None:
    await daemon.put()
    daemon.queue.after_submit = asyncio.Event()
    daemon.clock.advance(5 * 60)
    async with asyncio.timeout(30):
        await daemon.queue.was_taken.wait()
    change = asyncio.create_task(daemon.put(input="other"))
    await daemon.rested_but_held()
    daemon.queue.after_submit.set()
    async with asyncio.timeout(30):
        await change
    await daemon.rested()
    view = daemon.view()
    assert (view.spec.input, view.last_run) == ("other", daemon.queue.taken[key(5)].run.id)
    assert view.next_at == START + 10 * MINUTE_MS


@pytest.mark.parametrize(
    ("changes", "error", "told"),
    [
        ({"name": "a b"}, BadInput, "no name for a schedule"),
        ({"name": ""}, BadInput, "no name for a schedule"),
        ({"name": "a/b"}, BadInput, "no name for a schedule"),
        ({"cron": "61 * * * *"}, BadInput, "no cron expression"),
        ({"timezone": "Mars/Base"}, BadInput, "no time zone"),
        ({"task": "nothing"}, TaskNotFound, "nothing"),
        ({"input": SECRET}, BadInput, "holds a secret"),
    ],
)
async def test_a_schedule_that_does_not_fit_is_refused(
    daemon: Daemon, changes: dict[str, str], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        await daemon.put(**changes)
    assert daemon.schedules.views() == ()


async def test_schedules_are_of_their_workspace(daemon: Daemon) -> None:
    await daemon.put()
    for verb in (
        daemon.schedules.pause("other", "often", paused=True),
        daemon.schedules.fire("other", "often", actor="ann"),
        daemon.schedules.remove("other", "often"),
    ):
        with pytest.raises(ScheduleNotFound):
            await verb
    assert daemon.schedules.views("other") == ()
    await daemon.schedules.put("other", declared("often"))
    await daemon.schedules.remove("other", "often")
    assert [view.workspace for view in daemon.schedules.views()] == ["main"]


# What workers declare --------------------------------------------------------------------------


async def test_a_worker_declares_schedules_and_those_it_leaves_out_go(daemon: Daemon) -> None:
    await daemon.put()
    await daemon.schedules.declare("main", "jobs", (declared("a"), declared("b")))
    await daemon.schedules.declare("main", "jobs", (declared("b"),))
    assert {view.spec.name: view.bundle for view in daemon.schedules.views()} == {
        "often": None,
        "b": "jobs",
    }
    await daemon.schedules.forget_bundle("main", "jobs")
    assert [view.spec.name for view in daemon.schedules.views()] == ["often"]


async def test_a_declared_schedule_stays_paused_and_keeps_its_time_over_restarts(
    store: SqlStore, clock: FakeClock, queue: FakeQueue
) -> None:
    async with Daemon(store.schedules, clock, queue).running() as first:
        await first.schedules.declare("main", "jobs", (declared("a"), declared("b")))
        await first.schedules.pause("main", "a", paused=True)
    clock.advance(5 * 60 + 10)
    async with Daemon(store.schedules, clock, queue).running() as second:
        await second.schedules.declare("main", "jobs", (declared("a"), declared("b")))
        await second.rested()
        assert second.view("a").is_paused
        assert second.fired == [key(5, "b")]


async def test_what_a_worker_declares_only_it_changes(daemon: Daemon) -> None:
    await daemon.schedules.declare("main", "jobs", (declared(),))
    with pytest.raises(Refused, match="the bundle 'jobs' declares the schedule 'nightly'"):
        await daemon.put(name="nightly")
    with pytest.raises(Refused, match="`roost schedule pause nightly`"):
        await daemon.schedules.remove("main", "nightly")


@pytest.mark.parametrize(
    ("specs", "told"),
    [
        ((declared("often"),), "an operator has made the schedule 'often'"),
        ((declared("theirs"),), "the bundle 'rival' has made the schedule 'theirs'"),
        ((declared("a"), declared("a")), "'a' is declared twice"),
        ((ScheduleSpec("a", "absent", "* * * * *"),), "'absent', which this worker does not"),
        ((declared("a", "x"),), "no cron expression"),
        ((ScheduleSpec("a", "report", "* * * * *", input=SECRET),), "holds a secret"),
    ],
)
async def test_what_a_worker_may_not_declare_is_told_before_anything_is_taken(
    daemon: Daemon, specs: tuple[ScheduleSpec, ...], told: str
) -> None:
    await daemon.put()
    await daemon.schedules.declare("main", "rival", (declared("theirs"),))
    with pytest.raises(BadInput, match=told):
        daemon.schedules.check_declared("main", "jobs", specs, ("report",))


async def test_a_schedule_that_somebody_made_meanwhile_is_not_taken_over(daemon: Daemon) -> None:
    daemon.schedules.check_declared("main", "jobs", (declared("often"),), ("report",))
    made = await daemon.put()
    with pytest.raises(BadInput, match="an operator has made the schedule 'often'"):
        await daemon.schedules.declare("main", "jobs", (declared("a"), declared("often")))
    assert daemon.schedules.views() == (made,)
