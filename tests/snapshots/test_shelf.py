from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from tests.support.fake.clock import FakeClock
from tests.support.snapshot_fakes import FakeBackend, FakeBundles, FakeStarts, FakeTemplate
from tests.support.snapshot_keys import BundleOnDisk

from roost.errors import (
    SnapshotBusy,
    SnapshotFailed,
    SnapshotMissing,
    SnapshotNotLoaded,
    SnapshotRefused,
    SnapshotStale,
    TemplateFailed,
    Unavailable,
)
from roost.models import Reason, StartMode
from roost.models.snapshot import (
    SnapshotPhase,
    SnapshotPolicy,
    SnapshotState,
    SnapshotView,
)
from roost.snapshots.record import Attempt, Kept, RecordStore
from roost.snapshots.shelf import IDLE_S, Prepared, Shelf
from roost.snapshots.warmth import LOSS_WINDOW_S, LOSSES, Warmth

AT = ("default", "time")

STALE = Reason("sources", "sources: /x/app.py was changed at 2026-01-01 00:00:00 UTC")

BROKEN = Attempt(
    SnapshotState.FAILED, Reason("template_failed", "it ended"), 1, SnapshotPhase.TEMPLATE
)


@dataclass
class Room:
    """A shelf with everything around it."""

    root: Path
    clock: FakeClock = field(default_factory=FakeClock)
    changes: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.bundle = BundleOnDisk(self.root / "bundle").make()
        self.starts = FakeStarts()
        self.bundles = FakeBundles(self.bundle, self.starts)
        self.backend = FakeBackend(self.bundle)
        self.records = RecordStore(str(self.root / "snapshots"))
        self.shelf = self.new_shelf()

    def new_shelf(self) -> Shelf:
        """Return a shelf as after a start of the daemon."""
        return Shelf(
            bundles=self.bundles,
            backend=self.backend,
            records=self.records,
            clock=self.clock,
            on_change=lambda workspace, name: self.changes.append((workspace, name)),
        )

    async def reopen(self) -> None:
        await self.shelf.close()
        self.backend.opened.clear()
        self.shelf = self.new_shelf()
        await self.shelf.open()

    async def prepare(self) -> Prepared:
        return await self.shelf.prepare(self.bundles.start())

    async def cold_reason(self) -> str:
        prepared = await self.prepare()
        assert prepared.template is None and prepared.reason is not None
        return prepared.reason.code

    @property
    def view(self) -> SnapshotView:
        return self.shelf.view(*AT)

    @property
    def template(self) -> FakeTemplate:
        (alive,) = self.backend.alive
        return alive


@pytest.fixture
async def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


async def settle(is_true: Callable[[], object]) -> None:
    """Let background work go on until something is so; file work runs in threads."""
    async with asyncio.timeout(30):
        while not is_true():  # noqa: ASYNC110 - threads have no event
            await asyncio.sleep(0.001)


async def lose_template(room: Room) -> None:
    """Kill the living template, and wait until the shelf has seen it."""
    lost = room.template
    lost.kill("SIGKILL")
    await settle(lambda: lost.is_closed)


# Starts


async def test_without_a_snapshot_a_start_is_cold_and_says_how_to_make_one(room: Room) -> None:
    prepared = await room.prepare()
    assert prepared.template is None and prepared.reason is not None
    assert "`roost snapshot build time`" in prepared.reason.sentence
    room.bundles.policies["time"] = SnapshotPolicy.REQUIRE
    with pytest.raises(SnapshotMissing, match="roost snapshot build time"):
        await room.prepare()


async def test_a_built_snapshot_is_used_at_the_next_start(room: Room) -> None:
    view = await room.shelf.build(*AT)
    assert (view.state, view.is_warm, view.modules, view.excluded) == (
        SnapshotState.READY,
        True,
        2,
        1,
    )
    assert (await room.prepare()) == Prepared(room.template)
    assert room.backend.looked_quickly


async def test_nothing_is_looked_at_where_the_policy_is_off(room: Room) -> None:
    room.bundles.policies["time"] = SnapshotPolicy.OFF
    await room.shelf.build(*AT)
    assert not room.backend.alive
    assert await room.prepare() == Prepared(None)


