"""Schedules: made by operators, declared by workers, paused, fired and removed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.contract.waiting import reading
from tests.contract.world import ContractWorld

from roost.contract import EngineAPI
from roost.errors import (
    BadInput,
    Refused,
    ScheduleNotFound,
    TaskNotFound,
    WorkspaceNotFound,
)
from roost.models import (
    Change,
    MissedFires,
    RunKind,
    RunStatus,
    RunTrigger,
    ScheduleSpec,
    ScheduleView,
    SubmitState,
    TasksChanged,
    TaskSpec,
    WorkerHello,
)

TASKS = (TaskSpec("work"), TaskSpec("rest"))

NIGHTLY = ScheduleSpec("nightly", "work", "0 3 * * *", "Europe/Berlin", {"deep": True})
DECLARED = ScheduleSpec("own", "work", "*/5 * * * *", missed=MissedFires.ONCE)


@pytest.fixture
async def worker(world: ContractWorld) -> EngineAPI:
    worker = await world.worker("worker")
    await worker.register_worker("w", WorkerHello(TASKS, (DECLARED,)))
    return worker


async def _only(world: ContractWorld, name: str) -> ScheduleView:
    [view] = [each for each in await world.engine.schedules("w") if each.spec.name == name]
    return view


async def test_a_schedule_is_made_listed_and_changed(
    world: ContractWorld, worker: EngineAPI
) -> None:
    made = await world.engine.put_schedule("w", NIGHTLY)
    assert (made.workspace, made.spec, made.bundle) == ("w", NIGHTLY, None)
    assert (made.is_paused, made.failures, made.disabled, made.last_run) == (False, 0, None, None)
    assert made.next_at is not None
    names = [view.spec.name for view in await world.engine.schedules()]
    assert names == ["nightly", "own"]
    changed = await world.engine.put_schedule("w", replace(NIGHTLY, input=None, task="rest"))
    assert changed.spec.task == "rest"
    assert await _only(world, "nightly") == changed
    with pytest.raises(WorkspaceNotFound):
        await world.engine.schedules("nowhere")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"cron": "0 3 * *"}, BadInput),
        ({"cron": "61 3 * * *"}, BadInput),
        ({"cron": "0 0 30 2 *"}, BadInput),
        ({"timezone": "Mars/Olympus"}, BadInput),
        ({"name": "a b"}, BadInput),
        ({"name": ""}, BadInput),
        ({"task": "nothing"}, TaskNotFound),
    ],
)
async def test_what_cannot_be_a_schedule_is_refused(
    world: ContractWorld, worker: EngineAPI, changes: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        await world.engine.put_schedule("w", replace(NIGHTLY, **changes))
    with pytest.raises(WorkspaceNotFound):
        await world.engine.put_schedule("nowhere", NIGHTLY)
    assert [view.spec.name for view in await world.engine.schedules()] == ["own"]


async def test_a_paused_schedule_has_no_next_time(world: ContractWorld, worker: EngineAPI) -> None:
    await world.engine.put_schedule("w", NIGHTLY)
    paused = await world.engine.pause_schedule("w", "nightly", paused=True)
    assert (paused.is_paused, paused.next_at) == (True, None)
    assert await world.engine.pause_schedule("w", "nightly", paused=True) == paused
    changed = await world.engine.put_schedule("w", replace(NIGHTLY, cron="0 4 * * *"))
    assert changed.is_paused, "a change of its times lets it not fire again"
    resumed = await world.engine.pause_schedule("w", "nightly", paused=False)
    assert not resumed.is_paused and resumed.next_at is not None
    assert (await _only(world, "nightly")).next_at == resumed.next_at


async def test_a_fire_by_hand_is_a_run_of_its_own(world: ContractWorld, worker: EngineAPI) -> None:
    await world.engine.put_schedule("w", NIGHTLY)
    first = await world.engine.fire_schedule("w", "nightly")
    second = await world.engine.fire_schedule("w", "nightly")
    assert first.state is second.state is SubmitState.NEW
    assert first.run.id != second.run.id
    run = (await world.engine.run("w", first.run.id)).run
    assert (run.kind, run.task, run.status) == (RunKind.TASK, "work", RunStatus.PENDING)
    assert run.trigger is RunTrigger.USER
    assert (await world.engine.run("w", run.id)).input == {"deep": True}


async def test_a_paused_schedule_can_be_fired_by_hand(
    world: ContractWorld, worker: EngineAPI
) -> None:
    await world.engine.pause_schedule("w", "own", paused=True)
    assert (await world.engine.fire_schedule("w", "own")).state is SubmitState.NEW


async def test_a_removed_schedule_is_gone(world: ContractWorld, worker: EngineAPI) -> None:
    await world.engine.put_schedule("w", NIGHTLY)
    assert (await world.engine.remove_schedule("w", "nightly")).ok
    for asked in (
        world.engine.remove_schedule("w", "nightly"),
        world.engine.pause_schedule("w", "nightly", paused=True),
        world.engine.fire_schedule("w", "nightly"),
    ):
        with pytest.raises(ScheduleNotFound):
            await asked


async def test_what_a_worker_declares_is_its_own(world: ContractWorld, worker: EngineAPI) -> None:
    view = await _only(world, "own")
    assert (view.bundle, view.spec) == ("worker", DECLARED)
    with pytest.raises(Refused):
        await world.engine.put_schedule("w", replace(DECLARED, cron="0 0 * * *"))
    with pytest.raises(Refused):
        await world.engine.remove_schedule("w", "own")
    assert await _only(world, "own") == view


async def test_a_schedule_lives_as_long_as_its_worker_declares_it(
    world: ContractWorld, worker: EngineAPI
) -> None:
    await world.engine.pause_schedule("w", "own", paused=True)
    other = replace(DECLARED, name="other")
    await worker.register_worker("w", WorkerHello(TASKS, (DECLARED, other)))
    views = {view.spec.name: view.is_paused for view in await world.engine.schedules("w")}
    assert views == {"own": True, "other": False}
    await worker.register_worker("w", WorkerHello(TASKS, (other,)))
    assert [view.spec.name for view in await world.engine.schedules("w")] == ["other"]


@pytest.mark.parametrize(
    "schedules",
    [
        (DECLARED, DECLARED),
        (replace(DECLARED, task="nothing"),),
        (replace(DECLARED, cron="often"),),
        (replace(DECLARED, name="nightly"),),
    ],
)
async def test_what_a_worker_cannot_declare_keeps_it_from_registering(
    world: ContractWorld, worker: EngineAPI, schedules: tuple[ScheduleSpec, ...]
) -> None:
    await world.engine.put_schedule("w", NIGHTLY)
    before = await world.engine.schedules("w")
    with pytest.raises(BadInput):
        await worker.register_worker("w", WorkerHello((*TASKS, TaskSpec("more")), schedules))
    assert await world.engine.schedules("w") == before
    assert {view.spec.name for view in await world.engine.tasks("w")} == {"work", "rest"}


async def test_viewers_are_told_that_schedules_have_changed(
    world: ContractWorld, worker: EngineAPI
) -> None:
    async with reading(world.engine.events()) as events:
        await anext(events)
        await world.engine.put_schedule("w", NIGHTLY)
        async for event in events:
            if isinstance(event, Change) and isinstance(event.body, TasksChanged):
                assert event.body.workspace == "w"
                return
