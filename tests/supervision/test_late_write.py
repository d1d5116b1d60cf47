"""What tells of a process that is gone keeps its successor waiting for nothing."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.supervised import World

from roost.models import BundleSettings, SlotState
from roost.supervision import late_write
from roost.supervision.late_write import LateWrite

BOUND_S = 30.0


async def run_on(world: World, holds: Callable[[], object]) -> None:
    """Let the clock run until something holds."""
    async with asyncio.timeout(BOUND_S):
        while not holds():
            await world.tick(0.5)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def test_a_late_write_comes_by_itself() -> None:
    written = asyncio.Event()

    async def write() -> None:
        written.set()

    late = LateWrite(write)
    assert not written.is_set()
    async with asyncio.timeout(BOUND_S):
        await late.done()
    assert written.is_set()


async def test_who_needs_a_late_write_does_not_wait_for_its_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(late_write, "LATE_S", 3600.0)
    written = 0

    async def write() -> None:
        nonlocal written
        written += 1

    late = LateWrite(write)
    async with asyncio.timeout(BOUND_S):
        await late.now()
        await late.now()
    assert written == 1


async def test_a_cancelled_caller_does_not_take_a_late_write_with_it() -> None:
    may_write, written = asyncio.Event(), asyncio.Event()

    async def write() -> None:
        await may_write.wait()
        written.set()

    late = LateWrite(write)
    caller = asyncio.create_task(late.now())
    await asyncio.sleep(0)
    caller.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await caller
    may_write.set()
    async with asyncio.timeout(BOUND_S):
        await written.wait()


async def test_a_crashed_bundle_runs_again_before_its_end_is_kept(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_write, kept = asyncio.Event(), []

    async def set_ended(generation_id: str, ended_at: int, exit: str) -> None:
        await may_write.wait()
        kept.append((generation_id, exit))

    monkeypatch.setattr(world.store.generations, "set_ended", set_ended)
    slot = await world.running(settings=BundleSettings(settle_s=0.1))
    first = slot.generation
    assert first is not None
    world.driver.processes[-1].end(code=1)
    await run_on(world, lambda: len(world.driver.processes) == 2 and slot.is_alive)
    assert slot.state is SlotState.RUNNING and kept == []
    may_write.set()
    await world.until(lambda: kept == [(first.id, "exit 1")])


async def test_the_answer_of_a_respawn_comes_when_the_end_of_the_old_process_is_kept(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_write = asyncio.Event()

    async def set_ended(*_: object) -> None:
        await may_write.wait()

    monkeypatch.setattr(world.store.generations, "set_ended", set_ended)
    slot = await world.running(settings=BundleSettings(settle_s=0.1))
    spawned = len(world.driver.processes)
    order = world.supervisor.respawn("w", "app", cause="operator", actor="ops")
    respawn = asyncio.create_task(order)
    await run_on(world, lambda: len(world.driver.processes) > spawned and world.driver.alive)
    await run_on(world, lambda: slot.generation is not None and slot.generation.number == 2)
    for _ in range(10):
        await world.tick(0.5)
    assert not respawn.done() and not slot.takes_calls
    may_write.set()
    async with asyncio.timeout(BOUND_S):
        assert (await respawn).ok
    assert slot.takes_calls
