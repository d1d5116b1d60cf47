"""Tool calls and the runs they are."""

from __future__ import annotations

import asyncio

import pytest
from tests.contract.waiting import bundle_in, in_status, reading, settled
from tests.contract.world import ContractWorld

from roost.errors import (
    AlreadyActive,
    IdempotencyConflict,
    NotRunning,
    RunNotFound,
    ToolNotFound,
)
from roost.models import CallRequest, RunEventKind, RunQuery, RunStatus, RunView, SlotState


async def _running(world: ContractWorld) -> None:
    await world.engine.install("w", world.request("app"))
    await bundle_in(world.engine, "app", SlotState.RUNNING)


async def _waiting_run(world: ContractWorld, scope: str | None = None) -> RunView:
    run = await world.engine.call_tool("w", "app", CallRequest("wait", scope=scope))
    await in_status(world.engine, run.id, RunStatus.RUNNING)
    return run


async def test_a_running_bundle_offers_its_tools(world: ContractWorld) -> None:
    await _running(world)
    names = [tool.name for tool in await world.engine.tools("w", "app")]
    assert {"echo", "wait"} <= set(names)


async def test_a_call_is_a_run_that_succeeds_with_a_result(world: ContractWorld) -> None:
    await _running(world)
    begun = await world.engine.call_tool("w", "app", CallRequest("echo", {"text": "hi"}))
    assert (begun.workspace, begun.bundle, begun.tool) == ("w", "app", "echo")
    detail = await settled(world.engine, begun.id)
    assert detail.run.status is RunStatus.SUCCEEDED
    assert detail.run.created_by
    assert detail.run.finished_at is not None
    assert detail.input == {"text": "hi"}
    assert "content" in detail.result


async def test_the_events_of_a_run_have_no_gap_and_end_with_its_status(
    world: ContractWorld,
) -> None:
    await _running(world)
    begun = await world.engine.call_tool("w", "app", CallRequest("echo"))
    async with reading(world.engine.run_events("w", begun.id)) as stream:
        events = [event async for event in stream]
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert events[-1].kind is RunEventKind.STATUS
    assert tuple(events) == (await world.engine.run("w", begun.id)).events


async def test_a_viewer_resumes_behind_the_event_it_saw_last(world: ContractWorld) -> None:
    await _running(world)
    run = await _waiting_run(world)
    async with reading(world.engine.run_events("w", run.id)) as stream:
        seen = (await anext(stream)).seq
    await world.engine.stop_run("w", run.id)
    async with reading(world.engine.run_events("w", run.id, after=seen)) as stream:
        later = [event.seq async for event in stream]
    assert later == list(range(seen + 1, seen + 1 + len(later)))
    assert later


async def test_a_viewer_of_a_quiet_run_sees_its_end_live(world: ContractWorld) -> None:
    await _running(world)
    run = await _waiting_run(world)
    async with reading(world.engine.run_events("w", run.id)) as stream:
        await anext(stream)
        stopping = asyncio.create_task(world.engine.stop_run("w", run.id))
        rest = [event async for event in stream]
        await stopping
    assert rest[-1].kind is RunEventKind.STATUS


async def test_a_stopped_run_is_aborted_and_says_by_whom(world: ContractWorld) -> None:
    await _running(world)
    run = await _waiting_run(world)
    outcome = await world.engine.stop_run("w", run.id)
    assert outcome.stopped, outcome.sentence
    assert outcome.run.status is RunStatus.ABORTED
    assert outcome.run.stop_requested_by
    assert outcome.run.error is not None
    assert outcome.run.error.code == "stopped"


async def test_stopping_a_settled_run_changes_nothing_and_says_so(world: ContractWorld) -> None:
    await _running(world)
    begun = await world.engine.call_tool("w", "app", CallRequest("echo"))
    before = await settled(world.engine, begun.id)
    outcome = await world.engine.stop_run("w", begun.id)
    assert (outcome.stopped, outcome.run) == (False, before.run)
    assert outcome.sentence


