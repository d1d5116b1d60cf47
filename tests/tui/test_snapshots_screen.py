"""The snapshots screen by keys: what it reads, what it opens and what can be done there."""

from __future__ import annotations

import asyncio
import time

import pytest
from tests.support.fake_engine import FakeEngine, bundle_view, sample_engine
from tests.support.screen import NARROW, come_back, drawn, lose, open_screen, press, shown, until
from tests.support.snapshot_scenes import REFUSAL, make_ready, prepared_engine, snapshots_screen
from textual.pilot import Pilot

from roost.errors import SnapshotBusy, StoreUnavailable
from roost.models import (
    Reason,
    SnapshotDetail,
    SnapshotPhase,
    SnapshotPolicy,
    SnapshotState,
    SnapshotView,
)
from roost_tui.actions import Place
from roost_tui.app import RoostApp
from roost_tui.bundle_screen import BundleScreen
from roost_tui.modals import ActionMenu, PickerModal
from roost_tui.rereading import FRAME_S
from roost_tui.runs_screen import RunsScreen
from roost_tui.snapshots_screen import SnapshotsScreen


def _names(app: RoostApp) -> list[str]:
    return [view.name for view in snapshots_screen(app).table.rows]


def _drawn(app: RoostApp, selector: str) -> str:
    return drawn(app.screen.query_one(selector))


def _row(app: RoostApp, name: str) -> str:
    lines = _drawn(app, "#snapshot-list").splitlines()
    return next((line for line in lines if f" {name} " in line), "")


def _page(app: RoostApp) -> str:
    return snapshots_screen(app).page_view.text


async def _open(app: RoostApp, pilot: Pilot[None], name: str = "") -> None:
    app.dashboard.workspace = "acme"
    await press(pilot, "5")
    await until(pilot, lambda: isinstance(app.screen, SnapshotsScreen) and bool(_names(app)))
    if name:
        await until(pilot, lambda: snapshots_screen(app).table.select(("acme", name)))
        await until(pilot, lambda: f"  {name}  " in _page(app))


async def test_five_shows_every_bundle_with_how_its_snapshot_stands_and_esc_goes_back() -> None:
    async with open_screen(prepared_engine()) as (app, pilot):
        await _open(app, pilot)
        assert _names(app) == sorted(key[1] for key in app.state.bundles if key[0] == "acme")
        assert "ready  warm" in _row(app, "db-query")
        assert "21x" in _row(app, "db-query")
        assert "building  template 3/5" in _row(app, "fetch")
        assert "refused" in _row(app, "git")
        assert "failed  at verify" in _row(app, "weather")
        assert "not possible" in _row(app, "filesystem")
        await press(pilot, "escape")
        await until(pilot, lambda: app.screen is app.dashboard)


async def test_all_workspaces_have_a_column_of_their_own() -> None:
    async with open_screen(prepared_engine()) as (app, pilot):
        await press(pilot, "5")
        await until(pilot, lambda: isinstance(app.screen, SnapshotsScreen) and bool(_names(app)))
        assert "planner" in _names(app)
        assert "WORKSPACE" in _drawn(app, "#snapshot-list")


async def test_the_page_below_follows_the_cursor() -> None:
    async with open_screen(prepared_engine()) as (app, pilot):
        await _open(app, pilot, "git")
        assert REFUSAL.split(":")[0] in _page(app)
        await press(pilot, "k")
        await until(pilot, lambda: "  filesystem  " in _page(app))


async def test_enter_gives_the_page_the_whole_screen_and_esc_comes_back_to_the_table() -> None:
    async with open_screen(prepared_engine(), NARROW) as (app, pilot):
        await _open(app, pilot)
        assert snapshots_screen(app).table.select(("acme", "db-query"))
        assert not snapshots_screen(app).page_view.display
        await press(pilot, "enter")
        assert not snapshots_screen(app).table.display
        await until(pilot, lambda: "MADE FROM" in _page(app))
        await press(pilot, "escape")
        assert snapshots_screen(app).table.display
        assert snapshots_screen(app).table.has_focus


async def test_b_shows_pending_at_once_then_each_phase_and_the_outcome() -> None:
    fake = prepared_engine()
    fake.hold_builds()
    async with open_screen(fake) as (app, pilot):
        await _open(app, pilot, "mailer")
        await press(pilot, "b")
        key = snapshots_screen(app).table.cursor_key
        assert key is not None
        await until(pilot, lambda: key in app.notes)
        assert app.notes[key].is_pending
        await until(pilot, lambda: "building  trace 1/5" in _row(app, key[1]))
        assert "BUILD UNDER WAY" in _page(app)
        assert "b build snapshot" not in _drawn(app, "#footer")
        fake.release_builds()
        await until(pilot, lambda: "built 09:00" in _row(app, key[1]))
        assert "ready" in _row(app, key[1])
        assert app.messages[-1].text.endswith("26ms to ready instead of 555ms")


