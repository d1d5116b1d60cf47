"""The ordered check of a bundle."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.contract.waiting import bundle_in
from tests.contract.world import ContractWorld

from roost.errors import BundleNotFound
from roost.models import SlotState, WhyCheck, WhyReport, WhyStatus


def _statuses(report: WhyReport) -> list[WhyStatus]:
    return [step.status for step in report.steps]


def _failing(report: WhyReport) -> WhyCheck | None:
    return next((s.check for s in report.steps if s.status is WhyStatus.FAILED), None)


async def test_nothing_is_wrong_with_a_bundle_that_runs(world: ContractWorld) -> None:
    await world.engine.install("w", world.request("app"))
    await bundle_in(world.engine, "app", SlotState.RUNNING)
    report = await world.engine.why("w", "app")
    assert (report.workspace, report.bundle, report.is_up) == ("w", "app", True)
    assert [step.check for step in report.steps] == list(WhyCheck)
    assert set(_statuses(report)) == {WhyStatus.PASSED}
    assert report.sentence.startswith("Nothing is wrong: w/app runs as generation 1")


async def test_a_deliberate_stop_is_named_with_who_did_it_and_how_to_undo_it(
    world: ContractWorld,
) -> None:
    await world.engine.install("w", world.request("app"))
    await bundle_in(world.engine, "app", SlotState.RUNNING)
    await world.engine.stop("w", "app")
    actor = (await world.engine.bundle("w", "app")).transitions[0].actor
    report = await world.engine.why("w", "app")
    assert not report.is_up
    assert _failing(report) is WhyCheck.SPAWN
    spawn = report.steps[list(WhyCheck).index(WhyCheck.SPAWN)]
    assert f"{actor} stopped it" in spawn.said
    assert (spawn.way_out, spawn.action) == ("`roost start w/app` starts it", "bundle.start")
    assert spawn.said in report.sentence and "`roost start w/app`" in report.sentence
    after = _statuses(report)[list(WhyCheck).index(WhyCheck.SPAWN) + 1 :]
    assert set(after) == {WhyStatus.UNKNOWN}


async def test_a_bundle_that_was_never_started_says_so(world: ContractWorld) -> None:
    await world.engine.install("w", replace(world.request("app"), start=False))
    report = await world.engine.why("w", "app")
    assert _failing(report) is WhyCheck.SPAWN
    assert "installed without being started" in report.sentence


async def test_looking_changes_nothing(world: ContractWorld) -> None:
    await world.engine.install("w", world.request("app"))
    await bundle_in(world.engine, "app", SlotState.RUNNING)
    before = await world.engine.bundle("w", "app")
    await world.engine.why("w", "app")
    after = await world.engine.bundle("w", "app")
    assert after.generations == before.generations
    assert after.transitions == before.transitions
    assert (after.view.state, after.view.since) == (before.view.state, before.view.since)


async def test_a_missing_bundle_cannot_be_looked_at(world: ContractWorld) -> None:
    with pytest.raises(BundleNotFound):
        await world.engine.why("w", "missing")