async def test_a_viewer_that_leaves_does_not_stop_the_run(world: ContractWorld) -> None:
    await _running(world)
    run = await _waiting_run(world)
    assert (await world.engine.run("w", run.id)).run.status is RunStatus.RUNNING


async def test_a_run_of_another_workspace_does_not_exist(world: ContractWorld) -> None:
    await _running(world)
    run = await world.engine.call_tool("w", "app", CallRequest("echo"))
    await world.engine.create_workspace("other")
    for workspace, run_id in (("other", run.id), ("w", "r-none")):
        with pytest.raises(RunNotFound):
            await world.engine.run(workspace, run_id)
        with pytest.raises(RunNotFound):
            await world.engine.stop_run(workspace, run_id)
        with pytest.raises(RunNotFound):
            async with reading(world.engine.run_events(workspace, run_id)) as stream:
                await anext(stream)


async def test_a_stopped_bundle_takes_no_calls(world: ContractWorld) -> None:
    await _running(world)
    await world.engine.stop("w", "app")
    with pytest.raises(NotRunning) as refusal:
        await world.engine.call_tool("w", "app", CallRequest("echo"))
    assert refusal.value.details["state"] == "stopped"
    with pytest.raises(NotRunning):
        await world.engine.tools("w", "app")
    assert await world.engine.runs(RunQuery(workspace="w")) == ()


async def test_an_unknown_tool_begins_no_run(world: ContractWorld) -> None:
    await _running(world)
    with pytest.raises(ToolNotFound, match="echo"):
        await world.engine.call_tool("w", "app", CallRequest("nope"))
    assert await world.engine.runs(RunQuery(workspace="w")) == ()


async def test_a_scope_has_one_active_run(world: ContractWorld) -> None:
    await _running(world)
    first = await _waiting_run(world, scope="chat-1")
    with pytest.raises(AlreadyActive) as refusal:
        await world.engine.call_tool("w", "app", CallRequest("wait", scope="chat-1"))
    assert refusal.value.details == {"scope": "chat-1", "run": first.id}
    await world.engine.stop_run("w", first.id)
    assert await world.engine.call_tool("w", "app", CallRequest("echo", scope="chat-1"))


async def test_the_same_key_is_the_same_run_and_other_input_a_conflict(
    world: ContractWorld,
) -> None:
    await _running(world)
    request = CallRequest("echo", {"text": "a"}, idempotency_key="k1")
    first = await world.engine.call_tool("w", "app", request)
    await settled(world.engine, first.id)
    assert (await world.engine.call_tool("w", "app", request)).id == first.id
    with pytest.raises(IdempotencyConflict, match="'k1'"):
        other = CallRequest("echo", {"text": "b"}, idempotency_key="k1")
        await world.engine.call_tool("w", "app", other)


async def test_runs_are_listed_newest_first_and_filtered(world: ContractWorld) -> None:
    await _running(world)
    done = await world.engine.call_tool("w", "app", CallRequest("echo"))
    await settled(world.engine, done.id)
    active = await _waiting_run(world, scope="chat-1")
    engine = world.engine

    async def listed(query: RunQuery) -> list[str]:
        return [run.id for run in await engine.runs(query)]

    assert await listed(RunQuery()) == [active.id, done.id]
    assert await listed(RunQuery(statuses=(RunStatus.PENDING, RunStatus.RUNNING))) == [active.id]
    assert await listed(RunQuery(scope="chat-1")) == [active.id]
    assert await listed(RunQuery(workspace="w", bundle="other")) == []
    assert await listed(RunQuery(limit=1)) == [active.id]
    assert await listed(RunQuery(before=active.id)) == [done.id]


async def test_following_a_run_ends_when_the_daemon_closes(world: ContractWorld) -> None:
    await _running(world)
    run = await _waiting_run(world)
    async with reading(world.engine.run_events("w", run.id)) as stream:
        await anext(stream)
        await world.close()
        async for _ in stream:
            pass
