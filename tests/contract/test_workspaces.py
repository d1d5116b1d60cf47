"""Workspaces and the daemon's own view."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from tests.contract.waiting import reading
from tests.contract.world import ContractWorld, real_engine
from tests.support.fake_engine import FakeEngine

from roost.contract import EngineAPI
from roost.errors import AlreadyExists, InvalidName, ShuttingDown, WorkspaceNotFound
from roost.models import Change, Closing, DaemonChanged, InstallRequest, SourceKind


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.real)])
async def bare_engine(request: pytest.FixtureRequest) -> AsyncIterator[EngineAPI]:
    """A daemon without any workspace."""
    if request.param == "fake":
        yield FakeEngine(workspaces=())
        return
    async with real_engine(has_workspace=True) as engine:
        yield engine.facade("ops")


async def test_workspaces_are_listed_by_id(world: ContractWorld) -> None:
    made = await world.engine.create_workspace("acme", "Acme Inc.")
    assert (made.id, made.label) == ("acme", "Acme Inc.")
    assert [workspace.id for workspace in await world.engine.workspaces()] == ["acme", "w"]


async def test_a_workspace_without_a_label_is_labelled_by_its_id(world: ContractWorld) -> None:
    assert (await world.engine.create_workspace("acme")).label == "acme"


@pytest.mark.parametrize("name", ["", "Big", "-a", "a" * 64, "a/b", ".."])
async def test_a_name_that_breaks_the_rule_is_refused(world: ContractWorld, name: str) -> None:
    with pytest.raises(InvalidName) as refusal:
        await world.engine.create_workspace(name)
    assert refusal.value.details == {"name": name}
    assert len(await world.engine.workspaces()) == 1


async def test_a_workspace_is_created_once(world: ContractWorld) -> None:
    with pytest.raises(AlreadyExists, match="'w'"):
        await world.engine.create_workspace("w")


async def test_a_missing_workspace_says_so(world: ContractWorld) -> None:
    with pytest.raises(WorkspaceNotFound, match="'nowhere'"):
        await world.engine.bundles("nowhere")
    with pytest.raises(WorkspaceNotFound):
        await world.engine.install("nowhere", world.request("x"))


async def test_the_daemon_tells_who_it_is(world: ContractWorld) -> None:
    view = await world.engine.status()
    assert view.pid > 0
    assert view.version
    assert not view.is_stopping


async def test_a_shutdown_is_answered_then_told_to_every_viewer(world: ContractWorld) -> None:
    async with reading(world.engine.events()) as events:
        await anext(events)
        await world.engine.shutdown()
        rest = [event async for event in events if isinstance(event, Change)]
    daemons = [event.body.daemon for event in rest if isinstance(event.body, DaemonChanged)]
    assert any(daemon.is_stopping for daemon in daemons)
    assert isinstance(rest[-1].body, Closing)


async def test_no_new_work_is_taken_once_the_shutdown_has_begun(world: ContractWorld) -> None:
    await world.engine.shutdown()
    with pytest.raises(ShuttingDown):
        await world.engine.install("w", world.request("late"))
    await world.engine.shutdown()


async def test_a_first_install_makes_the_workspace_default_and_only_that(
    bare_engine: EngineAPI,
) -> None:
    request = InstallRequest(SourceKind.COMMAND, command=("true",), start=False)
    with pytest.raises(WorkspaceNotFound):
        await bare_engine.install("other", request)
    plan = await bare_engine.plan_install("default", request)
    assert await bare_engine.workspaces() == ()
    view = await bare_engine.install("default", replace(request, name=plan.name))
    assert view.workspace == "default"
    assert [workspace.id for workspace in await bare_engine.workspaces()] == ["default"]
    with pytest.raises(WorkspaceNotFound):
        await bare_engine.install("other", request)