async def test_a_change_makes_it_stale_until_it_is_undone(room: Room) -> None:
    await room.shelf.build(*AT)
    room.backend.changed = STALE
    assert await room.cold_reason() == "sources"
    assert (room.view.state, room.view.reason) == (SnapshotState.STALE, STALE)
    room.bundles.policies["time"] = SnapshotPolicy.REQUIRE
    with pytest.raises(SnapshotStale, match=r"/x/app\.py was changed"):
        await room.prepare()
    room.backend.changed = None
    assert (await room.prepare()).template is room.template
    assert room.view.state is SnapshotState.READY


async def test_another_version_of_the_bundle_makes_it_stale(room: Room) -> None:
    await room.shelf.build(*AT)
    room.bundles.version = "2.0"
    assert await room.cold_reason() == "version"
    assert room.view.state is SnapshotState.STALE


async def test_a_bundle_that_cannot_have_one_says_why(room: Room) -> None:
    room.backend.ineligible = Reason("wrapped", "it is started through uv")
    assert await room.cold_reason() == "wrapped"
    assert not room.view.is_eligible
    with pytest.raises(SnapshotRefused, match="through uv"):
        await room.shelf.build(*AT)
    room.bundles.policies["time"] = SnapshotPolicy.REQUIRE
    with pytest.raises(SnapshotRefused, match="through uv"):
        await room.prepare()


async def test_a_cold_start_after_a_failed_restored_one_convicts_the_snapshot(room: Room) -> None:
    await room.shelf.build(*AT)
    room.shelf.restored_start_failed(*AT, "it ended with exit 3")
    assert room.view.reason is not None and room.view.reason.code == "suspect"
    await room.shelf.started(*AT, StartMode.COLD, 600)
    assert room.view.state is SnapshotState.FAILED
    assert room.view.reason is not None
    assert "exit 3" in room.view.reason.sentence
    assert not room.backend.alive
    assert await room.cold_reason() == "restored_start_failed"
    await room.reopen()
    assert room.view.state is SnapshotState.FAILED


async def test_a_cold_start_that_fails_too_clears_the_snapshot(room: Room) -> None:
    await room.shelf.build(*AT)
    room.shelf.restored_start_failed(*AT, "it ended with exit 3")
    room.shelf.cold_start_failed(*AT)
    await room.shelf.started(*AT, StartMode.COLD, 600)
    assert (room.view.state, room.view.reason) == (SnapshotState.READY, None)


async def test_a_restored_start_that_works_clears_the_suspicion(room: Room) -> None:
    await room.shelf.build(*AT)
    room.shelf.restored_start_failed(*AT, "it ended with exit 3")
    await room.shelf.started(*AT, StartMode.ZYGOTE, 25)
    await room.shelf.started(*AT, StartMode.COLD, 600)
    assert room.view.state is SnapshotState.READY
    assert (room.view.cold.p50_ms, room.view.restored.p50_ms) == (600, 25)


# Templates


async def test_a_lost_template_makes_one_start_cold_and_is_made_again(room: Room) -> None:
    await room.shelf.build(*AT)
    room.backend.hold_open = asyncio.Event()
    room.template.kill("SIGKILL")
    await settle(lambda: not room.view.is_warm)
    assert await room.cold_reason() == "not_loaded"
    room.backend.hold_open.set()
    await settle(lambda: room.view.is_warm)
    assert (await room.prepare()).template is room.template


async def test_a_template_that_started_nothing_is_replaced(room: Room) -> None:
    await room.shelf.build(*AT)
    first = room.template
    room.shelf.restore_refused(*AT, first, "it did not answer")
    await settle(lambda: room.view.is_warm)
    assert first.is_closed
    assert room.template is not first
    room.shelf.restore_refused(*AT, first, "told twice")
    assert room.view.is_warm


async def test_after_three_losses_it_is_left_for_a_while(room: Room) -> None:
    await room.shelf.build(*AT)
    for _ in range(LOSSES - 1):
        await lose_template(room)
        await settle(lambda: room.view.is_warm)
    await lose_template(room)
    assert await room.cold_reason() == "given_up"
    room.clock.advance(LOSS_WINDOW_S + 1)
    assert await room.cold_reason() == "not_loaded"


