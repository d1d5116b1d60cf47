"""Starts from snapshots as supervision sees them: what is waited for, and what is to blame."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import pytest
from tests.support.fake_sessions import FakeSessions
from tests.support.supervised import FakeDriver, FakeRecipes, World

from roost.drivers.base import DriverProcess, SpawnSpec
from roost.engine.shadow_starts import ShadowStarts
from roost.errors import (
    RoostError,
    SnapshotBusy,
    SnapshotMissing,
    SnapshotNotLoaded,
    SnapshotRefused,
    SnapshotStale,
    Unavailable,
)
from roost.models import BundleChanged, BundleKind, BundleSettings, Launch, SlotState, StartMode
from roost.snapshots.backend import Template
from roost.supervision import BundleSlot
from roost.supervision.ports import TokenIssuer
from roost.supervision.prepare import Preparer

S = SlotState

SOON_S = 0.1
"""A start budget that a process exceeds which never answers."""

SLOW = "w/app was not ready after 0.1 s: it never answered the MCP handshake"

LOST = SnapshotNotLoaded("app", "it ended with exit 1")


@dataclass
class Restored:
    """A template that starts processes of a fake driver."""

    driver: FakeDriver
    is_required: bool = False
    error: RoostError | None = None
    mode: StartMode = StartMode.ZYGOTE

    async def spawn(self, spec: SpawnSpec) -> DriverProcess:
        if self.error is not None:
            raise self.error
        return self.driver.spawn(spec)

    async def restore(self, spec: SpawnSpec) -> DriverProcess:
        return self.driver.spawn(spec)


@dataclass
class Source:
    """Says what the test says, and remembers what it is told."""

    prepared: Restored | None = None
    error: RoostError | None = None
    suspicions: list[str] = field(default_factory=list)
    cold_failures: int = 0
    ready: list[StartMode] = field(default_factory=list)

    async def prepare(
        self, workspace: str, bundle: str, version: str, launch: Launch, secrets: tuple[str, ...]
    ) -> Restored | None:
        if self.error is not None:
            raise self.error
        return self.prepared

    def failed(self, workspace: str, bundle: str, sentence: str) -> None:
        self.suspicions.append(sentence)

    def cold_failed(self, workspace: str, bundle: str) -> None:
        self.cold_failures += 1

    async def started(self, workspace: str, bundle: str, mode: StartMode, ready_ms: int) -> None:
        self.ready.append(mode)


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def world(tmp_path: Path, source: Source) -> World:
    return World(tmp_path, snapshots=source)


def with_budget(slot: BundleSlot, seconds: float) -> None:
    settings = replace(slot.definition.settings, start_budget_s=seconds)
    slot.definition = replace(slot.definition, settings=settings)


def waits(world: World) -> list[int | None]:
    """Return the times of the next tries that were shown; the first may have passed already."""
    shown = [event.bundle for event in world.events if isinstance(event, BundleChanged)]
    return [bundle.retry_at for bundle in shown if bundle.state is S.BACKING_OFF]


async def back_up(world: World, slot: BundleSlot) -> None:
    """Let the clock run until the bundle runs, and nobody ask for it."""
    async with asyncio.timeout(30):
        while slot.state is not S.RUNNING:
            await world.tick(1.0)


@pytest.mark.parametrize("cause", ["operator", "credentials", "crash"])
@pytest.mark.parametrize("error", [LOST, SnapshotBusy("app")], ids=["lost", "busy"])
async def test_a_start_that_waits_for_its_template_is_tried_again_whoever_asked_for_it(
    world: World, source: Source, cause: str, error: RoostError
) -> None:
    slot = await world.slot()
    source.error = error
    for _ in range(2):
        asked = world.supervisor.respawn("w", "app", cause=cause, actor="ops")
        result = await world.until_done(asked)
        assert (result.ok, result.code) == (False, error.code)
        assert error.message in result.sentence
    assert waits(world) and S.DEAD not in world.moves()
    source.error = None
    await back_up(world, slot)
    assert source.ready == [StartMode.COLD]


async def test_a_template_that_is_lost_in_mid_start_is_waited_for_as_well(
    world: World, source: Source
) -> None:
    source.prepared = Restored(world.driver, is_required=True, error=LOST)
    slot = await world.slot()
    await world.until_done(world.supervisor.start("w", "app", actor="ops"))
    assert waits(world) and S.DEAD not in world.moves()
    source.prepared.error = None
    await back_up(world, slot)
    assert source.ready == [StartMode.ZYGOTE]


@pytest.mark.parametrize(
    "error",
    [SnapshotRefused("app", "so"), SnapshotStale("app", "so"), SnapshotMissing("app", "so")],
    ids=lambda error: error.code,
)
@pytest.mark.parametrize("cause", ["operator", "crash"])
async def test_what_only_a_person_can_mend_is_not_tried_again(
    world: World, source: Source, cause: str, error: RoostError
) -> None:
    slot = await world.slot()
    source.error = error
    await world.until_done(world.supervisor.respawn("w", "app", cause=cause, actor="ops"))
    assert (slot.state, slot.retry_at) == (S.DEAD, None)


async def test_a_restored_process_that_answers_too_slowly_is_ended_and_a_cold_one_follows(
    world: World, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.prepared = Restored(world.driver)
    slot = await world.slot(kind=BundleKind.MCP_STDIO, settings=BundleSettings())
    with_budget(slot, SOON_S)
    world.sessions.gate.clear()

    def failed(workspace: str, bundle: str, sentence: str) -> None:
        source.suspicions.append(sentence)
        with_budget(slot, 30)
        world.sessions.gate.set()

    monkeypatch.setattr(source, "failed", failed)
    await world.until_done(world.supervisor.start("w", "app", actor="ops"))
    assert slot.state is S.RUNNING
    assert source.ready == [StartMode.COLD]
    assert source.suspicions == [SLOW]
    slow, cold = world.driver.processes
    assert slow.exit is not None and cold.exit is None


async def test_a_slow_process_of_a_bundle_that_needs_its_snapshot_is_a_failed_start(
    world: World, source: Source
) -> None:
    source.prepared = Restored(world.driver, is_required=True)
    slot = await world.slot(kind=BundleKind.MCP_STDIO, settings=BundleSettings())
    with_budget(slot, SOON_S)
    world.sessions.gate.clear()
    await world.until_done(world.supervisor.start("w", "app", actor="ops"))
    assert slot.reason is not None and slot.reason.code == "start_timeout"
    assert (len(world.driver.processes), world.driver.alive) == (1, [])
    assert source.ready == [] and source.cold_failures == 0


async def test_a_verification_ends_what_answers_too_slowly_and_says_so(world: World) -> None:
    sessions = FakeSessions()
    sessions.gate.clear()
    shadows = ShadowStarts(
        driver=world.driver,
        data_id="data",
        recipes=FakeRecipes(),
        credentials=world.secrets,
        logs=world.logs,
        clock=world.clock,
        version="0",
        preparer=Preparer(world.driver),
        tokens=cast("TokenIssuer", NoTokens()),
    )
    shadows._starter._link_module = sessions  # type: ignore[assignment]
    slot = await world.slot(kind=BundleKind.MCP_STDIO, settings=BundleSettings())
    with_budget(slot, SOON_S)
    with pytest.raises(Unavailable, match=f"^started from the snapshot, {SLOW}$"):
        await shadows.restored(slot, cast("Template", Restored(world.driver)))
    assert (len(world.driver.processes), world.driver.alive) == (1, [])
    assert slot.state is S.STOPPED, "the bundle's own slot is as it was"
    sessions.gate.set()
    with_budget(slot, 30)
    answered = await shadows.restored(slot, cast("Template", Restored(world.driver)))
    assert dict(answered.answers).keys() == {"protocol", "initialize", "tools/list"}
    assert world.driver.alive == []


class NoTokens:
    """Hands out nothing that opens anything."""

    def hand_over(self, workspace: str, bundle: str, generation_id: str) -> bytes:
        return b""

    def revoke(self, generation_id: str) -> None:
        """There is nothing to revoke."""
