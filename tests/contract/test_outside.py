"""Outside work: what any program may report, under the lease it holds."""

from __future__ import annotations

from typing import Any

import pytest
from tests.contract.waiting import reading
from tests.contract.world import ContractWorld

from roost.errors import (
    AlreadyActive,
    BadInput,
    IdempotencyConflict,
    LeaseLost,
    RunNotFound,
    WorkspaceNotFound,
)
from roost.models import (
    BeginRequest,
    FinishRequest,
    RunEventKind,
    RunKind,
    RunLease,
    RunProgress,
    RunQuery,
    RunReport,
    RunStatus,
)


async def begin(world: ContractWorld, **changes: Any) -> RunLease:
    values: dict[str, Any] = {"title": "index the mail"} | changes
    return await world.engine.begin_run("w", BeginRequest(**values))


async def test_outside_work_runs_at_once_and_its_reports_are_events(world: ContractWorld) -> None:
    lease = await begin(world, input={"since": 3}, scope="mail")
    assert (lease.run.kind, lease.run.status) == (RunKind.EXTERNAL, RunStatus.RUNNING)
    assert (lease.epoch, lease.is_new, lease.stop_requested) == (1, True, False)
    told = await world.engine.report_run(
        "w",
        lease.run.id,
        RunReport(1, (RunProgress(1, 2, "read"),), output="a line", link="https://out/1"),
    )
    assert (told.run.step_count, told.run.link) == (1, "https://out/1")
    run = await world.engine.finish_run(
        "w", lease.run.id, FinishRequest(1, RunStatus.SUCCEEDED, result=[4])
    )
    assert run.status is RunStatus.SUCCEEDED
    async with reading(world.engine.run_events("w", run.id)) as stream:
        events = [event async for event in stream]
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    kinds = [event.kind for event in events if event.kind is not RunEventKind.STATUS]
    assert kinds == [RunEventKind.STEP, RunEventKind.OUTPUT]
    detail = await world.engine.run("w", run.id)
    assert (detail.input, detail.result, detail.events_dropped) == ({"since": 3}, [4], 0)


async def test_a_key_attaches_under_the_next_epoch_and_replays_when_finished(
    world: ContractWorld,
) -> None:
    old = await begin(world, idempotency_key="k")
    new = await begin(world, idempotency_key="k")
    assert (new.run.id, new.epoch, new.is_new) == (old.run.id, 2, False)
    with pytest.raises(LeaseLost):
        await world.engine.report_run("w", old.run.id, RunReport(old.epoch))
    with pytest.raises(LeaseLost):
        await world.engine.finish_run(
            "w", old.run.id, FinishRequest(old.epoch, RunStatus.SUCCEEDED)
        )
    end = FinishRequest(new.epoch, RunStatus.FAILED)
    run = await world.engine.finish_run("w", new.run.id, end)
    assert await world.engine.finish_run("w", new.run.id, end) == run
    again = await begin(world, idempotency_key="k")
    assert (again.is_new, again.run) == (False, run)
    with pytest.raises(LeaseLost):
        await world.engine.report_run("w", new.run.id, RunReport(new.epoch))
    with pytest.raises(IdempotencyConflict):
        await begin(world, idempotency_key="k", input=["other"])


async def test_what_cannot_begin_leaves_no_run(world: ContractWorld) -> None:
    lease = await begin(world, scope="mail")
    with pytest.raises(AlreadyActive) as refused:
        await begin(world, scope="mail")
    assert refused.value.details["run"] == lease.run.id
    with pytest.raises(BadInput):
        await begin(world, title=" ")
    with pytest.raises(WorkspaceNotFound):
        await world.engine.begin_run("nowhere", BeginRequest("x"))
    assert len(await world.engine.runs(RunQuery(workspace="w"))) == 1


async def test_reports_on_what_is_not_there_are_refused(world: ContractWorld) -> None:
    with pytest.raises(RunNotFound):
        await world.engine.report_run("w", "r-none", RunReport(1))
    lease = await begin(world)
    with pytest.raises(BadInput):
        await world.engine.finish_run("w", lease.run.id, FinishRequest(1, RunStatus.PENDING))