async def test_a_guard_that_refuses_a_build_is_told_with_the_way_out() -> None:
    fake = prepared_engine()
    async with open_screen(fake) as (app, pilot):
        await _open(app, pilot, "db-query")
        fake.release_builds(
            state=SnapshotState.REFUSED,
            phase=SnapshotPhase.VERDICTS,
            reason=Reason("environ_copy", REFUSAL),
        )
        await press(pilot, "b")
        await until(pilot, lambda: "refused  09:00" in _row(app, "db-query"))
        assert app.messages[-1].text == f"the snapshot of db-query is refused: {REFUSAL}"
        await until(pilot, lambda: "way" in _page(app) or "leave the bundle to cold" in _page(app))


async def test_what_cannot_be_built_is_refused_with_the_engines_sentence() -> None:
    fake = prepared_engine()
    async with open_screen(fake) as (app, pilot):
        await _open(app, pilot, "filesystem")
        assert "b build" not in _drawn(app, "#footer")
        await press(pilot, "b")
        await until(pilot, lambda: bool(app.messages))
        assert app.messages[-1].text.startswith("no snapshot can be made of 'filesystem'")
        assert "refused" in _row(app, "filesystem")


async def test_a_build_that_another_operator_began_is_refused_not_failed() -> None:
    fake = prepared_engine()
    async with open_screen(fake) as (app, pilot):
        await _open(app, pilot, "db-query")

        async def busy(workspace: str, name: str) -> SnapshotView:
            raise SnapshotBusy(name)

        fake.build_snapshot = busy  # type: ignore[method-assign]
        await press(pilot, "b")
        await until(pilot, lambda: "refused 09:00" in _row(app, "db-query"))


async def test_the_row_menu_verifies_removes_and_chooses_the_policy() -> None:
    fake = prepared_engine()
    async with open_screen(fake) as (app, pilot):
        await _open(app, pilot, "db-query")
        await press(pilot, "x")
        await until(pilot, lambda: isinstance(app.screen, ActionMenu) and app.screen.is_mounted)
        await press(pilot, "escape")
        await until(pilot, lambda: isinstance(app.screen, SnapshotsScreen))
        screen = snapshots_screen(app)
        screen.action_perform("snapshot.verify")
        await until(pilot, lambda: "verified 09:00" in _row(app, "db-query"))
        screen.action_perform("snapshot.policy")
        await until(pilot, lambda: isinstance(app.screen, PickerModal) and app.screen.is_mounted)
        await pilot.pause()
        await press(pilot, *"require", "enter")
        await until(pilot, lambda: bool(fake.called("set_snapshot_policy")))
        assert fake.called("set_snapshot_policy")[0]["policy"] is SnapshotPolicy.REQUIRE
        await until(pilot, lambda: "policy require" in _row(app, "db-query"))
        screen.action_perform("snapshot.remove")
        await until(pilot, lambda: "none  removed 09:00" in _row(app, "db-query"))


async def test_the_policy_that_is_set_already_is_not_set_again() -> None:
    fake = prepared_engine()
    async with open_screen(fake) as (app, pilot):
        await _open(app, pilot, "db-query")
        snapshots_screen(app).action_perform("snapshot.policy")
        await until(pilot, lambda: isinstance(app.screen, PickerModal) and app.screen.is_mounted)
        await pilot.pause()
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(app.screen, SnapshotsScreen))
        assert not fake.called("set_snapshot_policy")


async def test_changes_of_others_are_read_and_many_at_once_cost_few_readings() -> None:
    fake = prepared_engine()
    async with open_screen(fake) as (app, pilot):
        await _open(app, pilot, "db-query")
        asked, began = len(fake.called("snapshots")), time.monotonic()
        for number in range(200):
            fake.put_snapshot("acme", "db-query", modules=number)
        fake.put_snapshot("acme", "db-query", state=SnapshotState.STALE, modules=1234)
        await until(pilot, lambda: "stale" in _row(app, "db-query"))
        await until(pilot, lambda: "1 234 loaded" in _page(app))
        readings = len(fake.called("snapshots")) - asked
        frames = (time.monotonic() - began) / FRAME_S
        assert readings <= frames + 2, "one for what changed in each frame"


