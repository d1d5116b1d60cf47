"""How the snapshots screen looks in every state of a snapshot, at the two main sizes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.support.fake_engine import FakeEngine, bundle_view, sample_engine
from tests.support.screen import NARROW, WIDE, lose, until
from tests.support.snapshot_scenes import prepared_engine, snapshots_screen
from textual.pilot import Pilot

from roost_tui.actions import Place
from roost_tui.app import RoostApp
from roost_tui.bundle_screen import BundleScreen
from roost_tui.modals import ActionMenu, PickerModal
from roost_tui.snapshots_screen import SnapshotsScreen

Compare = Callable[..., bool]
Before = Callable[[Pilot[None]], Awaitable[None]]

SIZES = pytest.mark.parametrize("size", [NARROW, WIDE], ids=["80x24", "120x40"])

STATES = {
    "ready": "db-query",
    "stale": "indexer",
    "building": "fetch",
    "refused": "git",
    "failed": "weather",
    "none": "mailer",
    "not-possible": "filesystem",
}
"""Names of bundles by the state of their snapshots."""


def _app_of(pilot: Pilot[None]) -> RoostApp:
    assert isinstance(pilot.app, RoostApp)
    return pilot.app


def _app(fake: FakeEngine, **options: Any) -> RoostApp:
    return RoostApp(fake, clock=fake.clock, **options)


def _without_bundles() -> FakeEngine:
    fake = FakeEngine()
    fake.add_bundle(bundle_view("only"))
    return fake


async def _settle(pilot: Pilot[None]) -> None:
    for _ in range(3):
        await pilot.pause()


async def _open(pilot: Pilot[None], name: str, workspace: str | None = "acme") -> RoostApp:
    app = _app_of(pilot)
    await until(pilot, lambda: app.state.has_seen_engine)
    app.dashboard.workspace = workspace
    await pilot.press("5")
    await until(pilot, lambda: isinstance(app.screen, SnapshotsScreen) and app.screen.is_mounted)
    await until(pilot, lambda: snapshots_screen(app).table.select(("acme", name)))
    await _settle(pilot)
    return app


def _list(name: str, *keys: str, workspace: str | None = "acme") -> Before:
    async def before(pilot: Pilot[None]) -> None:
        app = await _open(pilot, name, workspace)
        if snapshots_screen(app).page_view.display:
            await until(pilot, lambda: f"  {name}  " in snapshots_screen(app).page_view.text)
        await pilot.press(*keys)
        await _settle(pilot)

    return before


def _page(name: str) -> Before:
    async def before(pilot: Pilot[None]) -> None:
        app = await _open(pilot, name)
        await pilot.press("enter")
        await until(pilot, lambda: f"  {name}  " in snapshots_screen(app).page_view.text)
        await _settle(pilot)

    return before


@SIZES
def test_the_snapshots(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(_app(prepared_engine()), terminal_size=size, run_before=_list("db-query"))


@SIZES
def test_the_snapshots_of_all_workspaces(snap_compare: Compare, size: tuple[int, int]) -> None:
    before = _list("git", workspace=None)
    assert snap_compare(_app(prepared_engine()), terminal_size=size, run_before=before)


@SIZES
def test_none_was_ever_built(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(_app(sample_engine()), terminal_size=size, run_before=_list("db-query"))


@SIZES
@pytest.mark.parametrize("state", STATES)
def test_a_snapshot(snap_compare: Compare, state: str, size: tuple[int, int]) -> None:
    before = _page(STATES[state])
    assert snap_compare(_app(prepared_engine()), terminal_size=size, run_before=before)


@SIZES
def test_no_bundle_has_one(snap_compare: Compare, size: tuple[int, int]) -> None:
    fake = _without_bundles()

    async def before(pilot: Pilot[None]) -> None:
        app = _app_of(pilot)
        await until(pilot, lambda: app.state.has_seen_engine)
        await pilot.press("5")
        await until(pilot, lambda: isinstance(app.screen, SnapshotsScreen))
        await until(pilot, lambda: bool(snapshots_screen(app).table.rows))
        await fake.remove("default", "only")
        await until(pilot, lambda: not snapshots_screen(app).table.rows)
        await _settle(pilot)

    assert snap_compare(_app(fake), terminal_size=size, run_before=before)


@SIZES
def test_the_snapshots_of_a_lost_daemon(snap_compare: Compare, size: tuple[int, int]) -> None:
    fake = prepared_engine()
    opened = _list("db-query")

    async def before(pilot: Pilot[None]) -> None:
        await opened(pilot)
        await lose(_app_of(pilot), pilot, fake)
        await _settle(pilot)

    assert snap_compare(_app(fake), terminal_size=size, run_before=before)


@SIZES
def test_the_tab_of_the_dashboard(snap_compare: Compare, size: tuple[int, int]) -> None:
    async def before(pilot: Pilot[None]) -> None:
        app = _app_of(pilot)
        await until(pilot, lambda: app.state.has_seen_engine)
        await until(pilot, lambda: app.dashboard.bundle_table.select(("acme", "db-query")))
        app.dashboard.go_to(Place.SNAPSHOT)
        await until(pilot, lambda: "21x" in app.dashboard.snapshot_view.text)
        await _settle(pilot)

    assert snap_compare(_app(prepared_engine()), terminal_size=size, run_before=before)


@SIZES
def test_the_screen_of_a_bundle(snap_compare: Compare, size: tuple[int, int]) -> None:
    async def before(pilot: Pilot[None]) -> None:
        app = _app_of(pilot)
        await until(pilot, lambda: app.state.has_seen_engine)
        await until(pilot, lambda: app.dashboard.bundle_table.select(("acme", "db-query")))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, BundleScreen) and app.screen.is_mounted)
        bundle = app.screen
        assert isinstance(bundle, BundleScreen)
        await until(pilot, lambda: "environment" in bundle.page_view.text)
        await until(pilot, lambda: "to ready instead of" in bundle.page_view.text)
        await _settle(pilot)

    assert snap_compare(_app(prepared_engine()), terminal_size=size, run_before=before)


@SIZES
def test_what_can_be_done_with_one(snap_compare: Compare, size: tuple[int, int]) -> None:
    opened = _list("db-query", "x")

    async def before(pilot: Pilot[None]) -> None:
        app = _app_of(pilot)
        await opened(pilot)
        await until(pilot, lambda: isinstance(app.screen, ActionMenu) and app.screen.is_mounted)
        await _settle(pilot)

    assert snap_compare(_app(prepared_engine()), terminal_size=size, run_before=before)


@SIZES
def test_the_policy_is_chosen(snap_compare: Compare, size: tuple[int, int]) -> None:
    opened = _list("db-query")

    async def before(pilot: Pilot[None]) -> None:
        app = _app_of(pilot)
        await opened(pilot)
        snapshots_screen(app).action_perform("snapshot.policy")
        await until(pilot, lambda: isinstance(app.screen, PickerModal) and app.screen.is_mounted)
        await _settle(pilot)

    assert snap_compare(_app(prepared_engine()), terminal_size=size, run_before=before)


def test_snapshots_on_a_large_screen(snap_compare: Compare) -> None:
    app = _app(prepared_engine())
    assert snap_compare(app, terminal_size=(200, 60), run_before=_list("db-query"))


def test_snapshots_in_plain_characters(snap_compare: Compare) -> None:
    app = _app(prepared_engine(), ascii_only=True)
    assert snap_compare(app, terminal_size=WIDE, run_before=_list("db-query"))


def test_snapshots_in_light_colours(snap_compare: Compare) -> None:
    app = _app(prepared_engine(), theme="textual-light")
    assert snap_compare(app, terminal_size=NARROW, run_before=_list("db-query"))


def test_snapshots_without_colours(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    before = _list("db-query")
    assert snap_compare(_app(prepared_engine()), terminal_size=NARROW, run_before=before)
