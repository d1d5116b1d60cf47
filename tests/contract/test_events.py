"""The event stream, whichever way it comes."""

from __future__ import annotations

import asyncio

import pytest
from tests.contract.waiting import bundle_in, in_status, reading
from tests.contract.world import ContractWorld

from roost.errors import DaemonUnreachable, ShuttingDown
from roost.models import (
    CallRequest,
    Change,
    Closing,
    CredentialWrite,
    RunQuery,
    RunStatus,
    SlotState,
    Snapshot,
    WorkspaceChanged,
)


async def test_the_first_event_is_a_snapshot_of_the_state(world: ContractWorld) -> None:
    async with reading(world.engine.events()) as events:
        first = await anext(events)
    assert isinstance(first, Snapshot)
    assert [workspace.id for workspace in first.state.workspaces] == ["w"]
    assert first.start_id == first.state.daemon.start_id


async def test_every_later_change_comes_in_order_without_a_gap(world: ContractWorld) -> None:
    async with reading(world.engine.events()) as events:
        snapshot = await anext(events)
        for name in ("a", "b", "c"):
            await world.engine.create_workspace(name)
        changes = [await anext(events) for _ in range(3)]
    assert isinstance(snapshot, Snapshot)
    assert [change.revision for change in changes] == [
        snapshot.revision + step for step in (1, 2, 3)
    ]
    bodies = [change.body for change in changes if isinstance(change, Change)]
    created = [body.workspace.id for body in bodies if isinstance(body, WorkspaceChanged)]
    assert created == ["a", "b", "c"]


async def test_a_second_subscription_starts_where_the_first_one_is(world: ContractWorld) -> None:
    async with reading(world.engine.events()) as first:
        await anext(first)
        await world.engine.create_workspace("a")
        seen = await anext(first)
        async with reading(world.engine.events()) as second:
            fresh = await anext(second)
    assert isinstance(fresh, Snapshot)
    assert fresh.revision == seen.revision
    assert "a" in [workspace.id for workspace in fresh.state.workspaces]


async def test_a_reader_that_fell_behind_gets_a_fresh_snapshot_and_is_told_so(
    world: ContractWorld,
) -> None:
    async with reading(world.engine.events()) as events:
        before = await anext(events)
        world.flood()
        after = await anext(events)
        await world.engine.create_workspace("later")
        change = await anext(events)
    assert isinstance(before, Snapshot)
    assert isinstance(after, Snapshot)
    assert before.missed == 0
    assert after.missed == after.revision - before.revision > 0
    assert change.revision == after.revision + 1


async def test_the_stream_ends_after_the_closing_notice(world: ContractWorld) -> None:
    async with reading(world.engine.events()) as events:
        await anext(events)
        await world.close()
        rest = [event async for event in events]
    notices = [e.body for e in rest if isinstance(e, Change) and isinstance(e.body, Closing)]
    assert len(notices) == 1
    assert notices[0].reason
    assert isinstance(rest[-1], Change)
    assert rest[-1].body is notices[0]


async def test_who_subscribes_after_the_closing_notice_gets_it_at_once(
    world: ContractWorld,
) -> None:
    await world.close()
    async with reading(world.engine.events()) as events:
        first, last = [event async for event in events]
    assert isinstance(first, Snapshot)
    assert isinstance(last, Change)
    assert isinstance(last.body, Closing)


async def test_once_the_daemon_is_closing_work_is_refused_and_asking_again_changes_nothing(
    world: ContractWorld,
) -> None:
    await world.engine.install("w", world.request("app"))
    await bundle_in(world.engine, "app", SlotState.RUNNING)
    await world.close()
    await world.close()
    for work in (
        world.engine.call_tool("w", "app", CallRequest("echo")),
        world.engine.respawn("w", "app"),
        world.engine.start("w", "app"),
        world.engine.install("w", world.request("other")),
        world.engine.write_credentials("w", "app", CredentialWrite({"X": "y"})),
        world.engine.restore_credentials("w", "app"),
        world.engine.create_workspace("more"),
    ):
        with pytest.raises(ShuttingDown):
            await work
    assert await world.engine.runs(RunQuery("w")) == ()
    async with reading(world.engine.events()) as events:
        told = [event async for event in events]
    assert sum(isinstance(e, Change) and isinstance(e.body, Closing) for e in told) == 1


async def test_streams_of_runs_and_logs_end_at_once_when_the_daemon_is_closing(
    world: ContractWorld,
) -> None:
    await world.engine.install("w", world.request("app"))
    await bundle_in(world.engine, "app", SlotState.RUNNING)
    run = await world.engine.call_tool("w", "app", CallRequest("wait"))
    await in_status(world.engine, run.id, RunStatus.RUNNING)
    await world.close()
    async with reading(world.engine.run_events("w", run.id)) as events:
        told = [event.message async for event in events]
    assert set(told) <= {RunStatus.PENDING, RunStatus.RUNNING}, "it has not settled"
    async with reading(world.engine.follow_log("w", "app")) as pages:
        assert {page.generation async for page in pages} <= {1}


async def test_a_daemon_that_vanishes_is_an_error_of_the_stream(world: ContractWorld) -> None:
    async with reading(world.engine.events()) as events:
        await anext(events)
        vanishing = asyncio.create_task(world.vanish())
        with pytest.raises(DaemonUnreachable):
            await anext(events)
        await vanishing


async def test_a_daemon_that_vanished_is_an_error_of_every_call(world: ContractWorld) -> None:
    await world.vanish()
    with pytest.raises(DaemonUnreachable):
        await world.engine.status()
    with pytest.raises(DaemonUnreachable):
        async with reading(world.engine.events()) as events:
            await anext(events)
    with pytest.raises(DaemonUnreachable):
        async with reading(world.engine.follow_log("w", "x")) as pages:
            await anext(pages)


async def test_viewers_are_counted_while_they_watch(world: ContractWorld) -> None:
    async with reading(world.engine.events()) as events:
        await anext(events)
        assert (await world.engine.status()).viewers == 1
    counts = [(await world.engine.status()).viewers for _ in range(100)]
    assert counts[-1] == 0
