"""Tool calls of a bundle that takes only some at a time."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from tests.support.ledger import Desk

from roost.errors import BundleNotFound
from roost.models import CallRequest, RunEventKind, RunStatus, RunView
from roost.runs import CallEnded
from roost.runs.places import CallPlaces


@pytest.fixture
def desk(desk: Desk) -> Desk:
    desk.settings = replace(desk.settings, max_calls=2)
    return desk


async def begin(desk: Desk, number: int = 0, bundle: str = "files") -> RunView:
    request = CallRequest("search", {"query": str(number)})
    return await desk.calls.begin("main", bundle, request, actor="ann")


async def begin_many(desk: Desk, count: int) -> list[RunView]:
    return [await begin(desk, number) for number in range(count)]


async def waiting(desk: Desk, run: RunView) -> str:
    """Wait until a run says why it waits, and return that."""
    async with asyncio.timeout(30):
        async for event in desk.recorder.events("main", run.id):
            if event.kind is RunEventKind.OUTPUT:
                return event.message
    raise AssertionError("it never waited")


def asked(desk: Desk) -> list[str]:
    return [call.arguments["query"] for call in desk.caller.calls]


async def test_calls_beyond_the_limit_wait_as_pending_runs_and_say_why(desk: Desk) -> None:
    runs = await begin_many(desk, 3)
    assert "waits for a place" in await waiting(desk, runs[2])
    await desk.caller.arrived(2)
    held = await desk.recorder.get("main", runs[2].id)
    assert (held.status, held.started_at) == (RunStatus.PENDING, None)
    assert asked(desk) == ["0", "1"]


async def test_places_are_given_in_the_order_in_which_the_calls_were_begun(desk: Desk) -> None:
    runs = await begin_many(desk, 7)
    for number in range(7):
        call = await desk.caller.arrived(number + 1)
        assert len(desk.caller.calls) - sum(call.answer.done() for call in desk.caller.calls) <= 2
        call.succeed()
    for run in runs:
        assert (await desk.settled(run.id)).status is RunStatus.SUCCEEDED
    assert asked(desk) == [str(number) for number in range(7)]


async def test_a_waiting_call_can_be_stopped_and_never_reaches_the_server(desk: Desk) -> None:
    runs = await begin_many(desk, 4)
    await waiting(desk, runs[2])
    outcome = await desk.calls.stop("main", runs[2].id, by="ben")
    assert (outcome.stopped, outcome.run.status) == (True, RunStatus.ABORTED)
    assert outcome.run.started_at is None
    (await desk.caller.arrived(1)).succeed()
    await desk.caller.arrived(3)
    assert asked(desk) == ["0", "1", "3"], "the one behind it moved up"


@pytest.mark.parametrize("end", ["restarting", "lost"])
async def test_a_respawn_or_a_crash_frees_the_places_of_the_calls_it_cut(
    desk: Desk, end: str
) -> None:
    runs = await begin_many(desk, 4)
    await desk.caller.arrived(2)
    for call in tuple(desk.caller.calls):
        call.answer.set_exception(CallEnded(end, "the process went away"))
    await desk.caller.arrived(4)
    assert sorted(asked(desk)) == ["0", "1", "2", "3"], "two places came free at once"
    assert (await desk.settled(runs[0].id)).status is RunStatus.FAILED


async def test_waiting_calls_stay_until_the_bundle_runs_again_and_none_is_lost(desk: Desk) -> None:
    runs = await begin_many(desk, 5)
    await desk.caller.arrived(2)
    desk.caller.is_restarting = True
    for call in tuple(desk.caller.calls):
        call.answer.set_exception(CallEnded("lost", "the process went away"))
    for run in runs[:2]:
        await desk.settled(run.id)
    assert asked(desk) == ["0", "1"]
    desk.caller.is_restarting = False
    desk.calls.bundle_changed("main", "files")
    await desk.caller.arrived(4)
    assert sorted(asked(desk)) == ["0", "1", "2", "3"], "two places came free at once"


async def test_a_call_that_meets_a_restart_waits_for_it_and_says_so(desk: Desk) -> None:
    desk.caller.is_restarting = True
    run = await begin(desk)
    assert await waiting(desk, run) == "waits for 'files', which is on its way to run again"
    desk.caller.is_restarting = False
    desk.calls.bundle_changed("main", "files")
    (await desk.caller.arrived()).succeed()
    assert (await desk.settled(run.id)).status is RunStatus.SUCCEEDED


async def test_the_wait_for_a_place_counts_neither_as_silence_nor_for_the_cap(desk: Desk) -> None:
    runs = await begin_many(desk, 3)
    first, second = await desk.caller.arrived(1), await desk.caller.arrived(2)
    await waiting(desk, runs[2])
    desk.clock.advance(59)
    first.succeed()
    second.succeed()
    call = await desk.caller.arrived(3)
    for _ in range(5):
        await asyncio.sleep(0)
    desk.clock.advance(59)
    assert not call.is_cancelled
    call.succeed()
    assert (await desk.settled(runs[2].id)).status is RunStatus.SUCCEEDED


async def test_a_raised_or_lifted_limit_counts_at_once(desk: Desk) -> None:
    runs = await begin_many(desk, 6)
    await waiting(desk, runs[5])
    desk.settings = replace(desk.settings, max_calls=3)
    desk.calls.bundle_changed("main", "files")
    await desk.caller.arrived(3)
    assert len(desk.caller.calls) == 3
    desk.settings = replace(desk.settings, max_calls=0)
    desk.calls.bundle_changed("main", "files")
    await desk.caller.arrived(6)


async def test_a_shutdown_settles_the_waiting_calls_too(desk: Desk) -> None:
    runs = await begin_many(desk, 5)
    await waiting(desk, runs[4])
    await desk.calls.close(5)
    for run in runs:
        assert (await desk.recorder.get("main", run.id)).status is RunStatus.ABORTED
    assert asked(desk) == ["0", "1"]


async def test_a_store_that_does_not_take_the_note_holds_no_call_up(desk: Desk) -> None:
    await begin_many(desk, 2)
    await desk.caller.arrived(2)
    desk.ledger.rows.failures["append_event"] = 1
    third = await begin(desk, 2)
    (await desk.caller.arrived(1)).succeed()
    (await desk.caller.arrived(3)).succeed()
    assert (await desk.settled(third.id)).status is RunStatus.SUCCEEDED


async def test_the_limit_of_one_bundle_is_not_that_of_another(desk: Desk) -> None:
    await begin_many(desk, 3)
    await begin(desk, 3, bundle="mail")
    await desk.caller.arrived(3)
    assert asked(desk) == ["0", "1", "3"]


def test_places_are_left_once_and_nothing_is_kept_of_an_idle_bundle() -> None:
    places = CallPlaces(lambda workspace, bundle: 1, is_coming=lambda workspace, bundle: False)
    first, second, third = (places.ask(("w", "app")) for _ in range(3))
    assert (first.is_given, second.is_given, third.is_given) == (True, False, False)
    second.leave()
    first.leave()
    first.leave()
    assert third.is_given
    third.leave()
    assert places._queues == {}


def test_the_calls_of_a_removed_bundle_go_on_to_their_end() -> None:
    def limit(workspace: str, bundle: str) -> int:
        raise BundleNotFound(workspace, bundle)

    places = CallPlaces(limit, is_coming=lambda workspace, bundle: False)
    assert places.ask(("w", "gone")).is_given
