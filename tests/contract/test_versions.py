"""Versions of an installed bundle: reviewed, upgraded, rolled back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.contract.world import ContractWorld

from roost.errors import AlreadyExists, BundleNotFound, Refused, RoostError, WorkspaceNotFound
from roost.models import InstallRequest, UpgradeRequest


def _next(world: ContractWorld) -> InstallRequest:
    """Return a request for another version of what `world.request` gives."""
    return world.request("app", env={"LOG_LEVEL": "debug"})


async def test_a_plan_installs_nothing_and_tells_no_value(world: ContractWorld) -> None:
    request = world.request("app", env={"TOKEN": "hunter2-is-secret"})
    plan = await world.engine.plan_install("w", request)
    assert plan.name == "app" and plan.argv[-1] == request.command[-1]
    assert plan.given_fields == ("TOKEN",) and "TOKEN" in plan.env_names
    assert "hunter2-is-secret" not in repr(plan)
    assert await world.engine.bundles("w") == ()
    with pytest.raises(WorkspaceNotFound):
        await world.engine.plan_install("nowhere", request)


async def test_a_plan_for_a_name_that_is_taken_says_so(world: ContractWorld) -> None:
    request = replace(world.request("app"), start=False)
    await world.engine.install("w", request)
    plan = await world.engine.plan_install("w", request)
    assert "name_taken" in {note.code for note in plan.notes}
    with pytest.raises(AlreadyExists):
        await world.engine.install("w", request)


async def test_an_upgrade_keeps_the_version_before_and_a_roll_back_returns_to_it(
    world: ContractWorld,
) -> None:
    await world.engine.install("w", replace(world.request("app"), start=False))
    [first] = await world.engine.versions("w", "app")
    assert first.number == 1 and first.is_current
    outcome = await world.engine.upgrade("w", "app", UpgradeRequest(_next(world)))
    assert (outcome.before.number, outcome.after.number) == (1, 2)
    assert outcome.respawn is None, "it is meant to be stopped"
    versions = await world.engine.versions("w", "app")
    assert [(view.number, view.is_current) for view in versions] == [(2, True), (1, False)]
    back = await world.engine.rollback("w", "app")
    assert (back.before.number, back.after.number) == (2, 1)
    [view] = [view for view in await world.engine.versions("w", "app") if view.is_current]
    assert view.number == 1


async def test_a_running_bundle_is_respawned_into_the_version(world: ContractWorld) -> None:
    await world.engine.install("w", replace(world.request("app"), start=False))
    assert (await world.engine.start("w", "app")).ok
    outcome = await world.engine.upgrade("w", "app", UpgradeRequest(_next(world)))
    assert outcome.respawn is not None and outcome.respawn.ok
    detail = await world.engine.bundle("w", "app")
    assert detail.view.generation is not None
    assert detail.view.generation.number == outcome.respawn.generation == 2


async def test_what_is_not_kept_cannot_be_returned_to(world: ContractWorld) -> None:
    with pytest.raises(BundleNotFound):
        await world.engine.versions("w", "app")
    with pytest.raises(BundleNotFound):
        await world.engine.upgrade("w", "app", UpgradeRequest(_next(world)))
    await world.engine.install("w", replace(world.request("app"), start=False))
    with pytest.raises(Refused):
        await world.engine.rollback("w", "app")
    with pytest.raises(RoostError, match="7"):
        await world.engine.rollback("w", "app", number=7)
    with pytest.raises(Refused):
        await world.engine.pin("w", "app")
