"""What is configured and what runs: no path sets a value without a new generation or a mark."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.supervised import FakeRecipes, World, failed_before

from roost.bundles import config_hash
from roost.models import (
    BundleKind,
    BundleSettings,
    Definition,
    ResourceLimits,
    RespawnResult,
    RespawnStrategy,
    SlotState,
    StartMode,
)
from roost.supervision import BundleSlot

S = SlotState

QUICK = BundleSettings(settle_s=0.1)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    def real_hash(_: FakeRecipes, definition: Definition) -> str:
        return config_hash(definition)

    monkeypatch.setattr(FakeRecipes, "config_hash", real_hash)
    return World(tmp_path)


async def written(world: World, revision: int) -> RespawnResult | None:
    """Let a credential write of this revision land, as the engine tells of it."""
    world.secrets.revision = revision
    return await world.supervisor.credentials_changed(
        "w", "app", revision=revision, actor="ops", must_end_holder=False, reason=None
    )


async def test_a_generation_knows_what_it_runs_and_how_it_was_started(world: World) -> None:
    slot = await world.running(settings=QUICK)
    generation = slot.view().generation
    assert generation is not None
    assert (generation.version, generation.start_mode) == ("1", StartMode.COLD)
    assert generation.config_hash == config_hash(slot.definition)
    assert generation.credential_revision == 0


async def test_a_write_ends_in_a_generation_that_has_it(world: World) -> None:
    slot = await world.running(settings=QUICK)
    result = await world.until_done(written(world, 1))
    assert result is not None and result.ok and slot.stale_in() == ()
    assert slot.generation is not None
    assert (slot.generation.number, slot.generation.credential_revision) == (2, 1)


async def test_a_write_to_a_stopped_bundle_waits_for_its_next_start(world: World) -> None:
    slot = await world.slot(settings=QUICK)
    slot.should_run = False
    assert await written(world, 1) is None
    await world.until_done(world.supervisor.start("w", "app", actor="ops"))
    assert slot.generation is not None and slot.generation.credential_revision == 1


async def test_a_write_that_lands_during_a_start_brings_another_generation(world: World) -> None:
    slot = await world.slot(settings=BundleSettings(settle_s=5))
    start = asyncio.create_task(world.supervisor.start("w", "app", actor="ops"))
    await world.until(lambda: world.driver.alive)
    write = asyncio.create_task(written(world, 1))
    await world.until(lambda: slot.credential_revision == 1)

    async def both() -> None:
        await asyncio.gather(start, write)

    await world.until_done(both())
    assert slot.generation is not None and slot.generation.credential_revision == 1
    assert slot.stale_in() == () and len(world.driver.alive) == 1


async def test_a_write_whose_value_runs_already_replaces_nothing(world: World) -> None:
    slot = await world.running(settings=QUICK)
    world.secrets.revision = 1
    assert (await world.until_done(_respawn(world))).ok
    result = await written(world, 1)
    assert result is not None and result.ok and result.generation == 2
    assert slot.generation is not None and slot.generation.number == 2


async def _respawn(world: World, **options: Any) -> RespawnResult:
    return await world.supervisor.respawn("w", "app", cause="operator", actor="ops", **options)


def limited(definition: Definition) -> Definition:
    limits = ResourceLimits(open_files=64)
    return replace(definition, settings=replace(definition.settings, limits=limits))


@pytest.mark.parametrize(
    ("change", "mark"),
    [
        (lambda definition: replace(definition, version="2"), ("configuration", "version")),
        (lambda definition: replace(definition, args=("--fast",)), ("configuration",)),
        (lambda definition: replace(definition, command="other"), ("configuration",)),
        (limited, ("configuration",)),
    ],
)
@pytest.mark.parametrize("strategy", list(RespawnStrategy))
async def test_another_definition_marks_what_runs_until_a_generation_has_it(
    world: World,
    change: Callable[[Definition], Definition],
    mark: tuple[str, ...],
    strategy: RespawnStrategy,
) -> None:
    settings = replace(QUICK, strategy=strategy)
    slot = await world.running(settings=settings, kind=BundleKind.MCP_STDIO)
    world.supervisor.redefine("w", "app", change(slot.definition))
    assert slot.view().stale == mark and slot.view().state is S.RUNNING
    result = await world.until_done(
        world.supervisor.respawn(
            "w", "app", cause="configuration", actor="ops", only_if_behind=True
        )
    )
    assert result.ok and result.generation == 2 and slot.view().stale == ()
    assert slot.generation is not None
    assert slot.generation.config_hash == config_hash(slot.definition)
    assert slot.generation.version == slot.definition.version
    again = await world.supervisor.respawn(
        "w", "app", cause="configuration", actor="ops", only_if_behind=True
    )
    assert again.ok and again.generation == 2, "what has it already is left alone"


async def test_settings_that_apply_to_a_running_process_mark_nothing(world: World) -> None:
    slot = await world.running(settings=QUICK)
    settings = replace(QUICK, drain_s=1.0, probe_interval_s=5.0)
    world.supervisor.redefine("w", "app", replace(slot.definition, settings=settings))
    assert slot.view().stale == ()


async def test_a_definition_that_changed_twice_is_brought_up_once_for_both_who_asked(
    world: World,
) -> None:
    slot = await world.running(settings=QUICK)
    old = slot.definition
    waiting: list[asyncio.Task[RespawnResult]] = []
    for version in ("2", "3"):
        world.supervisor.redefine("w", "app", replace(old, version=version))
        respawn = _respawn(world, only_if_behind=True)
        waiting.append(asyncio.create_task(respawn))
        await asyncio.sleep(0)

    async def both() -> list[RespawnResult]:
        return list(await asyncio.gather(*waiting))

    results = await world.until_done(both())
    assert [result.generation for result in results] == [2, 2]
    assert slot.generation is not None and slot.generation.version == "3"


async def test_a_respawn_is_answered_by_one_that_brought_a_later_definition_than_it_asked_for(
    world: World,
) -> None:
    slot = await world.running(settings=QUICK)
    async with world.supervisor._locks.hold(slot.key):
        first = asyncio.create_task(_respawn(world))
        await asyncio.sleep(0)
        world.supervisor.redefine("w", "app", replace(slot.definition, version="2"))
        second = asyncio.create_task(_respawn(world, only_if_behind=True))
        await asyncio.sleep(0)
        world.supervisor.redefine("w", "app", replace(slot.definition, version="3"))

    async def both() -> list[RespawnResult]:
        return list(await asyncio.gather(first, second))

    results = await world.until_done(both())
    assert [result.generation for result in results] == [2, 2]
    assert slot.generation is not None and slot.generation.version == "3"


async def test_a_stale_process_that_crashes_comes_back_with_what_is_configured(
    world: World,
) -> None:
    slot = await world.running(settings=replace(QUICK, protected=True))
    refused = await written(world, 1)
    assert refused is not None and refused.code == "protected"
    world.supervisor.redefine("w", "app", replace(slot.definition, version="2"))
    assert slot.view().restart_pending
    assert slot.view().stale == ("credentials", "configuration", "version")
    failed_before(world, slot)
    world.driver.alive[0].end(code=1)
    await world.until(lambda: slot.state is S.BACKING_OFF)
    assert not slot.view().restart_pending and slot.view().stale == ()
    async with asyncio.timeout(30):
        while slot.state is not S.RUNNING:
            await world.tick(0.5)
    assert slot.view().stale == () and not slot.view().restart_pending


async def test_a_replacement_that_cannot_be_prepared_leaves_the_old_one_marked(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot = await world.running(settings=QUICK)
    with monkeypatch.context() as patch:
        patch.setattr(FakeRecipes, "launch", _no_program)
        result = await world.until_done(_respawn(world))
    assert not result.ok and result.generation == 1 and "serves on" in result.sentence
    view = slot.view()
    assert view.state is S.RUNNING and view.stale == ("respawn",)
    assert view.reason is not None and view.reason.sentence == result.sentence
    assert (await world.until_done(_respawn(world))).ok
    assert slot.view().stale == ()


def _no_program(*_: Any, **__: Any) -> Any:
    raise KeyError("no such program")


# Protection ---------------------------------------------------------------------------------------


async def guarded(world: World) -> BundleSlot:
    return await world.running(settings=replace(QUICK, protected=True))


async def test_a_pending_restart_is_resolved_by_the_next_start(world: World) -> None:
    slot = await guarded(world)
    refused = await written(world, 1)
    assert refused is not None and refused.code == "protected" and refused.generation == 1
    for part in ("w/app", "generation 1", "--force REASON"):
        assert part in refused.sentence
    assert slot.view().restart_pending and slot.view().stale == ("credentials",)
    assert (await world.until_done(_respawn(world, reason="maintenance window"))).ok
    assert not slot.view().restart_pending and slot.view().stale == ()


async def test_protection_keeps_no_bundle_down(world: World) -> None:
    slot = await guarded(world)
    world.driver.on_spawn = lambda process: process.end(code=1)
    await world.until_done(_respawn(world, reason="try it"))
    assert world.moves()[-1] is S.DEAD
    world.driver.on_spawn = lambda process: None
    result = await world.until_done(written(world, 1))
    assert result is not None and result.ok, "there was no process to protect"
    assert slot.state is S.RUNNING


async def test_protection_holds_for_a_process_that_came_up_while_the_respawn_waited(
    world: World,
) -> None:
    slot = await world.slot(settings=BundleSettings(settle_s=5, protected=True))
    start = asyncio.create_task(world.supervisor.start("w", "app", actor="ops"))
    await world.until(lambda: world.driver.alive)
    write = asyncio.create_task(written(world, 1))
    await world.until(lambda: slot.credential_revision == 1)

    async def both() -> list[Any]:
        return list(await asyncio.gather(start, write))

    _, refused = await world.until_done(both())
    assert refused.code == "protected" and slot.view().restart_pending
    assert len(world.driver.processes) == 1
