"""Figures of all bundles: what is kept, what is told, and what measuring may cost."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.support.supervised import World

from roost.drivers.base import Measurement, TreeFigures
from roost.engine.figure_history import FigureHistory
from roost.engine.measure import Measurer
from roost.models import Figures, FiguresChanged


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def measurer(world: World, *, cost_s: float = 0.0) -> Measurer:
    async def measure() -> Measurement:
        return Measurement((await world.driver.measure()).figures, (), cost_s)

    return Measurer(
        world.supervisor,
        measure=measure,
        publish=world.events.append,
        clock=world.clock,
        interval_s=2.0,
    )


def use(world: World, **figures: int) -> None:
    """Let every process use this."""
    told = {"cpu_percent": 1.0, "rss_bytes": 2**20, "processes": 1} | figures
    found = TreeFigures(**told)  # type: ignore[arg-type]
    world.driver.figures = {process.handle: found for process in world.driver.alive}


def changes(world: World) -> list[FiguresChanged]:
    return [event for event in world.events if isinstance(event, FiguresChanged)]


async def test_every_moment_is_kept_and_only_what_changed_is_told(world: World) -> None:
    slot = await world.running()
    taking = measurer(world)
    use(world, threads=3)
    for _ in range(3):
        await taking.measure()
        world.clock.advance(2)
    assert len(changes(world)) == 1 and len(taking.history(slot)) == 3
    use(world, threads=4)
    await taking.measure()
    assert len(changes(world)) == 2
    assert [sample.threads for sample in taking.history(slot)] == [3, 3, 3, 4]
    assert slot.view().figures == Figures(1.0, 2**20, 1, threads=4)


async def test_the_past_of_a_bundle_goes_on_over_its_generations_and_ends_with_it(
    world: World,
) -> None:
    slot = await world.running()
    taking = measurer(world)
    use(world)
    await taking.measure()
    await world.until_done(world.supervisor.respawn("w", "app", cause="operator", actor="ops"))
    use(world)
    await taking.measure()
    assert len(taking.history(slot)) == 2
    await world.until_done(world.supervisor.remove("w", "app", actor="ops"))
    successor = await world.running()
    assert taking.history(successor) == ()


async def test_nothing_is_kept_of_a_bundle_without_a_process(world: World) -> None:
    slot = await world.running()
    taking = measurer(world)
    use(world)
    await world.until_done(world.supervisor.stop("w", "app", actor="ops"))
    await taking.measure()
    assert taking.history(slot) == ()


@pytest.mark.parametrize(("cost_s", "pause_s"), [(0.0, 2.0), (0.001, 2.0), (0.005, 5.0), (1.0, 30)])
async def test_the_dearer_a_measurement_is_the_longer_is_the_pause_behind_it(
    world: World, cost_s: float, pause_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roost.engine.measure.time.thread_time", lambda: 0.0)
    pauses: list[float] = []
    is_paused = asyncio.Event()

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        is_paused.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(world.clock, "sleep", sleep)
    running = asyncio.create_task(measurer(world, cost_s=cost_s).run())
    async with asyncio.timeout(30):
        await is_paused.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert pauses == [pytest.approx(pause_s)]


def test_a_history_keeps_the_newest_samples_whole() -> None:
    history = FigureHistory(kept=3)
    assert history.samples() == ()
    for number in range(5):
        history.add(
            number, Figures(number / 2, number * 2**33, 1, threads=number, descriptors=None)
        )
    samples = history.samples()
    assert [sample.at for sample in samples] == [2, 3, 4]
    assert samples[-1].rss_bytes == 4 * 2**33 and samples[-1].cpu_percent == 2.0
    assert samples[-1].descriptors is None and samples[-1].threads == 4
