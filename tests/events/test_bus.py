"""The event bus: order, resuming, falling behind, closing."""

from __future__ import annotations

import asyncio

import pytest

from roost.events import EventBus, Subscription
from roost.models import (
    Change,
    Closing,
    DaemonView,
    EngineEvent,
    EngineState,
    Snapshot,
    WorkspaceChanged,
    WorkspaceRemoved,
    WorkspaceView,
)

START = "s1"


class Office:
    """A state of workspaces whose every change is published in the same step."""

    def __init__(self, queue_limit: int = 100) -> None:
        self.names: list[str] = []
        self.bus = EventBus(START, self.state, queue_limit=queue_limit)

    def state(self) -> EngineState:
        daemon = DaemonView(START, "1", 1, "/data", 0)
        return EngineState(daemon, tuple(WorkspaceView(name, name, 0) for name in self.names))

    def add(self, name: str) -> None:
        self.names.append(name)
        self.bus.publish(WorkspaceChanged(WorkspaceView(name, name, 0)))


def _told(event: EngineEvent) -> object:
    """Return an event in short: a snapshot's names, or a change's revision and name."""
    if isinstance(event, Snapshot):
        return [workspace.id for workspace in event.state.workspaces]
    if isinstance(event.body, WorkspaceChanged):
        return event.revision, event.body.workspace.id
    return event.revision, event.body


async def _next(subscription: Subscription, count: int) -> list[object]:
    async with asyncio.timeout(30):
        return [_told(await subscription.next()) for _ in range(count)]


async def _is_silent(subscription: Subscription) -> bool:
    waiting = asyncio.ensure_future(subscription.next())
    for _ in range(5):
        await asyncio.sleep(0)
    is_silent = not waiting.done()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    return is_silent


async def test_a_subscription_begins_with_the_state_then_tells_every_change_in_order() -> None:
    office = Office()
    office.add("a")
    async with office.bus.subscribe() as subscription:
        office.add("b")
        office.add("c")
        assert await _next(subscription, 3) == [["a"], (2, "b"), (3, "c")]


async def test_the_snapshot_is_of_the_moment_of_subscribing_not_of_reading() -> None:
    office = Office()
    async with office.bus.subscribe() as subscription:
        office.add("a")
        assert await _next(subscription, 2) == [[], (1, "a")]


async def test_every_subscription_is_told_the_same() -> None:
    office = Office()
    async with office.bus.subscribe() as one, office.bus.subscribe() as two:
        office.add("a")
        assert await _next(one, 2) == await _next(two, 2) == [[], (1, "a")]


async def test_a_waiting_reader_wakes_at_the_next_change() -> None:
    office = Office()
    async with office.bus.subscribe() as subscription, asyncio.timeout(30):
        await subscription.next()
        waiting = asyncio.create_task(subscription.next())
        await asyncio.sleep(0)
        office.add("a")
        assert _told(await waiting) == (1, "a")


async def test_a_cancelled_reader_loses_no_event() -> None:
    office = Office()
    async with office.bus.subscribe() as subscription:
        await subscription.next()
        waiting = asyncio.create_task(subscription.next())
        await asyncio.sleep(0)
        office.add("a")
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await _next(subscription, 1) == [(1, "a")]


async def test_publishing_while_one_reader_leaves_reaches_the_others() -> None:
    office = Office()
    async with office.bus.subscribe() as staying:
        leaving = office.bus.subscribe()
        leaving.close()
        office.add("a")
        assert await _next(staying, 2) == [[], (1, "a")]


async def test_a_reader_that_comes_back_gets_the_changes_it_missed_and_no_snapshot() -> None:
    office = Office()
    for name in "abc":
        office.add(name)
    async with office.bus.subscribe(f"{START}.1") as subscription:
        office.add("d")
        assert await _next(subscription, 3) == [(2, "b"), (3, "c"), (4, "d")]


async def test_a_reader_that_missed_nothing_hears_only_of_what_comes() -> None:
    office = Office()
    office.add("a")
    async with office.bus.subscribe(f"{START}.1") as subscription:
        assert await _is_silent(subscription)
        office.add("b")
        assert await _next(subscription, 1) == [(2, "b")]


async def test_an_id_before_the_first_change_resumes_too() -> None:
    office = Office()
    async with office.bus.subscribe(f"{START}.0") as subscription:
        office.add("a")
        assert await _next(subscription, 1) == [(1, "a")]


