"""Runs retried, replaced, stopped with what they began, and followed from their beginning."""

from __future__ import annotations

import asyncio

import pytest
from tests.contract.waiting import bundle_in, in_status, settled
from tests.contract.world import ContractWorld

from roost.errors import Refused, RunNotFound
from roost.models import (
    BeginRequest,
    CallRequest,
    ExecRequest,
    FinishRequest,
    RunQuery,
    RunStatus,
    RunView,
    SlotState,
    SupersedeState,
)


async def _running(world: ContractWorld) -> None:
    await world.engine.install("w", world.request("app"))
    await bundle_in(world.engine, "app", SlotState.RUNNING)


async def _waiting(world: ContractWorld, scope: str | None = None) -> RunView:
    run = await world.engine.call_tool("w", "app", CallRequest("wait", scope=scope))
    await in_status(world.engine, run.id, RunStatus.RUNNING)
    return run


async def test_a_retry_is_a_new_run_with_the_same_input(world: ContractWorld) -> None:
    await _running(world)
    request = CallRequest("echo", {"text": "a"}, idempotency_key="k")
    first = await world.engine.call_tool("w", "app", request)
    await settled(world.engine, first.id)
    again = await world.engine.retry_run("w", first.id)
    assert again.id != first.id
    assert (again.bundle, again.tool, again.idempotency_key) == ("app", "echo", None)
    assert (await world.engine.run("w", again.id)).input == {"text": "a"}


async def test_what_is_active_or_done_by_others_is_not_retried(world: ContractWorld) -> None:
    await _running(world)
    active = await _waiting(world)
    outside = await world.engine.begin_run("w", BeginRequest("work"))
    await world.engine.finish_run(
        "w", outside.run.id, FinishRequest(outside.epoch, RunStatus.SUCCEEDED)
    )
    for run_id in (active.id, outside.run.id):
        with pytest.raises(Refused):
            await world.engine.retry_run("w", run_id)
    with pytest.raises(RunNotFound):
        await world.engine.retry_run("w", "r-none")
    assert len(await world.engine.runs(RunQuery(workspace="w"))) == 2


async def test_replacing_stops_the_active_run_of_a_scope(world: ContractWorld) -> None:
    await _running(world)
    assert (await world.engine.supersede("w", "chat")).state is SupersedeState.IDLE
    run = await _waiting(world, "chat")
    other = await world.engine.supersede("w", "chat", expected="r-old")
    assert (other.state, other.active and other.active.id) == (SupersedeState.OTHER_ACTIVE, run.id)
    ready = await world.engine.supersede("w", "chat", expected=run.id)
    assert (ready.state, ready.active and ready.active.status) == (
        SupersedeState.READY,
        RunStatus.ABORTED,
    )
    assert (await _waiting(world, "chat")).id != run.id


async def test_outside_work_that_does_not_end_in_time_keeps_its_scope(
    world: ContractWorld,
) -> None:
    lease = await world.engine.begin_run("w", BeginRequest("work", scope="chat"))
    if not hasattr(world, "fake"):  # the fake ends what it is asked to, see `resist_stop`
        outcome = await world.engine.supersede("w", "chat", wait_s=0.05)
        assert outcome.state is SupersedeState.NOT_SETTLING
        assert (await world.engine.run("w", lease.run.id)).run.status is RunStatus.RUNNING


async def test_child_runs_stop_with_their_parent(world: ContractWorld) -> None:
    parent = await world.engine.exec_command("w", ExecRequest(("sleep", "60")))
    child = await world.engine.exec_command("w", ExecRequest(("sleep", "60"), parent=parent.id))
    for run in (parent, child):
        await in_status(world.engine, run.id, RunStatus.RUNNING)
    async with asyncio.timeout(30):
        outcome = await world.engine.stop_run("w", parent.id)
    assert (outcome.stopped, outcome.run.status) == (True, RunStatus.ABORTED)
    for run in (parent, child):
        assert (await settled(world.engine, run.id)).run.status is RunStatus.ABORTED