async def test_a_change_during_a_reading_is_read_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake = prepared_engine()
    answering, gate = asyncio.Event(), asyncio.Event()
    gate.set()
    ask = fake.snapshots

    async def slow(workspace: str | None = None) -> tuple[SnapshotView, ...]:
        answer = await ask(workspace)
        answering.set()
        await gate.wait()
        return answer

    monkeypatch.setattr(fake, "snapshots", slow)
    async with open_screen(fake) as (app, pilot):
        await _open(app, pilot)
        gate.clear()
        answering.clear()
        fake.put_snapshot("acme", "db-query", state=SnapshotState.STALE)
        await asyncio.wait_for(answering.wait(), 30)
        before = app.state.snapshot_mark(("acme", "db-query"))
        fake.put_snapshot("acme", "db-query", state=SnapshotState.REFUSED)
        await until(pilot, lambda: app.state.snapshot_mark(("acme", "db-query")) > before)
        gate.set()
        await until(pilot, lambda: "refused" in _row(app, "db-query"))


async def test_a_bundle_that_comes_is_shown_and_one_that_goes_is_not() -> None:
    fake = prepared_engine()
    async with open_screen(fake) as (app, pilot):
        await _open(app, pilot)
        fake.add_bundle(bundle_view("newcomer", workspace="acme"))
        await until(pilot, lambda: "newcomer" in _names(app))
        never = asyncio.Event()

        async def unanswered(workspace: str | None = None) -> tuple[SnapshotView, ...]:
            await never.wait()
            return ()

        fake.snapshots = unanswered  # type: ignore[method-assign]
        await fake.remove("acme", "newcomer")
        await until(pilot, lambda: "newcomer" not in _names(app))
        assert "db-query" in _names(app)


async def test_a_filter_and_the_order_narrow_and_turn_the_table() -> None:
    async with open_screen(prepared_engine()) as (app, pilot):
        await _open(app, pilot)
        await press(pilot, "slash", *"state:ready,stale", "enter")
        await until(pilot, lambda: _names(app) == ["db-query", "indexer"])
        await press(pilot, "o")
        assert _names(app) == ["indexer", "db-query"]
        await press(pilot, "escape")
        assert len(_names(app)) > 2
        await press(pilot, "exclamation_mark")
        await until(pilot, lambda: set(_names(app)) == {"indexer", "git", "weather"})


async def test_a_lost_daemon_leaves_the_rows_greyed_and_is_read_anew_after() -> None:
    fake = prepared_engine()
    async with open_screen(fake, NARROW) as (app, pilot):
        await _open(app, pilot)
        rows = _names(app)
        await lose(app, pilot, fake)
        assert app.screen.has_class("-greyed")
        assert _names(app) == rows
        fake.world.snapshots["acme", "db-query"] = SnapshotView(
            "acme", "db-query", SnapshotPolicy.AUTO, is_eligible=True
        )
        await come_back(app, pilot, fake)
        await until(pilot, lambda: "none" in _row(app, "db-query"))


async def test_rows_that_cannot_be_read_say_why() -> None:
    fake = prepared_engine()

    async def locked(workspace: str | None = None) -> tuple[SnapshotView, ...]:
        raise StoreUnavailable("the store is locked; try again")

    fake.snapshots = locked  # type: ignore[method-assign]
    async with open_screen(fake) as (app, pilot):
        await press(pilot, "5")
        await until(pilot, lambda: isinstance(app.screen, SnapshotsScreen))
        await until(pilot, lambda: "the store is locked" in _drawn(app, "#snapshot-list"))


async def test_a_read_only_screen_builds_verifies_and_removes_nothing() -> None:
    fake = prepared_engine()
    async with open_screen(fake, read_only=True) as (app, pilot):
        await _open(app, pilot, "db-query")
        await press(pilot, "b")
        names = {entry.id for entry in app.screen.performable()}  # type: ignore[attr-defined]
        assert not any(name.startswith("snapshot.") for name in names)
        assert "b build" not in _drawn(app, "#footer")
        asked = {call.method for call in fake.calls}
        assert asked <= {"events", "follow_log", "snapshots", "snapshot"}