@pytest.mark.parametrize(
    "last_seen",
    [
        "",
        ".",
        "1",
        START,
        f"{START}.",
        f"{START}.x",
        f"{START}.-1",
        f"{START}.+1",
        f"{START}.1 ",
        f" {START}.1",
        f"{START}.1.1",
        f"{START}.²",
        f"{START}.\u0661",
        f"{START}.1\n",
        f"{START}.99",
        "s2.1",
        "s.1",
    ],
)
async def test_an_id_that_is_malformed_or_foreign_or_ahead_gets_a_snapshot(last_seen: str) -> None:
    office = Office()
    office.add("a")
    office.add("b")
    async with office.bus.subscribe(last_seen) as subscription, asyncio.timeout(30):
        snapshot = await subscription.next()
    assert isinstance(snapshot, Snapshot)
    assert (_told(snapshot), snapshot.missed) == (["a", "b"], 0)


async def test_a_start_id_may_hold_a_dot() -> None:
    office = Office()
    office.bus = EventBus("host.7", office.state)
    office.add("a")
    async with office.bus.subscribe("host.7.0") as subscription:
        assert await _next(subscription, 1) == [(1, "a")]


async def test_an_id_older_than_what_is_kept_gets_a_snapshot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("roost.events.bus.HISTORY_LIMIT", 2)
    office = Office()
    for name in "abcd":
        office.add(name)
    async with office.bus.subscribe(f"{START}.1") as too_old, asyncio.timeout(30):
        snapshot = await too_old.next()
    assert isinstance(snapshot, Snapshot)
    assert (_told(snapshot), snapshot.missed) == (["a", "b", "c", "d"], 3)
    async with office.bus.subscribe(f"{START}.2") as just_kept:
        assert await _next(just_kept, 2) == [(3, "c"), (4, "d")]


async def test_a_reader_at_its_limit_has_not_fallen_behind() -> None:
    office = Office(queue_limit=3)
    async with office.bus.subscribe() as subscription:
        office.add("a")
        office.add("b")
        assert await _next(subscription, 3) == [[], (1, "a"), (2, "b")]


async def test_a_reader_that_fell_behind_gets_the_present_state_then_what_follows() -> None:
    office = Office(queue_limit=3)
    async with office.bus.subscribe() as subscription:
        for name in "abcd":
            office.add(name)
        event = await subscription.next()
        assert isinstance(event, Snapshot)
        assert (_told(event), event.revision) == (["a", "b", "c", "d"], 4)
        office.add("e")
        assert await _next(subscription, 1) == [(5, "e")]


async def test_a_reader_that_fell_behind_is_told_how_many_changes_it_missed() -> None:
    office = Office(queue_limit=3)
    office.add("a")
    async with office.bus.subscribe() as subscription, asyncio.timeout(30):
        first = await subscription.next()
        office.add("b")
        await subscription.next()
        for name in "cdefg":
            office.add(name)
        fresh = await subscription.next()
    assert isinstance(first, Snapshot)
    assert isinstance(fresh, Snapshot)
    assert (first.missed, fresh.missed) == (0, 5)
    assert fresh.revision == 7


async def test_a_reader_that_has_read_nothing_yet_has_missed_nothing() -> None:
    office = Office(queue_limit=1)
    async with office.bus.subscribe() as subscription, asyncio.timeout(30):
        office.add("a")
        office.add("b")
        snapshot = await subscription.next()
    assert isinstance(snapshot, Snapshot)
    assert (_told(snapshot), snapshot.missed) == (["a", "b"], 0)


async def test_the_fresh_snapshot_is_of_the_moment_it_is_read() -> None:
    office = Office(queue_limit=1)
    async with office.bus.subscribe() as subscription:
        for name in "abc":
            office.add(name)
        office.add("d")
        assert await _next(subscription, 1) == [["a", "b", "c", "d"]]
        assert await _is_silent(subscription)


async def test_a_reader_can_fall_behind_again_and_again() -> None:
    office = Office(queue_limit=2)
    async with office.bus.subscribe() as subscription:
        for count in (3, 6, 9):
            for _ in range(3):
                office.add(f"w{len(office.names)}")
            event = await subscription.next()
            assert isinstance(event, Snapshot)
            assert event.revision == count


async def test_several_events_are_taken_at_once_in_order_up_to_a_limit() -> None:
    office = Office()
    async with office.bus.subscribe() as subscription, asyncio.timeout(30):
        for name in "abcd":
            office.add(name)
        pieces = [[_told(event) for event in await subscription.next_some(3)] for _ in range(2)]
        assert pieces == [[[], (1, "a"), (2, "b")], [(3, "c"), (4, "d")]]
        assert await _is_silent(subscription)