async def test_a_start_that_needs_it_has_a_template_made_however_often_it_was_lost(
    room: Room,
) -> None:
    await room.shelf.build(*AT)
    room.bundles.policies["time"] = SnapshotPolicy.REQUIRE
    for _ in range(LOSSES - 1):
        await lose_template(room)
        await settle(lambda: room.view.is_warm)
    await lose_template(room)
    room.backend.open_error = TemplateFailed("it ended with exit 1")
    for _ in range(2):
        opened = len(room.backend.opened)
        with pytest.raises(SnapshotNotLoaded, match="exit 1; each try loads it again") as error:
            await room.prepare()
        assert "`roost snapshot policy time auto`" in error.value.message
        assert len(room.backend.opened) == opened
    room.backend.open_error = None
    assert (await room.prepare()).template is room.template


async def test_a_template_that_does_not_come_up_is_tried_three_times(room: Room) -> None:
    await room.shelf.build(*AT)
    room.backend.open_error = TemplateFailed("it ended with exit 1")
    await lose_template(room)
    async with asyncio.timeout(30):
        while await room.cold_reason() != "given_up":  # noqa: ASYNC110 - threads have no event
            await asyncio.sleep(0)
    assert len(room.backend.opened) == 1
    assert room.view.reason is not None and "exit 1" in room.view.reason.sentence


async def test_a_required_start_waits_for_the_template(room: Room) -> None:
    await room.shelf.build(*AT)
    room.backend.hold_open = asyncio.Event()
    room.template.kill("SIGKILL")
    await settle(lambda: not room.view.is_warm)
    room.bundles.policies["time"] = SnapshotPolicy.REQUIRE
    start = asyncio.create_task(room.prepare())
    room.backend.hold_open.set()
    assert (await start).template is room.template


async def test_a_fault_of_the_backend_is_a_loss_too(room: Room) -> None:
    await room.shelf.build(*AT)
    room.backend.open_error = ZeroDivisionError("of the backend")
    await lose_template(room)
    async with asyncio.timeout(30):
        while await room.cold_reason() != "given_up":  # noqa: ASYNC110 - threads have no event
            await asyncio.sleep(0)


async def test_who_waits_for_a_template_is_told_when_it_is_dropped(room: Room) -> None:
    opening = asyncio.Event()

    async def open_forever() -> FakeTemplate:
        opening.set()
        await asyncio.Event().wait()
        raise AssertionError

    warmth = Warmth(
        "default/time",
        open_forever,
        clock=room.clock,
        gate=asyncio.Semaphore(1),
        idle_s=IDLE_S,
        on_change=lambda: None,
    )
    waiting = asyncio.create_task(warmth.wait())
    async with asyncio.timeout(30):
        await opening.wait()
        await warmth.drop()
        with pytest.raises(TemplateFailed, match="was ended while it was loaded"):
            await waiting


async def test_an_unused_template_is_ended_and_the_next_start_brings_it_back(room: Room) -> None:
    await room.shelf.build(*AT)
    await lose_template(room)
    await settle(lambda: room.view.is_warm and room.clock.sleepers)
    room.clock.advance(IDLE_S - 1)
    assert (await room.prepare()).template is room.template
    await settle(lambda: room.clock.sleepers)
    room.clock.advance(2)
    await settle(lambda: room.clock.sleepers)
    assert room.view.is_warm
    room.clock.advance(IDLE_S)
    await settle(lambda: not room.backend.alive)
    assert (room.view.state, room.view.reason) == (SnapshotState.READY, None)
    assert await room.cold_reason() == "not_loaded"
    await settle(lambda: room.view.is_warm)


async def test_a_template_that_has_grown_is_replaced(room: Room) -> None:
    await room.shelf.build(*AT)
    first = room.template
    await room.shelf.measure()
    assert room.view.template_bytes == 50_000_000
    first.size = 80_000_000
    await room.shelf.measure()
    await settle(lambda: room.view.is_warm and first not in room.backend.alive)


# Daemon starts


async def test_templates_come_back_after_a_daemon_start_without_delaying_it(room: Room) -> None:
    for name in ("time", "fetch", "git"):
        await room.shelf.build("default", name)
    room.backend.hold_open = asyncio.Event()
    room.bundles.resolved.clear()
    await room.reopen()
    assert not room.view.is_warm
    await settle(lambda: room.backend.opening)
    assert room.bundles.resolved == ["fetch"]  # one at a time
    room.backend.hold_open.set()
    await settle(lambda: len(room.backend.alive) == 3)
    assert room.backend.looked_inside


async def test_a_template_of_something_else_never_comes_back(room: Room) -> None:
    await room.shelf.build(*AT)
    room.backend.changed = STALE
    await room.reopen()
    await settle(lambda: room.view.state is SnapshotState.STALE)
    assert not room.backend.opened


