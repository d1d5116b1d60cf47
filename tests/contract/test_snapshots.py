"""Startup snapshots: what can have one, and how it is built, verified and removed."""

from __future__ import annotations

import asyncio

import pytest
from tests.contract.waiting import bundle_in, reading
from tests.contract.world import ContractWorld

from roost.errors import BadInput, BundleNotFound, Refused, SnapshotMissing, WorkspaceNotFound
from roost.models import (
    BundleKind,
    Change,
    InstallRequest,
    SettingsChange,
    SlotState,
    SnapshotChanged,
    SnapshotPolicy,
    SnapshotState,
    SourceKind,
)

BUILD_S = 60
"""A build starts the program twice, on a busy machine."""

SHELL = InstallRequest(
    SourceKind.COMMAND, name="shell", command=("/bin/sleep", "1000"), kind=BundleKind.COMMAND
)


async def _installed(world: ContractWorld) -> None:
    await world.engine.install("w", world.request("app"))
    await bundle_in(world.engine, "app", SlotState.RUNNING)
    await world.engine.install("w", SHELL)
    await bundle_in(world.engine, "shell", SlotState.RUNNING)


async def test_every_bundle_has_a_row(world: ContractWorld) -> None:
    await _installed(world)
    app, shell = await world.engine.snapshots()
    assert (app.workspace, app.name, app.policy) == ("w", "app", SnapshotPolicy.AUTO)
    assert (app.state, app.is_eligible, app.reason) == (None, True, None)
    assert (shell.name, shell.state, shell.is_eligible) == ("shell", None, False)
    assert shell.reason is not None
    assert await world.engine.snapshots("w") == (app, shell)
    assert (await world.engine.snapshot("w", "app")).view == app
    with pytest.raises(WorkspaceNotFound):
        await world.engine.snapshots("nowhere")


async def test_a_snapshot_is_built_verified_and_removed(world: ContractWorld) -> None:
    await _installed(world)
    async with asyncio.timeout(BUILD_S):
        built = await world.engine.build_snapshot("w", "app")
    assert (built.state, built.reason, built.phase) == (SnapshotState.READY, None, None)
    assert built.built_at is not None and built.build_ms is not None
    detail = await world.engine.snapshot("w", "app")
    assert detail.view.state is SnapshotState.READY
    assert detail.entry and detail.interpreter and detail.key and detail.parts
    async with asyncio.timeout(BUILD_S):
        assert (await world.engine.verify_snapshot("w", "app")).state is SnapshotState.READY
    removed = await world.engine.remove_snapshot("w", "app")
    assert (removed.ok, removed.code) == (True, "ok")
    assert (await world.engine.snapshot("w", "app")).view.state is None
    again = await world.engine.remove_snapshot("w", "app")
    assert (again.ok, again.code) == (True, "no_snapshot")


async def test_a_build_tells_its_viewers(world: ContractWorld) -> None:
    await _installed(world)
    async with reading(world.engine.events()) as events:
        await anext(events)
        building = asyncio.create_task(world.engine.build_snapshot("w", "app"))
        async for event in events:
            if isinstance(event, Change) and isinstance(event.body, SnapshotChanged):
                assert (event.body.workspace, event.body.name) == ("w", "app")
                break
    async with asyncio.timeout(BUILD_S):
        await building


async def test_what_is_no_python_program_has_none(world: ContractWorld) -> None:
    await _installed(world)
    with pytest.raises(Refused):
        await world.engine.build_snapshot("w", "shell")
    assert (await world.engine.snapshot("w", "shell")).view.state is None


async def test_what_was_not_built_cannot_be_verified(world: ContractWorld) -> None:
    await _installed(world)
    with pytest.raises(SnapshotMissing, match="build"):
        await world.engine.verify_snapshot("w", "app")


async def test_a_policy_is_kept(world: ContractWorld) -> None:
    await _installed(world)
    view = await world.engine.set_snapshot_policy("w", "app", SnapshotPolicy.OFF)
    assert view.policy is SnapshotPolicy.OFF
    assert (await world.engine.snapshot("w", "app")).view.policy is SnapshotPolicy.OFF
    definition = (await world.engine.bundle("w", "app")).definition
    assert definition.settings.snapshot is SnapshotPolicy.OFF


async def test_modules_that_may_copy_the_environment_are_kept_and_shown(
    world: ContractWorld,
) -> None:
    await _installed(world)
    for given, kept in ((("git.cmd", "a", "a"), ("a", "git.cmd")), ((), ())):
        change = SettingsChange(snapshot_allow=given)
        outcome = await world.engine.change_settings("w", "app", change)
        assert outcome.settings.snapshot_allow == kept
        assert (await world.engine.snapshot("w", "app")).allowed == kept
    for wrong in ("git cmd", "", "1st", "a" * 201):
        with pytest.raises(BadInput, match="names of Python modules"):
            await world.engine.change_settings("w", "app", SettingsChange(snapshot_allow=(wrong,)))


async def test_a_bundle_that_is_not_there_is_not_found(world: ContractWorld) -> None:
    for asked in (
        world.engine.snapshot("w", "none"),
        world.engine.build_snapshot("w", "none"),
        world.engine.verify_snapshot("w", "none"),
        world.engine.remove_snapshot("w", "none"),
        world.engine.set_snapshot_policy("w", "none", SnapshotPolicy.OFF),
    ):
        with pytest.raises(BundleNotFound):
            await asked


async def test_a_removed_bundle_takes_its_snapshot_along(world: ContractWorld) -> None:
    await _installed(world)
    async with asyncio.timeout(BUILD_S):
        await world.engine.build_snapshot("w", "app")
    await world.engine.remove("w", "app")
    assert [view.name for view in await world.engine.snapshots()] == ["shell"]
    await world.engine.install("w", world.request("app"))
    app, _ = await world.engine.snapshots()
    assert app.state is None