async def test_a_reader_of_several_is_told_what_it_missed_since_the_last_one() -> None:
    office = Office(queue_limit=2)
    async with office.bus.subscribe() as subscription, asyncio.timeout(30):
        office.add("a")
        await subscription.next_some(64)
        for name in "bcd":
            office.add(name)
        [fresh] = await subscription.next_some(64)
    assert isinstance(fresh, Snapshot)
    assert (fresh.revision, fresh.missed) == (4, 3)


async def test_one_slow_reader_does_not_cost_the_others_anything() -> None:
    office = Office(queue_limit=2)
    async with office.bus.subscribe() as slow, office.bus.subscribe() as quick:
        heard = await _next(quick, 1)
        for name in "abc":
            office.add(name)
            heard += await _next(quick, 1)
        assert heard == [[], (1, "a"), (2, "b"), (3, "c")]
        assert await _next(slow, 1) == [["a", "b", "c"]]


async def test_iterating_ends_after_the_closing_notice() -> None:
    office = Office()
    async with office.bus.subscribe() as subscription, asyncio.timeout(30):
        office.add("a")
        office.bus.close("stopping")
        told = [_told(event) async for event in subscription]
    assert told == [[], (1, "a"), (2, Closing("stopping"))]


async def test_nothing_is_told_after_the_closing_notice() -> None:
    office = Office()
    async with office.bus.subscribe() as subscription:
        office.bus.close("stopping")
        office.bus.publish(WorkspaceRemoved("a"))
        office.bus.close("again")
        assert await _next(subscription, 2) == [[], (1, Closing("stopping"))]
        assert await _is_silent(subscription)
    assert office.bus.revision == 1


@pytest.mark.parametrize("last_seen", [None, "junk", f"{START}.0", f"{START}.1", f"{START}.2"])
async def test_who_comes_after_the_closing_notice_gets_it_once(last_seen: str | None) -> None:
    office = Office()
    office.add("a")
    office.bus.close("stopping")
    async with office.bus.subscribe(last_seen) as subscription, asyncio.timeout(30):
        events = [event async for event in subscription]
    closings = [event for event in events if isinstance(event, Change)][-1:]
    assert [change.body for change in closings] == [Closing("stopping")]
    assert sum(isinstance(getattr(event, "body", None), Closing) for event in events) == 1


async def test_a_reader_that_fell_behind_still_gets_the_closing_notice() -> None:
    office = Office(queue_limit=1)
    async with office.bus.subscribe() as subscription, asyncio.timeout(30):
        office.add("a")
        office.add("b")
        office.bus.close("stopping")
        told = [_told(event) async for event in subscription]
    assert told == [["a", "b"], (3, Closing("stopping"))]


@pytest.mark.parametrize("queue_limit", [1, 100])
async def test_the_revision_rises_with_every_event_up_to_the_notice(queue_limit: int) -> None:
    office = Office(queue_limit=queue_limit)
    async with office.bus.subscribe() as early, asyncio.timeout(30):
        office.add("a")
        office.add("b")
        office.bus.close("stopping")
        async with office.bus.subscribe() as late:
            for subscription in (early, late):
                revisions = [event.revision async for event in subscription]
                assert revisions == sorted(set(revisions))
                assert revisions[-1] == office.bus.revision


async def test_the_notice_is_at_hand_once_the_bus_is_closed() -> None:
    office = Office()
    assert office.bus.closing is None
    office.bus.close("stopping")
    assert office.bus.closing == Closing("stopping")


async def test_a_notice_that_does_not_fit_the_queue_is_not_lost() -> None:
    office = Office(queue_limit=2)
    async with office.bus.subscribe() as subscription, asyncio.timeout(30):
        office.add("a")
        office.bus.close("stopping")
        told = [_told(event) async for event in subscription]
    assert told == [["a"], (2, Closing("stopping"))]


async def test_viewers_are_counted_until_they_leave() -> None:
    office = Office()
    async with office.bus.subscribe() as one:
        async with office.bus.subscribe():
            assert office.bus.viewers == 2
        assert office.bus.viewers == 1
        one.close()
        one.close()
        assert office.bus.viewers == 0


async def test_a_viewer_that_breaks_off_leaves_the_bus() -> None:
    office = Office()
    with pytest.raises(ConnectionError):
        async with office.bus.subscribe():
            raise ConnectionError
    assert office.bus.viewers == 0
