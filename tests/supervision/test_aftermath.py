"""What follows on failures, by a clock that is moved by hand."""

import asyncio
from pathlib import Path

import pytest
from tests.support.supervised import World

from roost.models import BundleChanged, BundleSettings, SlotState
from roost.supervision import BundleSlot

S = SlotState

SETTLE_S = 1.0


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def crashes(world: World) -> int:
    return sum(transition.cause == "crash" for transition in world.journal.transitions)


async def crash(world: World, slot: BundleSlot) -> float:
    """Crash the running process and return the announced delay in seconds."""
    before = crashes(world)
    world.driver.alive[0].end(code=1)
    await world.until(lambda: crashes(world) > before)
    shown = [event.bundle for event in world.events if isinstance(event, BundleChanged)]
    view = [bundle for bundle in shown if bundle.state is S.BACKING_OFF][-1]
    assert view.retry_at is not None
    return (view.retry_at - view.since) / 1000


async def back_up(world: World, slot: BundleSlot, *, step_s: float = 0.5) -> None:
    async with asyncio.timeout(30):
        while slot.state is not S.RUNNING:
            await world.tick(step_s)


async def live_for(world: World, seconds: float) -> None:
    """Let a process live, in steps that nothing wakes up in between."""
    world.clock.advance(seconds)
    for _ in range(5):
        await asyncio.sleep(0.001)


async def test_what_was_healthy_for_a_minute_starts_again_at_once(world: World) -> None:
    slot = await world.running()
    await live_for(world, 60)
    assert await crash(world, slot) == 0
    before = world.clock.now()
    await world.until(lambda: len(world.driver.alive) == 1)
    assert world.clock.now() == before, "no time has passed until its next process"
    assert slot.view().failures == 1


async def test_what_was_healthy_for_less_waits_from_its_second_failure_and_doubles(
    world: World,
) -> None:
    slot = await world.running()
    await live_for(world, 59)
    assert await crash(world, slot) == 0
    await back_up(world, slot)
    await live_for(world, 59)
    assert 0.8 <= await crash(world, slot) <= 1.2
    await back_up(world, slot)
    assert 1.6 <= await crash(world, slot) <= 2.4


async def test_from_the_second_failure_after_a_healthy_minute_delays_double_from_a_second(
    world: World,
) -> None:
    slot = await world.running()
    await live_for(world, 61)
    delays = [await crash(world, slot)]
    for _ in range(3):
        await back_up(world, slot)
        delays.append(await crash(world, slot))
    assert delays[0] == 0
    for delay, nominal in zip(delays[1:], (1, 2, 4), strict=True):
        assert nominal * 0.8 <= delay <= nominal * 1.2


async def test_a_minute_of_health_clears_the_count_and_viewers_see_it(world: World) -> None:
    slot = await world.running()
    await crash(world, slot)
    await back_up(world, slot)
    await live_for(world, 55)
    assert slot.view().failures == 1
    await live_for(world, 6)
    assert slot.view().failures == 0
    shown = [event.bundle.failures for event in world.events if isinstance(event, BundleChanged)]
    assert shown[-1] == 0 and 1 in shown
    assert world.clock.sleepers == 0


async def test_the_health_of_a_process_is_not_counted_for_its_successor(world: World) -> None:
    slot = await world.running()
    await crash(world, slot)
    await back_up(world, slot)
    await live_for(world, 50)
    await crash(world, slot)
    await back_up(world, slot)
    await live_for(world, 15)  # the first of the two would have been healthy for a minute now
    assert slot.view().failures == 2


async def test_a_parked_one_is_tried_every_five_minutes_for_ever_and_recovers_alone(
    world: World,
) -> None:
    slot = await world.running()
    for _ in range(4):
        await crash(world, slot)
        await back_up(world, slot)
    assert await crash(world, slot) == 300 and slot.view().parked
    world.driver.on_spawn = lambda process: process.end(code=1)
    tried = len(world.driver.processes)
    for attempt in range(1, 13):
        await live_for(world, 299)
        assert len(world.driver.processes) == tried + attempt - 1
        await live_for(world, 2)
        await world.until(lambda: slot.state is S.BACKING_OFF and slot.is_parked)
        assert len(world.driver.processes) == tried + attempt
        assert slot.retry_at is not None and slot.retry_at > world.clock.now()
    world.driver.on_spawn = lambda process: None
    await back_up(world, slot, step_s=10)
    assert not slot.view().parked and slot.view().failures >= 5
    await live_for(world, 61)
    assert slot.view().failures == 0
    assert await crash(world, slot) == 0, "it is like any healthy one again"


async def test_a_parked_one_that_dies_before_its_minute_is_parked_again(world: World) -> None:
    slot = await world.running()
    for _ in range(4):
        await crash(world, slot)
        await back_up(world, slot)
    await crash(world, slot)
    await back_up(world, slot, step_s=10)
    await live_for(world, 30)
    assert await crash(world, slot) == 300 and slot.view().parked


async def test_a_stopped_one_is_never_tried_again_whatever_it_waited_for(world: World) -> None:
    slot = await world.running(settings=BundleSettings(settle_s=SETTLE_S))
    for _ in range(4):
        await crash(world, slot)
        await back_up(world, slot)
    await crash(world, slot)
    await world.until_done(world.supervisor.stop("w", "app", actor="ops"))
    spawned = len(world.driver.processes)
    for _ in range(30):
        await live_for(world, 300)
    assert slot.state is S.STOPPED and len(world.driver.processes) == spawned
    assert world.clock.sleepers == 0
