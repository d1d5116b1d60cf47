"""Bundles and the actions on them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.contract.waiting import bundle_in, in_status, reading, settled
from tests.contract.world import ContractWorld

from roost.errors import (
    AlreadyExists,
    BadInput,
    BundleNotFound,
    BundleProtected,
    InvalidName,
    NotFound,
)
from roost.models import (
    BundleChanged,
    BundleRemoved,
    CallRequest,
    Change,
    EngineEvent,
    RespawnStrategy,
    RunStatus,
    SlotState,
    Transitioned,
)


async def _running(world: ContractWorld, name: str = "app", *, protected: bool = False) -> None:
    await world.engine.install("w", world.request(name, protected=protected))
    await bundle_in(world.engine, name, SlotState.RUNNING)


def _moves(events: list[EngineEvent]) -> list[SlotState]:
    changes = [event.body for event in events if isinstance(event, Change)]
    return [body.transition.after for body in changes if isinstance(body, Transitioned)]


async def test_an_installed_bundle_starts_by_itself(world: ContractWorld) -> None:
    async with reading(world.engine.events()) as events:
        await anext(events)
        view = await world.engine.install("w", world.request("app"))
        told = []
        async for event in events:
            told.append(event)
            if _moves(told)[-1:] == [SlotState.RUNNING]:
                break
    assert (view.workspace, view.name, view.should_run) == ("w", "app", True)
    assert _moves(told) == [SlotState.STARTING, SlotState.RUNNING]
    bodies = [event.body for event in told if isinstance(event, Change)]
    steps = [body.bundle.step for body in bodies if isinstance(body, BundleChanged)]
    assert any(steps)


async def test_an_install_may_leave_the_bundle_stopped(world: ContractWorld) -> None:
    request = replace(world.request("app"), start=False)
    view = await world.engine.install("w", request)
    assert (view.state, view.should_run) == (SlotState.STOPPED, False)


async def test_bundles_are_listed_by_workspace_and_name(world: ContractWorld) -> None:
    await world.engine.create_workspace("a")
    for workspace, name in (("w", "two"), ("w", "one"), ("a", "zoo")):
        await world.engine.install(workspace, replace(world.request(name), start=False))
    everywhere = [(view.workspace, view.name) for view in await world.engine.bundles()]
    assert everywhere == [("a", "zoo"), ("w", "one"), ("w", "two")]
    assert [view.name for view in await world.engine.bundles("w")] == ["one", "two"]


async def test_a_name_is_taken_once_in_a_workspace(world: ContractWorld) -> None:
    request = replace(world.request("app"), start=False)
    await world.engine.install("w", request)
    with pytest.raises(AlreadyExists, match="'app'"):
        await world.engine.install("w", request)


async def test_a_bad_name_installs_nothing(world: ContractWorld) -> None:
    with pytest.raises(InvalidName):
        await world.engine.install("w", world.request("Not A Name"))
    assert await world.engine.bundles("w") == ()


async def test_the_detail_holds_definition_generations_and_transitions(
    world: ContractWorld,
) -> None:
    await _running(world)
    detail = await world.engine.bundle("w", "app")
    assert detail.view.generation == detail.generations[0]
    assert detail.generations[0].number == 1
    newest_first = [transition.after for transition in detail.transitions]
    assert newest_first == [SlotState.RUNNING, SlotState.STARTING]
    assert detail.argv[0] == detail.definition.command


@pytest.mark.parametrize("name", ["missing", "..", "a b", "a/b"])
async def test_a_missing_bundle_is_not_found_by_anything(world: ContractWorld, name: str) -> None:
    engine = world.engine
    calls = (
        engine.bundle("w", name),
        engine.start("w", name),
        engine.stop("w", name),
        engine.remove("w", name),
        engine.impact("w", name),
        engine.tools("w", name),
        engine.credential_form("w", name),
        engine.log_page("w", name),
        engine.call_tool("w", name, CallRequest("echo")),
    )
    for call in calls:
        with pytest.raises(NotFound):
            await call


async def test_a_bundle_of_another_workspace_does_not_exist(world: ContractWorld) -> None:
    await world.engine.create_workspace("other")
    await world.engine.install("other", replace(world.request("app"), start=False))
    with pytest.raises(BundleNotFound) as refusal:
        await world.engine.bundle("w", "app")
    assert refusal.value.details == {"workspace": "w", "bundle": "app"}


async def test_a_stop_is_told_and_sticks(world: ContractWorld) -> None:
    await _running(world)
    result = await world.engine.stop("w", "app")
    assert result.ok, result.sentence
    view = (await world.engine.bundle("w", "app")).view
    assert (view.state, view.should_run) == (SlotState.STOPPED, False)
    assert (await world.engine.stop("w", "app")).ok


async def test_a_stopped_bundle_starts_as_the_next_generation(world: ContractWorld) -> None:
    await _running(world)
    await world.engine.stop("w", "app")
    result = await world.engine.start("w", "app")
    assert result.ok, result.sentence
    view = (await world.engine.bundle("w", "app")).view
    assert view.state is SlotState.RUNNING
    assert view.generation is not None
    assert view.generation.number == 2


async def test_a_respawn_goes_through_starting_to_a_new_generation(world: ContractWorld) -> None:
    await _running(world)
    async with reading(world.engine.events()) as events:
        await anext(events)
        result = await world.engine.respawn("w", "app")
        told = []
        async for event in events:
            told.append(event)
            if _moves(told)[-1:] == [SlotState.RUNNING]:
                break
    assert result.ok, result.sentence
    assert (result.workspace, result.bundle, result.generation) == ("w", "app", 2)
    assert _moves(told) == [SlotState.STARTING, SlotState.RUNNING]


async def test_a_respawn_of_a_missing_bundle_is_a_result(world: ContractWorld) -> None:
    result = await world.engine.respawn("w", "missing")
    assert not result.ok
    assert (result.workspace, result.bundle, result.code) == ("w", "missing", "bundle_not_found")


async def test_a_protected_bundle_wants_a_reason(world: ContractWorld) -> None:
    await _running(world, protected=True)
    with pytest.raises(BundleProtected, match="'app'"):
        await world.engine.stop("w", "app")
    with pytest.raises(BundleProtected):
        await world.engine.remove("w", "app")
    refused = await world.engine.respawn("w", "app")
    assert (refused.ok, refused.code) == (False, "protected")
    assert (await world.engine.respawn("w", "app", reason="rollout")).ok
    assert (await world.engine.stop("w", "app", reason="maintenance")).ok


async def test_a_removed_bundle_is_gone_and_viewers_are_told(world: ContractWorld) -> None:
    await _running(world)
    async with reading(world.engine.events()) as events:
        await anext(events)
        assert (await world.engine.remove("w", "app")).ok
        async for event in events:
            if isinstance(event, Change) and isinstance(event.body, BundleRemoved):
                break
    assert event == Change(event.revision, BundleRemoved("w", "app"))
    assert await world.engine.bundles("w") == ()


async def test_the_impact_names_the_runs_that_would_be_cut(world: ContractWorld) -> None:
    await _running(world)
    idle = await world.engine.impact("w", "app")
    assert (idle.run_ids, idle.is_known, idle.sentence) == ((), True, "")
    run = await world.engine.call_tool("w", "app", CallRequest("wait"))
    busy = await world.engine.impact("w", "app")
    assert busy.run_ids == (run.id,)
    assert "1 run" in busy.sentence


async def _handed_over(world: ContractWorld, name: str = "app") -> None:
    request = world.request(name)
    settings = replace(request.settings, strategy=RespawnStrategy.HANDOVER)
    await world.engine.install("w", replace(request, settings=settings))
    await bundle_in(world.engine, name, SlotState.RUNNING)


async def test_a_handover_cuts_nothing_and_a_stop_of_the_same_bundle_does(
    world: ContractWorld,
) -> None:
    await _handed_over(world)
    run = await world.engine.call_tool("w", "app", CallRequest("wait"))
    for action in ("bundle.respawn", "bundle.credentials"):
        spared = await world.engine.impact("w", "app", action=action)
        assert (spared.run_ids, spared.is_known) == ((), True)
        assert "cuts nothing" in spared.sentence
    for action in ("bundle.stop", "bundle.remove"):
        cut = await world.engine.impact("w", "app", action=action)
        assert cut.run_ids == (run.id,)
        assert cut.sentence == "cuts 1 run"


async def test_an_action_that_interrupts_nothing_has_no_impact(world: ContractWorld) -> None:
    await _running(world)
    with pytest.raises(BadInput, match="interrupts no bundle"):
        await world.engine.impact("w", "app", action="bundle.logs")


async def test_a_handover_stays_running_and_shows_its_candidate(world: ContractWorld) -> None:
    await _handed_over(world)
    async with reading(world.engine.events()) as events:
        await anext(events)
        result = await world.engine.respawn("w", "app")
        told = []
        async for event in events:
            told.append(event)
            if _numbers(told)[-1:] == [(2, None)]:
                break
    assert result.ok, result.sentence
    assert result.generation == 2
    assert _moves(told) == []
    assert (1, 2) in _numbers(told)
    view = (await world.engine.bundle("w", "app")).view
    assert (view.state, view.candidate, view.step, view.stale) == (
        SlotState.RUNNING,
        None,
        None,
        (),
    )


def _numbers(events: list[EngineEvent]) -> list[tuple[int | None, int | None]]:
    """Return the generation and the candidate that each change of a bundle shows."""
    bodies = [event.body for event in events if isinstance(event, Change)]
    bundles = [body.bundle for body in bodies if isinstance(body, BundleChanged)]
    return [
        (
            bundle.generation.number if bundle.generation else None,
            bundle.candidate.number if bundle.candidate else None,
        )
        for bundle in bundles
    ]


async def test_a_respawn_ends_the_runs_it_cuts_as_restarting(world: ContractWorld) -> None:
    await _running(world)
    run = await world.engine.call_tool("w", "app", CallRequest("wait"))
    await in_status(world.engine, run.id, RunStatus.RUNNING)
    assert (await world.engine.respawn("w", "app")).ok
    view = (await settled(world.engine, run.id)).run
    assert view.status is RunStatus.FAILED
    assert view.error is not None
    assert view.error.code == "restarting"
