"""Figures of the last minutes."""

import asyncio
from dataclasses import replace

import pytest
from tests.contract.waiting import WAIT_S, bundle_in, reading
from tests.contract.world import ContractWorld

from roost.errors import BundleNotFound
from roost.models import EngineEvent, Figures, FiguresChanged, SlotState, Snapshot


async def test_what_never_ran_has_no_figures_and_what_is_not_there_is_no_bundle(
    world: ContractWorld,
) -> None:
    await world.engine.install("w", replace(world.request("app"), start=False))
    assert await world.engine.figures_history("w", "app") == ()
    with pytest.raises(BundleNotFound):
        await world.engine.figures_history("w", "ghost")


async def test_samples_come_oldest_first_and_tell_what_the_events_told(
    world: ContractWorld,
) -> None:
    await world.engine.install("w", world.request("app"))
    await bundle_in(world.engine, "app", SlotState.RUNNING)
    await world.measure("app")
    told = await _figures_told(world)
    async with asyncio.timeout(WAIT_S):
        await world.measure("app")
        samples = await world.engine.figures_history("w", "app")
    assert len(samples) >= 2 and list(samples) == sorted(samples, key=lambda sample: sample.at)
    assert told.rss_bytes in [sample.rss_bytes for sample in samples]
    assert samples[-1].rss_bytes > 0 and samples[-1].threads >= 1
    assert samples[-1].descriptors is None or samples[-1].descriptors >= 3


async def test_the_figures_of_a_removed_bundle_are_not_those_of_its_successor(
    world: ContractWorld,
) -> None:
    await world.engine.install("w", world.request("app"))
    await bundle_in(world.engine, "app", SlotState.RUNNING)
    await world.measure("app")
    await world.engine.remove("w", "app")
    request = world.request("app")
    await world.engine.install("w", request)
    await bundle_in(world.engine, "app", SlotState.RUNNING)
    first = await world.engine.bundle("w", "app")
    assert first.view.generation is not None
    spawned_at = first.view.generation.spawned_at
    samples = await world.engine.figures_history("w", "app")
    assert all(sample.at >= spawned_at for sample in samples)


async def _figures_told(world: ContractWorld) -> Figures:
    """Return the first figures of the bundle that a viewer gets: at once, or as a change."""
    async with reading(world.engine.events()) as events:
        async for event in events:
            told = _figures_in(event)
            if told is not None:
                return told
    raise AssertionError("the stream ended")


def _figures_in(event: EngineEvent) -> Figures | None:
    if isinstance(event, Snapshot):
        [view] = event.state.bundles
        return view.figures
    if not isinstance(event.body, FiguresChanged):
        return None
    return event.body.measures[0].figures
