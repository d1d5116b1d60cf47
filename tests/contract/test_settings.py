"""Settings of an installed bundle."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from tests.contract.waiting import bundle_in
from tests.contract.world import ContractWorld

from roost.errors import BadInput, BundleNotFound, BundleProtected
from roost.models import (
    RespawnStrategy,
    RestartPolicy,
    SettingsChange,
    SlotState,
)


async def _installed(world: ContractWorld, name: str = "app", *, protected: bool = False) -> None:
    request = replace(world.request(name, protected=protected), start=False)
    await world.engine.install("w", request)


async def test_what_is_given_changes_and_the_rest_stays(world: ContractWorld) -> None:
    await _installed(world)
    before = (await world.engine.bundle("w", "app")).definition.settings
    change = SettingsChange(
        restart=RestartPolicy.NEVER,
        strategy=RespawnStrategy.HANDOVER,
        drain_s=21,
        probe_misses=5,
        limits={"open_files": 512},
    )
    outcome = await world.engine.change_settings("w", "app", change)
    names = {"restart", "strategy", "drain_s", "probe_misses", "limits.open_files"}
    assert set(outcome.changed) == names
    detail = await world.engine.bundle("w", "app")
    assert detail.definition.settings == outcome.settings
    assert outcome.settings == replace(
        before,
        restart=RestartPolicy.NEVER,
        strategy=RespawnStrategy.HANDOVER,
        drain_s=21,
        probe_misses=5,
        limits=replace(before.limits, open_files=512),
    )
    lifted = SettingsChange(limits={"open_files": None})
    assert (await world.engine.change_settings("w", "app", lifted)).settings.limits == before.limits


async def test_a_change_of_nothing_says_so(world: ContractWorld) -> None:
    await _installed(world)
    outcome = await world.engine.change_settings("w", "app", SettingsChange())
    assert (outcome.changed, outcome.needs_respawn) == ((), False)
    assert "no setting" in outcome.sentence


async def test_a_limit_leaves_the_running_process_stale_and_nothing_else_does(
    world: ContractWorld,
) -> None:
    await world.engine.install("w", world.request("app"))
    running = await bundle_in(world.engine, "app", SlotState.RUNNING)
    at_once = await world.engine.change_settings("w", "app", SettingsChange(drain_s=3))
    assert not at_once.needs_respawn
    limited = await world.engine.change_settings(
        "w", "app", SettingsChange(limits={"open_files": 256})
    )
    assert limited.needs_respawn and "`roost respawn w/app`" in limited.sentence
    view = (await world.engine.bundle("w", "app")).view
    assert (view.state, view.stale) == (SlotState.RUNNING, ("configuration",))
    assert view.generation == running.generation
    assert (await world.engine.respawn("w", "app")).ok
    assert (await world.engine.bundle("w", "app")).view.stale == ()


@pytest.mark.parametrize(
    "change",
    [
        SettingsChange(drain_s=-1),
        SettingsChange(start_budget_s=0),
        SettingsChange(stop_grace_s=1e12),
        SettingsChange(probe_misses=0),
        SettingsChange(max_calls=-1),
        SettingsChange(max_calls=100_001),
        SettingsChange(limits={"open_files": 1}),
        SettingsChange(limits={"wings": 2}),
        SettingsChange(after=("nobody",)),
        SettingsChange(after=("app",)),
    ],
    ids=repr,
)
async def test_a_setting_that_cannot_be_meant_changes_nothing(
    world: ContractWorld, change: SettingsChange
) -> None:
    await _installed(world)
    before = (await world.engine.bundle("w", "app")).definition
    with pytest.raises(BadInput):
        await world.engine.change_settings("w", "app", replace(change, call_idle_s=7))
    assert (await world.engine.bundle("w", "app")).definition == before


async def test_bundles_that_would_wait_for_each_other_are_refused_by_name(
    world: ContractWorld,
) -> None:
    for name in ("one", "two", "three"):
        await _installed(world, name)
    await world.engine.change_settings("w", "one", SettingsChange(after=("two",)))
    await world.engine.change_settings("w", "two", SettingsChange(after=("three", "three")))
    assert (await world.engine.bundle("w", "two")).definition.after == ("three",)
    with pytest.raises(BadInput, match="'three' waits for 'one' waits for 'two'"):
        await world.engine.change_settings("w", "three", SettingsChange(after=("one",)))
    lifted = await world.engine.change_settings("w", "one", SettingsChange(after=()))
    assert lifted.after == ()


async def test_an_install_may_name_what_it_waits_for(world: ContractWorld) -> None:
    await _installed(world, "db")
    request = replace(world.request("app"), start=False, after=("db",))
    await world.engine.install("w", request)
    assert (await world.engine.bundle("w", "app")).definition.after == ("db",)


async def test_lifting_a_protection_wants_a_reason(world: ContractWorld) -> None:
    await _installed(world, protected=True)
    with pytest.raises(BundleProtected):
        await world.engine.change_settings("w", "app", SettingsChange(protected=False))
    change = SettingsChange(protected=False, reason="moved to another host")
    assert (await world.engine.change_settings("w", "app", change)).changed == ("protected",)
    assert not (await world.engine.bundle("w", "app")).view.protected


async def test_changes_of_different_settings_at_once_are_all_kept(world: ContractWorld) -> None:
    await _installed(world)
    await asyncio.gather(
        *(
            world.engine.change_settings("w", "app", change)
            for change in (
                SettingsChange(drain_s=11),
                SettingsChange(stop_grace_s=12),
                SettingsChange(call_idle_s=13),
                SettingsChange(limits={"processes": 14}),
            )
        )
    )
    settings = (await world.engine.bundle("w", "app")).definition.settings
    kept = (settings.drain_s, settings.stop_grace_s, settings.call_idle_s)
    assert (*kept, settings.limits.processes) == (11, 12, 13, 14)


async def test_settings_of_a_missing_bundle_cannot_be_changed(world: ContractWorld) -> None:
    with pytest.raises(BundleNotFound):
        await world.engine.change_settings("w", "missing", SettingsChange(drain_s=1))
