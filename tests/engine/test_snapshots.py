"""Who asks about snapshots, without any process: `Snapshots` over a shelf that counts looks."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest
from tests.support.supervised import World

from roost.engine.snapshots import Snapshots
from roost.errors import SnapshotBusy, SnapshotFailed, SnapshotRefused, SnapshotStale
from roost.models import (
    GenerationView,
    Launch,
    Reason,
    SnapshotPolicy,
    SnapshotState,
    SnapshotView,
    StartMode,
)
from roost.snapshots.cold_start import ColdStart
from roost.snapshots.node_cache import CACHE_REJECTED
from roost.snapshots.shelf import Prepared, Shelf
from roost.store.base import Store
from roost.supervision import BundleSlot

BEGAN = 1_000_000
"""When the daemon began."""


@dataclass
class CountingShelf:
    """A shelf with one bundle that nobody has looked at."""

    shown: SnapshotView
    looks: int = 0
    seeded: dict[StartMode, list[int]] = field(default_factory=dict)
    error: Exception | None = None
    builds: int = 0

    def view(self, workspace: str, name: str) -> SnapshotView:
        return self.shown

    async def examine(self, workspace: str, name: str) -> SnapshotView:
        self.looks += 1
        self.shown = replace(self.shown, is_eligible=True, reason=None)
        return self.shown

    def seed_times(self, workspace: str, name: str, mode: StartMode, times: list[int]) -> None:
        self.seeded[mode] = times

    async def prepare(self, start: ColdStart) -> Prepared:
        raise SnapshotStale(start.name, "sources: app.py was changed")

    async def build(self, workspace: str, name: str) -> SnapshotView:
        self.builds += 1
        if self.error is not None:
            raise self.error
        return self.shown


class History:
    """The generations that a store has kept."""

    def __init__(self, *generations: GenerationView) -> None:
        self.generations = self
        self._kept = generations

    async def history(self, workspace: str, name: str, limit: int) -> tuple[GenerationView, ...]:
        return self._kept


@pytest.fixture
async def slot(tmp_path: Path) -> BundleSlot:
    return await World(tmp_path).slot("app")


def shelf_of(slot: BundleSlot) -> CountingShelf:
    reason = Reason("not_looked_at", "nobody has looked yet")
    return CountingShelf(
        SnapshotView(
            slot.workspace, slot.name, SnapshotPolicy.AUTO, is_eligible=False, reason=reason
        )
    )


def snapshots(
    slot: BundleSlot, shelf: CountingShelf, *kept: GenerationView, is_prepared: bool = True
) -> Snapshots:
    return Snapshots(
        cast("Shelf", shelf),
        lambda workspace, name: slot,
        cast("Store", History(*kept)),
        is_prepared=lambda found: is_prepared,
        since=BEGAN,
    )


def generation(number: int, mode: StartMode, ready_ms: int, spawned_at: int) -> GenerationView:
    return GenerationView(
        f"g-{number}", number, "1", "hash", 0, mode, spawned_at, ready_ms=ready_ms
    )


async def test_a_bundle_that_nobody_looked_at_is_looked_at_once_somebody_asks(
    slot: BundleSlot,
) -> None:
    shelf = shelf_of(slot)
    asked = snapshots(slot, shelf)
    for _ in range(2):
        (view,) = await asked.views((slot,))
        assert view.is_eligible
    assert shelf.looks == 1


async def test_who_asks_waits_for_no_install(slot: BundleSlot) -> None:
    shelf = shelf_of(slot)
    (view,) = await snapshots(slot, shelf, is_prepared=False).views((slot,))
    assert view.reason is not None and view.reason.code == "not_looked_at"
    assert shelf.looks == 0


async def test_starts_of_earlier_daemons_count_once_and_oldest_first(slot: BundleSlot) -> None:
    shelf = shelf_of(slot)
    kept = (
        generation(4, StartMode.COLD, 444, BEGAN + 1),
        generation(3, StartMode.ZYGOTE, 33, BEGAN - 1),
        generation(2, StartMode.COLD, 222, BEGAN - 2),
        generation(1, StartMode.COLD, 111, BEGAN - 3),
    )
    await snapshots(slot, shelf, *kept).views((slot,))
    assert shelf.seeded == {StartMode.COLD: [111, 222], StartMode.ZYGOTE: [33]}


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (SnapshotRefused("app", "a thread"), SnapshotState.REFUSED),
        (SnapshotFailed("app", "trace", "it did not start"), SnapshotState.FAILED),
    ],
)
async def test_a_build_that_comes_to_nothing_is_a_result(
    slot: BundleSlot, error: Exception, state: SnapshotState
) -> None:
    shelf = shelf_of(slot)
    shelf.error = error
    shelf.shown = replace(shelf.shown, is_eligible=True, reason=None, state=state)
    assert (await snapshots(slot, shelf).build(slot.workspace, slot.name)).state is state


@pytest.mark.parametrize(
    ("is_allowed", "code", "expected"),
    [
        (True, "sources", SnapshotBusy),
        (False, CACHE_REJECTED, SnapshotBusy),
        (False, "sources", SnapshotStale),
    ],
)
async def test_a_start_that_needs_a_stale_snapshot_has_it_built_again_where_that_is_allowed(
    slot: BundleSlot, is_allowed: bool, code: str, expected: type[Exception]
) -> None:
    settings = replace(slot.definition.settings, snapshot_rebuild=is_allowed)
    slot.definition = replace(slot.definition, settings=settings)
    shelf = shelf_of(slot)
    shelf.shown = replace(
        shelf.shown, is_eligible=True, state=SnapshotState.STALE, reason=Reason(code, "changed")
    )
    asked = snapshots(slot, shelf)
    launch = Launch(("python", "app.py"), {}, "/", ())
    with pytest.raises(expected):
        await asked.prepare(*slot.key, "1", launch, ())
    await asyncio.sleep(0)
    assert shelf.builds == (expected is SnapshotBusy)


async def test_a_build_that_was_not_begun_is_an_error(slot: BundleSlot) -> None:
    shelf = shelf_of(slot)
    shelf.error = SnapshotRefused("app", "it is no Python program")
    values: Any = {"is_eligible": False, "reason": Reason("not_python", "it is none")}
    shelf.shown = replace(shelf.shown, **values)
    with pytest.raises(SnapshotRefused):
        await snapshots(slot, shelf).build(slot.workspace, slot.name)
