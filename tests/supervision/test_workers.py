"""Workers: ready by what they say of themselves, and live for as long as their process is."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.support.supervised import World

from roost.errors import BadInput, TaskTaken
from roost.models import BundleKind, BundleSettings, SlotState, StartStep
from roost.supervision import BundleSlot
from roost.supervision.start_failures import HELLO_REFUSED


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def _starting(world: World, **settings: float) -> tuple[BundleSlot, asyncio.Task[object]]:
    """Begin the start of a worker and wait until its process is there."""
    wanted = BundleSettings(**settings)  # type: ignore[arg-type]
    slot = await world.slot(kind=BundleKind.WORKER, settings=wanted)
    start = asyncio.create_task(world.supervisor.start("w", "app", actor="ops"))
    await world.until(lambda: slot.step is StartStep.HANDSHAKE)
    return slot, start


def _generation_id(slot: BundleSlot) -> str:
    assert slot.generation is not None
    return slot.generation.id


async def test_a_worker_is_ready_when_its_tasks_were_taken_and_not_before(world: World) -> None:
    slot, start = await _starting(world)
    world.clock.advance(20)
    await asyncio.sleep(0.01)
    assert slot.view().state is SlotState.STARTING and not start.done()
    world.supervisor.worker_ready(_generation_id(slot), ("report", "mail"))
    await world.until_done(asyncio.wait_for(start, 30))
    assert slot.state is SlotState.RUNNING and slot.incarnation is not None
    assert slot.incarnation.tasks == ("report", "mail")
    assert slot.incarnation.liveness is None


async def test_the_hello_of_another_generation_makes_no_worker_ready(world: World) -> None:
    slot, start = await _starting(world)
    world.supervisor.worker_ready("somebody-else", ("report",))
    world.supervisor.worker_refused("somebody-else", BadInput("no"))
    await asyncio.sleep(0.01)
    assert slot.view().state is SlotState.STARTING and not start.done()
    world.supervisor.worker_ready(_generation_id(slot), ())
    await world.until_done(asyncio.wait_for(start, 30))
    assert slot.state is SlotState.RUNNING


async def test_a_worker_that_tells_its_tasks_anew_offers_those(world: World) -> None:
    slot, start = await _starting(world)
    world.supervisor.worker_ready(_generation_id(slot), ("report",))
    await world.until_done(asyncio.wait_for(start, 30))
    world.supervisor.worker_ready(_generation_id(slot), ("report", "mail"))
    assert slot.incarnation is not None and slot.incarnation.tasks == ("report", "mail")


async def test_a_refused_hello_is_final_and_told_with_its_reason(world: World) -> None:
    slot, start = await _starting(world)
    world.supervisor.worker_refused(_generation_id(slot), TaskTaken("report", "rival"))
    world.driver.alive[-1].end(code=1)
    await world.until_done(asyncio.wait_for(start, 30))
    assert (slot.state, slot.step) == (SlotState.DEAD, StartStep.HANDSHAKE)
    assert slot.reason is not None and slot.reason.code == HELLO_REFUSED
    assert "w/app cannot register: the task 'report' is offered by" in slot.reason.sentence
    assert slot.crash is not None and slot.crash.exit == "exit 1"


async def test_a_worker_that_is_refused_at_the_boot_is_not_tried_again(world: World) -> None:
    slot = await world.slot(kind=BundleKind.WORKER)
    world.supervisor.start_all()
    await world.until(lambda: slot.step is StartStep.HANDSHAKE)
    world.supervisor.worker_refused(_generation_id(slot), TaskTaken("report", "rival"))
    world.driver.alive[-1].end(code=1)
    await world.until(lambda: slot.view().state is not SlotState.STARTING)
    assert (slot.view().state, slot.retry_at) == (SlotState.DEAD, None)


async def test_a_refused_worker_that_stays_is_ended(world: World) -> None:
    slot, start = await _starting(world)
    world.supervisor.worker_refused(_generation_id(slot), BadInput("its schedule never comes"))
    await world.until_done(asyncio.wait_for(start, 30))
    assert slot.state is SlotState.DEAD and world.driver.alive == []


async def test_a_worker_whose_module_does_not_load_ends_with_its_own_words(world: World) -> None:
    slot, start = await _starting(world)
    process = world.driver.alive[-1]
    process.stderr.feed_data(b"ModuleNotFoundError: No module named 'jobs'\n")
    process.end(code=1)
    await world.until_done(asyncio.wait_for(start, 30))
    assert slot.state is SlotState.BACKING_OFF or slot.state is SlotState.DEAD
    assert slot.reason is not None and slot.reason.code == "exited"
    assert "No module named 'jobs'" in slot.reason.sentence


async def test_a_worker_that_never_registers_has_its_start_budget(world: World) -> None:
    slot, start = await _starting(world, start_budget_s=0.05)
    await world.until_done(asyncio.wait_for(start, 30))
    assert slot.reason is not None and slot.reason.code == "start_timeout"
    assert "it never told which tasks it offers" in slot.reason.sentence


async def test_a_stop_ends_a_worker_that_has_not_registered(world: World) -> None:
    slot, start = await _starting(world)
    await world.until_done(world.supervisor.stop("w", "app", actor="ops"))
    await world.until_done(asyncio.wait_for(start, 30))
    assert slot.state is SlotState.STOPPED and world.driver.alive == []
    world.supervisor.worker_ready(_generation_id(slot), ("late",))
    assert slot.state is SlotState.STOPPED