async def test_the_tab_of_the_dashboard_shows_the_short_form_and_b_builds_from_there() -> None:
    fake = prepared_engine()
    fake.hold_builds()
    async with open_screen(fake) as (app, pilot):
        await until(pilot, lambda: app.dashboard.bundle_table.select(("acme", "db-query")))
        app.dashboard.go_to(Place.SNAPSHOT)
        await until(pilot, lambda: "21x as fast" in shown(app, "#snapshot"))
        assert "b build snapshot" in shown(app, "#footer")
        await press(pilot, "b")
        await until(pilot, lambda: "trace" in shown(app, "#snapshot"))
        fake.release_builds()
        await until(pilot, lambda: "ready" in shown(app, "#snapshot"))
        await until(pilot, lambda: "snapshot built" in shown(app, "#bundles"))


async def test_the_tab_of_a_run_is_that_of_the_bundle_that_does_its_work() -> None:
    async with open_screen(prepared_engine()) as (app, pilot):
        await press(pilot, "tab")
        await until(pilot, lambda: app.dashboard.run_table.select(("acme", "r-8f2")))
        app.dashboard.show_tab(Place.SNAPSHOT)
        await until(pilot, lambda: "fetch  " in app.dashboard.snapshot_view.text)


async def test_the_screen_of_a_bundle_tells_how_its_snapshot_stands() -> None:
    fake = prepared_engine()
    async with open_screen(fake) as (app, pilot):
        await until(pilot, lambda: app.dashboard.bundle_table.select(("acme", "db-query")))
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(app.screen, BundleScreen))
        bundle = app.screen
        assert isinstance(bundle, BundleScreen)
        await until(pilot, lambda: "26ms to ready instead of 555ms" in bundle.page_view.text)
        fake.put_snapshot("acme", "db-query", state=SnapshotState.STALE)
        await until(pilot, lambda: "snapshot     ↻ stale" in bundle.page_view.text)


async def test_the_snapshot_of_a_bundle_is_opened_from_its_screen_and_esc_leaves_it() -> None:
    async with open_screen(prepared_engine()) as (app, pilot):
        await until(pilot, lambda: app.dashboard.bundle_table.select(("acme", "git")))
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(app.screen, BundleScreen) and app.screen.is_mounted)
        await pilot.pause()
        assert isinstance(app.screen, BundleScreen)
        app.screen.action_perform("snapshot.show")
        await until(pilot, lambda: isinstance(app.screen, SnapshotsScreen))
        await until(pilot, lambda: "environ copy  settings" in _page(app))
        assert not snapshots_screen(app).table.display
        await press(pilot, "escape")
        await until(pilot, lambda: app.screen is app.dashboard)


async def test_runs_and_snapshots_lead_to_each_other() -> None:
    async with open_screen(prepared_engine()) as (app, pilot):
        await _open(app, pilot)
        await press(pilot, "3")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen) and app.screen.is_mounted)
        await pilot.pause()
        await press(pilot, "5")
        await until(pilot, lambda: isinstance(app.screen, SnapshotsScreen))
        assert len(app.screen_stack) == 2


async def test_a_paused_picture_reads_nothing_new() -> None:
    fake = prepared_engine()
    async with open_screen(fake) as (app, pilot):
        await _open(app, pilot, "db-query")
        await press(pilot, "P")
        fake.put_snapshot("acme", "db-query", state=SnapshotState.STALE)
        mark = app.dashboard.shown.snapshot_mark(("acme", "db-query"))
        await until(pilot, lambda: app.state.snapshot_mark(("acme", "db-query")) > mark)
        assert "ready" in _row(app, "db-query")
        await press(pilot, "P")
        await until(pilot, lambda: "stale" in _row(app, "db-query"))


async def test_no_bundle_says_so() -> None:
    fake = FakeEngine()
    fake.add_bundle(bundle_view("only"))
    async with open_screen(fake) as (app, pilot):
        await press(pilot, "5")
        await until(pilot, lambda: isinstance(app.screen, SnapshotsScreen) and bool(_names(app)))
        await fake.remove("default", "only")
        await until(pilot, lambda: "No bundle is installed" in _drawn(app, "#snapshot-list"))


async def test_a_snapshot_that_is_not_known_any_more_says_why() -> None:
    fake = sample_engine()
    make_ready(fake, "db-query")
    async with open_screen(fake) as (app, pilot):
        await _open(app, pilot, "db-query")

        async def gone(workspace: str, name: str) -> SnapshotDetail:
            raise StoreUnavailable("its record cannot be read")

        fake.snapshot = gone  # type: ignore[method-assign]
        fake.put_snapshot("acme", "db-query", modules=1)
        await until(pilot, lambda: "its record cannot be read" in _page(app))
