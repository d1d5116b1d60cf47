"""Bundles that come after others: their starts wait, visibly, and their stops come first."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.supervised import FakeProcess, World

from roost.models import (
    BundleChanged,
    BundleRemoved,
    BundleRow,
    BundleSettings,
    RestartPolicy,
    SlotState,
)
from roost.supervision import BundleSlot
from roost.supervision.dependencies import StopOrder

S = SlotState

QUICK = BundleSettings(settle_s=0.1)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def install(
    world: World, name: str, *after: str, settings: BundleSettings = QUICK, command: str = "run"
) -> BundleSlot:
    """Install a bundle that comes after others, without starting it."""
    slot = await world.slot(name, settings=settings, command=command)
    return world.supervisor.redefine("w", name, replace(slot.definition, after=after))


async def run_on(world: World, slot: BundleSlot, state: SlotState) -> None:
    """Let time pass until a slot is in a state."""
    async with asyncio.timeout(30):
        while slot.state is not state:
            await world.tick(0.05)


def spawned(world: World) -> list[str]:
    return [process.spec.mark.bundle for process in world.driver.processes]


async def test_at_boot_each_starts_once_what_it_comes_after_runs(world: World) -> None:
    app = await install(world, "app", "api", "db")
    api = await install(world, "api", "db")
    db = await install(world, "db")
    world.supervisor.start_all()
    await world.until(lambda: spawned(world) == ["db"])
    assert app.view().waits_for == ("api", "db") and api.view().waits_for == ("db",)
    await run_on(world, app, S.RUNNING)
    assert spawned(world) == ["db", "api", "app"]
    assert db.state is S.RUNNING and app.view().waits_for == () and app.view().reason is None


async def test_what_waits_says_for_what_and_how_that_is(world: World) -> None:
    app = await install(world, "app", "db")
    db = await install(world, "db", command="missing")
    world.supervisor.start_all()
    await run_on(world, db, S.DEAD)
    view = app.view()
    assert (view.state, view.should_run, view.waits_for) == (S.STOPPED, True, ("db",))
    assert view.reason is not None and view.reason.code == "waits"
    assert view.reason.sentence.startswith("w/app waits for db, which is dead; it starts as soon")
    assert "`roost start w/app`" in view.reason.sentence


async def test_it_starts_as_soon_as_a_dead_one_is_mended(world: World) -> None:
    app = await install(world, "app", "db")
    db = await install(world, "db", command="missing")
    world.supervisor.start_all()
    await run_on(world, db, S.DEAD)
    world.supervisor.redefine("w", "db", replace(db.definition, command="run"))
    await world.until_done(world.supervisor.start("w", "db", actor="ops"))
    await run_on(world, app, S.RUNNING)
    assert [t.cause for t in world.journal.transitions if t.bundle == "app"] == ["boot", "boot"]


async def test_an_operator_starts_it_at_once_and_is_told_what_is_missing(world: World) -> None:
    app = await install(world, "app", "db")
    await install(world, "db", command="missing")
    world.supervisor.start_all()
    await world.until(lambda: app.waits_for)
    result = await world.until_done(world.supervisor.start("w", "app", actor="ops"))
    assert result.ok and "it comes after db, which is dead" in result.sentence
    assert app.state is S.RUNNING and app.view().waits_for == ()


async def test_a_stop_ends_the_waiting_and_is_not_undone_when_the_other_comes(world: World) -> None:
    app = await install(world, "app", "db")
    db = await install(world, "db", command="missing")
    world.supervisor.start_all()
    await run_on(world, db, S.DEAD)
    await world.until_done(world.supervisor.stop("w", "app", actor="ops"))
    assert app.view().waits_for == () and app.view().reason is None
    world.supervisor.redefine("w", "db", replace(db.definition, command="run"))
    await world.until_done(world.supervisor.start("w", "db", actor="ops"))
    for _ in range(20):
        await world.tick(1)
    assert app.state is S.STOPPED and spawned(world) == ["db"]


async def test_a_crashed_one_is_not_tried_while_what_it_comes_after_is_down(world: World) -> None:
    app = await install(world, "app", "db")
    db = await install(world, "db", settings=replace(QUICK, restart=RestartPolicy.NEVER))
    world.supervisor.start_all()
    await run_on(world, app, S.RUNNING)
    for process in world.driver.alive:
        process.end(code=1)
    await world.until(lambda: db.state is S.DEAD and app.state is S.BACKING_OFF)
    async with asyncio.timeout(30):
        while not app.waits_for:
            await world.tick(0.5)
    assert app.view().retry_at is None and app.backoff.failures == 1
    for _ in range(50):
        await world.tick(10)
    assert app.backoff.failures == 1, "waiting is no failing"
    await world.until_done(world.supervisor.start("w", "db", actor="ops"))
    await run_on(world, app, S.RUNNING)


async def test_what_is_removed_is_waited_for_by_name_until_it_is_installed_again(
    world: World,
) -> None:
    app = await install(world, "app", "db")
    await install(world, "db", command="missing")
    world.supervisor.start_all()
    await world.until(lambda: app.waits_for)
    await world.until_done(world.supervisor.remove("w", "db", actor="ops"))
    view = app.view()
    assert view.reason is not None and "db, which is not installed" in view.reason.sentence
    await install(world, "db")
    await world.until_done(world.supervisor.start("w", "db", actor="ops"))
    await run_on(world, app, S.RUNNING)


async def test_a_removed_one_that_waited_is_gone_for_its_viewers(world: World) -> None:
    app = await install(world, "app", "db")
    db = await install(world, "db", command="missing")
    world.supervisor.start_all()
    await run_on(world, db, S.DEAD)
    assert app.waits_for
    await world.until_done(world.supervisor.remove("w", "app", actor="ops"))
    world.supervisor.redefine("w", "db", replace(db.definition, command="run"))
    await world.until_done(world.supervisor.start("w", "db", actor="ops"))
    removed = world.events.index(BundleRemoved("w", "app"))
    later = [e for e in world.events[removed:] if isinstance(e, BundleChanged)]
    assert {event.bundle.name for event in later} == {"db"} and spawned(world) == ["db"]


async def test_names_of_other_workspaces_are_not_meant(world: World) -> None:
    app = await install(world, "app", "db")
    here = await install(world, "db", command="missing")
    runnable = replace(here.definition, command="run")
    elsewhere = await world.supervisor.load(BundleRow("v", "db", runnable, True, 0))
    world.supervisor.start_all()
    await run_on(world, elsewhere, S.RUNNING)
    assert app.waits_for == ("db",) and app.state is S.STOPPED


# Shutdown -----------------------------------------------------------------------------------------


async def test_at_shutdown_each_ends_before_what_it_comes_after(world: World) -> None:
    for name, after in (("db", ()), ("api", ("db",)), ("app", ("api", "db")), ("other", ())):
        await install(world, name, *after)
    world.supervisor.start_all()
    async with asyncio.timeout(30):
        while len(world.driver.alive) < 4 or world.supervisor.busy:
            await world.tick(0.05)
    ended: list[str] = []
    for process in world.driver.processes:
        note_end(process, ended)
    await world.until_done(world.supervisor.close())
    in_order = [name for name in ended if name != "other"]
    assert in_order == ["app", "api", "db"] and sorted(ended) == ["api", "app", "db", "other"]


def note_end(process: FakeProcess, ended: list[str]) -> None:
    """Record when the first stop of a process is through."""
    stop = process.stop

    async def noted(grace_s: float, *, eof_first: bool) -> object:
        report = await stop(grace_s, eof_first=eof_first)
        if process.spec.mark.bundle not in ended:
            ended.append(process.spec.mark.bundle)
        return report

    process.stop = noted  # type: ignore[method-assign,assignment]


async def test_a_circle_and_a_stubborn_one_hold_a_shutdown_up_for_a_bounded_time_only(
    world: World,
) -> None:
    one = await install(world, "one", "two")
    two = await install(world, "two", "one")
    order = StopOrder((one, two), bound_s=0.05)
    turns: list[str] = []

    async def stop(slot: BundleSlot) -> None:
        async with order.turn(slot):
            turns.append(slot.name)
            await asyncio.Event().wait()

    stops = [asyncio.create_task(stop(slot)) for slot in (one, two)]
    await world.until(lambda: sorted(turns) == ["one", "two"])
    for task in stops:
        task.cancel()
    await asyncio.gather(*stops, return_exceptions=True)
