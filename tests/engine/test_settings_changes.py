"""Changing settings: stored first, then in force, and told in the audit log."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.supervised import World

from roost.bundles import config_hash
from roost.engine.settings_changes import SettingsChanges
from roost.errors import BundleProtected, StoreUnavailable
from roost.models import BundleSettings, Definition, SettingsChange, SlotState


class Rows:
    """Keeps definitions, or refuses to."""

    def __init__(self) -> None:
        self.kept: list[Definition] = []
        self.is_away = False

    async def set_definition(self, workspace: str, name: str, definition: Definition) -> None:
        if self.is_away:
            raise StoreUnavailable("the store is away")
        self.kept.append(definition)


class Bench:
    """A supervised world, and changes of it by one actor."""

    def __init__(self, tmp_path: Path) -> None:
        self.world = World(tmp_path)
        # The stand-in of the supervisor's tests gives every definition the same hash.
        self.world.supervisor._recipes.config_hash = config_hash  # type: ignore[method-assign]
        self.rows = Rows()
        self.audited: list[tuple[str, str, str, str]] = []
        self.changes = SettingsChanges(
            self.world.supervisor,
            self.rows,  # type: ignore[arg-type]
            audit=self._audit,
            fit_reason=self._fit_reason,
        )

    async def _audit(
        self, action: str, workspace: str | None, target: str, outcome: str, detail: str
    ) -> None:
        self.audited.append((action, target, outcome, detail))

    async def _fit_reason(self, workspace: str, name: str, reason: str | None) -> str | None:
        return reason


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


async def test_a_change_is_stored_in_force_and_audited_with_what_was_before(bench: Bench) -> None:
    slot = await bench.world.slot()
    change = SettingsChange(drain_s=20, limits={"open_files": 64}, reason="too many files")
    outcome = await bench.changes.change("w", "app", change)
    assert slot.definition.settings.drain_s == 20
    assert bench.rows.kept == [slot.definition]
    detail = "drain_s is 20, was 10; limits.open_files is 64, was none (too many files)"
    assert bench.audited == [("bundle.settings", "app", "ok", detail)]
    assert outcome.sentence == "w/app: drain_s is 20, was 10; limits.open_files is 64, was none"


async def test_what_the_store_does_not_take_is_not_in_force(bench: Bench) -> None:
    slot = await bench.world.slot()
    before = slot.definition
    bench.rows.is_away = True
    with pytest.raises(StoreUnavailable):
        await bench.changes.change("w", "app", SettingsChange(drain_s=20))
    assert slot.definition is before and bench.audited == []


async def test_a_change_of_nothing_is_neither_stored_nor_audited(bench: Bench) -> None:
    await bench.world.slot()
    outcome = await bench.changes.change("w", "app", SettingsChange(drain_s=10))
    assert (outcome.changed, bench.rows.kept, bench.audited) == ((), [], [])


async def test_a_refused_lift_of_the_protection_is_audited_too(bench: Bench) -> None:
    slot = await bench.world.slot(settings=BundleSettings(protected=True))
    with pytest.raises(BundleProtected):
        await bench.changes.change("w", "app", SettingsChange(protected=False))
    assert slot.definition.settings.protected
    assert bench.audited == [("bundle.settings", "app", "protected", "")]
    with_reason = SettingsChange(protected=False, reason="retired")
    await bench.changes.change("w", "app", with_reason)
    assert bench.audited[-1][3] == "protected is off, was on (retired)"


async def test_a_limit_makes_what_runs_stale_and_its_return_makes_it_current_again(
    bench: Bench,
) -> None:
    slot = await bench.world.slot()
    slot.config_hash = config_hash(slot.definition)
    await bench.world.until_done(bench.world.supervisor.start("w", "app", actor="ops"))
    assert slot.generation is not None
    # The starter's stand-in of recipes names another hash than the real ones.
    slot.generation = replace(slot.generation, config_hash=slot.config_hash)
    assert slot.state is SlotState.RUNNING and slot.stale_in() == ()
    tighter = await bench.changes.change("w", "app", SettingsChange(limits={"open_files": 64}))
    assert tighter.needs_respawn and slot.stale_in() == ("configuration",)
    assert slot.is_alive
    lifted = await bench.changes.change("w", "app", SettingsChange(limits={"open_files": None}))
    assert not lifted.needs_respawn and slot.stale_in() == ()