async def test_a_bundle_that_cannot_be_resolved_stays_cold(room: Room) -> None:
    await room.shelf.build(*AT)
    room.bundles.error = Unavailable("the vault is locked")
    await room.reopen()
    await settle(lambda: room.view.reason is not None)
    assert not room.backend.opened
    room.bundles.error = None
    assert await room.cold_reason() == "not_loaded"
    await settle(lambda: room.view.is_warm)


async def test_a_damaged_record_is_told_and_starts_are_cold(room: Room) -> None:
    await room.shelf.build(*AT)
    (room.root / "snapshots" / "default" / "time" / "record.json").write_text("{")
    await room.reopen()
    assert await room.cold_reason() == "no_record"
    assert room.view.state is None


async def test_closing_ends_templates_and_builds(room: Room) -> None:
    await room.shelf.build(*AT)
    room.backend.hold = asyncio.Event()
    room.backend.building.clear()
    building = asyncio.create_task(room.shelf.build("default", "fetch"))
    await settle(room.backend.building.is_set)
    await room.shelf.close()
    assert not room.backend.alive
    with pytest.raises(SnapshotFailed, match="broke off at trace: it was ended"):
        await building


# Builds


async def test_one_build_at_a_time_for_each_bundle(room: Room) -> None:
    room.backend.hold = asyncio.Event()
    first = asyncio.create_task(room.shelf.build(*AT))
    await settle(room.backend.building.is_set)
    assert (room.view.state, room.view.phase) == (SnapshotState.BUILDING, SnapshotPhase.TRACE)
    with pytest.raises(SnapshotBusy, match="roost snapshot show time"):
        await room.shelf.build(*AT)
    with pytest.raises(SnapshotBusy):
        await room.shelf.verify(*AT)
    other = asyncio.create_task(room.shelf.build("default", "fetch"))
    room.backend.hold.set()
    assert (await first).state is SnapshotState.READY
    assert (await other).state is SnapshotState.READY


async def test_a_build_goes_on_when_its_caller_goes_away(room: Room) -> None:
    room.backend.hold = asyncio.Event()
    caller = asyncio.create_task(room.shelf.build(*AT))
    await settle(room.backend.building.is_set)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    room.backend.hold.set()
    await settle(lambda: room.view.state is SnapshotState.READY)


async def test_a_build_can_be_ended(room: Room) -> None:
    room.backend.hold = asyncio.Event()
    caller = asyncio.create_task(room.shelf.build(*AT))
    await settle(room.backend.building.is_set)
    assert await room.shelf.cancel_build(*AT)
    with pytest.raises(SnapshotFailed, match="it was ended"):
        await caller
    assert room.view.state is None
    assert not await room.shelf.cancel_build(*AT)


async def test_a_build_that_fails_leaves_the_earlier_snapshot_in_use(room: Room) -> None:
    await room.shelf.build(*AT)
    before = room.template
    room.backend.attempt = BROKEN
    with pytest.raises(SnapshotFailed, match="broke off at template: it ended"):
        await room.shelf.build(*AT)
    assert room.view.state is SnapshotState.READY
    assert room.view.reason == BROKEN.reason
    assert (await room.prepare()).template is before
    await room.reopen()
    await settle(lambda: room.view.is_warm)


async def test_a_start_during_a_build_uses_what_is_there(room: Room) -> None:
    await room.shelf.build(*AT)
    before = room.template
    room.backend.hold = asyncio.Event()
    room.backend.building.clear()
    build = asyncio.create_task(room.shelf.build(*AT))
    await settle(room.backend.building.is_set)
    assert (await room.prepare()).template is before
    room.backend.hold.set()
    await build
    assert (await room.prepare()).template is room.template
    assert before.is_closed


async def test_a_refused_build_is_kept_with_its_reason(room: Room) -> None:
    room.backend.attempt = replace(BROKEN, state=SnapshotState.REFUSED)
    with pytest.raises(SnapshotRefused, match="it ended"):
        await room.shelf.build(*AT)
    await room.reopen()
    assert (room.view.state, room.view.phase) == (SnapshotState.REFUSED, SnapshotPhase.TEMPLATE)
    assert room.shelf.detail(*AT).findings == BROKEN.findings


# What operators ask for


