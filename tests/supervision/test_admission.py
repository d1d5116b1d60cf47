"""How many bundles start at the same time, and what waiting for a place costs them."""

import asyncio
from pathlib import Path

import pytest
from tests.support.supervised import World

from roost.models import ActionResult, BundleKind, BundleSettings, SlotState
from roost.supervision.admission import Admission

S = SlotState

PLACES = 4
"""Places of the world's starter."""


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def starting(world: World, name: str, *, budget_s: float) -> "asyncio.Task[ActionResult]":
    """Begin the start of a server and wait for nothing."""
    settings = BundleSettings(start_budget_s=budget_s)
    await world.slot(name, settings=settings, kind=BundleKind.MCP_STDIO)
    return asyncio.create_task(world.supervisor.start("w", name, actor="ops"))


async def test_the_budget_of_a_start_begins_at_its_spawn_and_not_in_the_queue(
    world: World,
) -> None:
    world.sessions.gate.clear()
    others = [await starting(world, f"other-{n}", budget_s=60.0) for n in range(PLACES)]
    await world.until(lambda: len(world.driver.processes) == PLACES)
    queued = await starting(world, "queued", budget_s=1.0)
    done, _ = await asyncio.wait({queued}, timeout=1.3)
    assert not done and len(world.driver.processes) == PLACES
    world.sessions.gate.set()
    async with asyncio.timeout(30):
        results = await asyncio.gather(queued, *others)
    assert all(result.ok for result in results)


async def test_a_bounded_number_starts_at_once_in_the_order_they_came(world: World) -> None:
    world.sessions.gate.clear()
    starts = [await starting(world, f"server-{n}", budget_s=60.0) for n in range(10)]
    await world.until(lambda: len(world.driver.processes) == PLACES)
    for _ in range(50):
        await asyncio.sleep(0)
    names = [process.spec.mark.bundle for process in world.driver.processes]
    assert names == [f"server-{n}" for n in range(PLACES)]
    world.sessions.gate.set()
    async with asyncio.timeout(30):
        assert all(result.ok for result in await asyncio.gather(*starts))


async def test_servers_that_hang_at_their_start_do_not_hold_the_others_up_for_their_budget() -> (
    None
):
    admission, never = Admission(2, place_s=0.05), asyncio.Event()
    is_in = asyncio.Event()

    async def hang() -> None:
        async with admission.place(never):
            await asyncio.Event().wait()

    async def start() -> None:
        async with admission.place(never):
            is_in.set()

    hanging = [asyncio.create_task(hang()) for _ in range(2)]
    await asyncio.sleep(0)
    started = asyncio.create_task(start())
    async with asyncio.timeout(30):
        await is_in.wait()
        await started
    for task in hanging:
        task.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)


async def test_a_stop_takes_a_bundle_out_of_the_queue(world: World) -> None:
    world.sessions.gate.clear()
    others = [await starting(world, f"other-{n}", budget_s=60.0) for n in range(PLACES)]
    await world.until(lambda: len(world.driver.processes) == PLACES)
    queued = await starting(world, "queued", budget_s=60.0)
    await world.until(lambda: world.supervisor.slot("w", "queued").state is S.STARTING)
    async with asyncio.timeout(30):
        stopped = await world.supervisor.stop("w", "queued", actor="ops")
        assert stopped.ok and not (await queued).ok
    assert len(world.driver.processes) == PLACES
    world.sessions.gate.set()
    async with asyncio.timeout(30):
        assert all(result.ok for result in await asyncio.gather(*others))
