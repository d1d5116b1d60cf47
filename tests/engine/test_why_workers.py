"""A worker as operators see it: registered, with which tasks, or why not; and what a stop cuts."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.support.ordered_check import PROGRAM, CheckedWorld, first_failing, step_of

from roost.engine.impact import impact_of
from roost.errors import RoostError, TaskTaken
from roost.models import BundleKind, BundleSettings, SlotState, StartStep, WhyCheck, WhyStatus
from roost.supervision import BundleSlot


@pytest.fixture
def world(tmp_path: Path) -> CheckedWorld:
    return CheckedWorld(tmp_path)


async def _started(
    world: CheckedWorld, settings: BundleSettings | None = None
) -> tuple[BundleSlot, asyncio.Task[object]]:
    slot = await world.slot(command=PROGRAM, kind=BundleKind.WORKER, settings=settings)
    start: asyncio.Task[object] = asyncio.create_task(_start(world))
    await world.until(lambda: slot.step is StartStep.HANDSHAKE)
    return slot, start


async def _start(world: CheckedWorld) -> object:
    return await world.supervisor.start("w", "app", actor="ops")


async def _registered(world: CheckedWorld, *tasks: str) -> BundleSlot:
    slot, start = await _started(world)
    assert slot.generation is not None
    world.supervisor.worker_ready(slot.generation.id, tasks)
    await world.until_done(asyncio.wait_for(start, 30))
    return slot


async def _refused(world: CheckedWorld, error: RoostError) -> BundleSlot:
    slot, start = await _started(world)
    assert slot.generation is not None
    world.driver.alive[-1].stderr.feed_data(b"the module was refused\n")
    world.supervisor.worker_refused(slot.generation.id, error)
    world.driver.alive[-1].end(code=1)
    await world.until_done(asyncio.wait_for(start, 30))
    return slot


async def test_a_worker_that_has_registered_is_well_and_its_tasks_are_named(
    world: CheckedWorld,
) -> None:
    slot = await _registered(world, "report", "mail")
    report = await world.why(slot)
    assert report.is_up and first_failing(report) is None
    assert step_of(report, WhyCheck.HANDSHAKE).said == "it has registered"
    assert step_of(report, WhyCheck.TOOLS).said == "it offers 2 tasks: report, mail"
    assert step_of(report, WhyCheck.PROBE).said.startswith("it is alive")


async def test_of_many_tasks_a_few_are_named(world: CheckedWorld) -> None:
    slot = await _registered(world, *(f"t{number}" for number in range(7)))
    step = step_of(await world.why(slot), WhyCheck.TOOLS)
    assert step.said == "it offers 7 tasks: t0, t1, t2, t3, t4 and 2 more"


async def test_a_worker_that_loads_its_module_fails_nothing_yet(world: CheckedWorld) -> None:
    slot, start = await _started(world)
    world.clock.advance(3)
    report = await world.why(slot)
    assert first_failing(report) is None
    step = step_of(report, WhyCheck.HANDSHAKE)
    assert step.status is WhyStatus.UNKNOWN
    assert step.said == (
        "its module is being loaded for 3 s; it has 30 s from its start to register"
    )
    await world.until_done(world.supervisor.stop("w", "app", actor="ops"))
    await world.until_done(asyncio.wait_for(start, 30))


async def test_a_refused_hello_fails_the_handshake_with_the_way_out(world: CheckedWorld) -> None:
    slot = await _refused(world, TaskTaken("report", "rival"))
    assert slot.state is SlotState.DEAD
    report = await world.why(slot)
    assert first_failing(report) is WhyCheck.HANDSHAKE
    step = step_of(report, WhyCheck.HANDSHAKE)
    assert "the task 'report' is offered by the bundle 'rival' already" in step.said
    assert step.way_out == (
        "Change what its module declares, or who else has it; then `roost respawn w/app`."
    )
    assert "stderr: the module was refused" in step.evidence
    assert step_of(report, WhyCheck.SPAWN).status is WhyStatus.PASSED


async def test_a_worker_that_never_registers_fails_the_handshake(world: CheckedWorld) -> None:
    slot, start = await _started(world, BundleSettings(start_budget_s=0.05))
    await world.until_done(asyncio.wait_for(start, 30))
    report = await world.why(slot)
    assert first_failing(report) is WhyCheck.HANDSHAKE
    assert "waits for nothing while it is loaded" in step_of(report, WhyCheck.HANDSHAKE).way_out


async def test_a_module_that_is_not_found_is_told_with_what_mends_it(world: CheckedWorld) -> None:
    slot, start = await _started(world)
    process = world.driver.alive[-1]
    process.stderr.feed_data(b"ModuleNotFoundError: No module named 'jobs'\n")
    process.end(code=1)
    await world.until_done(asyncio.wait_for(start, 30))
    report = await world.why(slot)
    step = step_of(report, WhyCheck.SPAWN)
    assert first_failing(report) is WhyCheck.SPAWN
    assert "No module named 'jobs'" in step.said
    assert "Its Python does not have the module jobs" in step.way_out


async def test_a_worker_that_is_stopped_gives_its_runs_back(world: CheckedWorld) -> None:
    slot = await _registered(world, "report")
    told = await impact_of(slot, world.supervisor.slots, ("r-1", "r-2"), "bundle.stop")
    assert told.sentence == "interrupts 2 runs, to go on or end as the task says"
    assert (told.run_ids, told.is_known) == (("r-1", "r-2"), True)
    idle = await impact_of(slot, world.supervisor.slots, (), "bundle.respawn")
    assert idle.sentence == ""