async def test_a_verification_compares_answers_and_looks_inside_the_files(room: Room) -> None:
    await room.shelf.build(*AT)
    assert (await room.shelf.verify(*AT)).state is SnapshotState.READY
    assert room.backend.looked_inside
    room.starts.restored = (("tools", "[]"),)
    with pytest.raises(SnapshotFailed, match="tools"):
        await room.shelf.verify(*AT)
    assert room.view.state is SnapshotState.FAILED
    assert not room.backend.alive
    with pytest.raises(SnapshotMissing):
        await room.shelf.verify(*AT)


async def test_a_verification_refuses_what_is_stale(room: Room) -> None:
    await room.shelf.build(*AT)
    room.backend.changed = STALE
    with pytest.raises(SnapshotStale):
        await room.shelf.verify(*AT)
    assert not room.starts.verified


async def test_a_removed_snapshot_is_gone_with_its_template_and_record(room: Room) -> None:
    await room.shelf.build(*AT)
    assert await room.shelf.remove(*AT)
    assert not room.backend.alive
    assert room.view.state is None
    assert room.records.load(*AT) is None
    assert not await room.shelf.remove(*AT)


async def test_a_record_that_is_being_written_does_not_outlive_the_removal(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, is_writing, may_write = room.records.save, threading.Event(), threading.Event()

    def slow(kept: Kept) -> None:
        is_writing.set()
        assert may_write.wait(30)
        save(kept)

    monkeypatch.setattr(room.records, "save", slow)
    building = asyncio.create_task(room.shelf.build(*AT))
    await settle(is_writing.is_set)
    removing = asyncio.create_task(room.shelf.remove(*AT))
    await asyncio.wait({removing}, timeout=0.2)  # it may not get ahead of what is written
    may_write.set()
    await removing
    await asyncio.wait({building})
    assert building.exception() is None or isinstance(building.exception(), SnapshotFailed)
    assert room.records.all() == ()


async def test_what_a_killed_daemon_was_writing_is_tidied_up_by_the_next(room: Room) -> None:
    await room.shelf.build(*AT)
    root = room.root / "snapshots"
    whole = set(root.rglob("*"))
    for draft in (root / "default" / "time" / "record.json.0a1b2c3d", root / "digest-key.0a1b2c3d"):
        draft.write_text("half of")
    await room.reopen()
    assert set(root.rglob("*")) == whole
    assert room.view.state is SnapshotState.READY


async def test_what_is_gone_is_pruned(room: Room) -> None:
    await room.shelf.build(*AT)
    await room.shelf.build("default", "fetch")
    room.records.save(Kept("lab", "old"))
    assert await room.shelf.prune({AT: ["1.0", "2.0"]}) == 2
    assert room.records.all() == (AT,)
    assert len(room.backend.alive) == 1
    assert await room.shelf.prune({AT: ["2.0"]}) == 1
    assert room.view.state is None


async def test_another_policy_ends_or_brings_the_template(room: Room) -> None:
    await room.shelf.build(*AT)
    room.bundles.policies["time"] = SnapshotPolicy.OFF
    await room.shelf.follow_policy(*AT)
    assert not room.backend.alive
    room.bundles.policies["time"] = SnapshotPolicy.AUTO
    await room.shelf.follow_policy(*AT)
    await settle(lambda: room.view.is_warm)


async def test_a_look_tells_what_a_bundle_starts_before_it_ever_did(room: Room) -> None:
    assert room.view.reason is not None and room.view.reason.code == "not_looked_at"
    view = await room.shelf.examine(*AT)
    assert view.is_eligible
    assert not room.backend.looked_quickly
    assert room.shelf.detail(*AT).entry == f"script {room.bundle.script}"


async def test_the_page_of_a_snapshot_tells_everything(room: Room) -> None:
    await room.shelf.build(*AT)
    detail = room.shelf.detail(*AT)
    assert detail.excluded == ("git",)
    assert detail.environment == ("LOG_LEVEL", "UNSET")
    assert {part.what for part in detail.parts} >= {"interpreter", "sources", "environment"}
    assert detail.interpreter == str(room.bundle.python)
    assert len(detail.key) == 64
    assert [phase for phase, _ in detail.phases_ms] == [SnapshotPhase.TRACE, SnapshotPhase.TEMPLATE]


async def test_every_change_of_a_view_is_told(room: Room) -> None:
    await room.shelf.build(*AT)
    room.changes.clear()
    room.backend.changed = STALE
    await room.prepare()
    assert room.changes == [AT]
    await room.prepare()
    assert room.changes == [AT]
