"""What an interrupting action would cut, on fake processes."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.supervised import World

from roost.engine.impact import check_action, impact_of
from roost.errors import BadInput
from roost.models import BundleKind, BundleSettings, Impact, RespawnStrategy
from roost.supervision import BundleSlot

QUICK = BundleSettings(settle_s=0.1)
RUNS = ("r-1", "r-2")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def impact(
    world: World, slot: BundleSlot, runs: tuple[str, ...] = (), action: str = "bundle.stop"
) -> Impact:
    return await impact_of(slot, world.supervisor.slots, runs, action)


async def web_app(world: World) -> BundleSlot:
    """Bring up a bundle that has a port, as far as its impact is concerned."""
    slot = await world.running(settings=QUICK)
    slot.definition = replace(slot.definition, kind=BundleKind.WEB)
    return slot


async def depending(world: World, name: str, *after: str) -> BundleSlot:
    slot = await world.running(name, settings=QUICK)
    slot.definition = replace(slot.definition, after=after)
    return slot


async def test_runs_and_clients_and_dependents_are_counted(world: World) -> None:
    slot = await web_app(world)
    await depending(world, "front", "app")
    world.driver.processes[0].connected = 1
    told = await impact(world, slot, RUNS)
    assert (told.run_ids, told.clients, told.dependents) == (RUNS, 1, ("front",))
    assert told.sentence == (
        "cuts 2 runs and 1 client; what else it is doing cannot be seen from here; "
        "1 bundle depends on it"
    )


@pytest.mark.parametrize("connected", [0, None])
async def test_what_cannot_be_seen_is_said_and_not_taken_for_nothing(
    world: World, connected: int | None
) -> None:
    slot = await web_app(world)
    world.driver.processes[0].connected = connected
    told = await impact(world, slot)
    assert not told.is_known and told.clients == 0
    assert told.sentence == "what it is doing cannot be seen from here"


async def test_an_idle_server_is_cut_without_a_word(world: World) -> None:
    slot = await world.running(settings=QUICK, kind=BundleKind.MCP_STDIO)
    assert await impact(world, slot) == Impact((), is_known=True, protected=False, sentence="")
    told = await impact(world, slot, ("r-1",))
    assert told.sentence == "cuts 1 run"


async def test_bundles_that_depend_over_others_count_and_those_that_are_down_do_not(
    world: World,
) -> None:
    base = await world.running("base", settings=QUICK, kind=BundleKind.MCP_STDIO)
    await depending(world, "middle", "base")
    await depending(world, "top", "middle", "base")
    await depending(world, "circle", "circle", "top")
    await depending(world, "aside")
    down = await depending(world, "down", "base")
    await world.until_done(world.supervisor.stop("w", "down", actor="ops"))
    assert down.incarnation is None
    told = await impact(world, base)
    assert told.dependents == ("circle", "middle", "top")
    assert told.sentence == "3 bundles depend on it"


@pytest.mark.parametrize("action", ["bundle.respawn", "bundle.credentials"])
async def test_a_handover_cuts_nothing_and_says_for_how_long_runs_may_go_on(
    world: World, action: str
) -> None:
    settings = replace(QUICK, strategy=RespawnStrategy.HANDOVER, drain_s=7.0)
    slot = await world.running(settings=settings, kind=BundleKind.MCP_STDIO)
    await depending(world, "front", "app")
    told = await impact(world, slot, RUNS, action)
    assert (told.run_ids, told.clients, told.dependents, told.is_known) == ((), 0, (), True)
    assert told.sentence.startswith("cuts nothing: 2 runs may go on for 7 s")
    assert ("clearing a sensitive field" in told.sentence) == (action == "bundle.credentials")
    assert (await impact(world, slot, (), action)).sentence == ""
    for ending in ("bundle.stop", "bundle.remove"):
        assert (await impact(world, slot, RUNS, ending)).run_ids == RUNS


async def test_what_is_down_has_nothing_to_be_cut(world: World) -> None:
    slot = await world.slot(settings=replace(QUICK, protected=True))
    assert await impact(world, slot) == Impact((), is_known=True, protected=True, sentence="")


def test_only_actions_that_interrupt_have_an_impact() -> None:
    check_action("bundle.stop")
    with pytest.raises(BadInput, match=r"'bundle\.logs' interrupts no bundle"):
        check_action("bundle.logs")
