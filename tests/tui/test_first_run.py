"""The screen while nothing is installed, and what was missed."""

from __future__ import annotations

from tests.support.fake_engine import FIXED_START, FakeEngine, bundle_view, run_view
from tests.support.package_scenes import with_clients
from tests.support.screen import NARROW, open_screen, press, shown, until

from roost.errors import StoreUnavailable
from roost.models import Snapshot
from roost_tui.app import RoostApp
from roost_tui.modals import HelpModal
from roost_tui.notes import Severity


def _is_welcome(app: RoostApp) -> bool:
    return bool(app.dashboard.welcome.display)


async def test_without_a_bundle_the_ways_to_begin_are_shown() -> None:
    async with open_screen(with_clients(), NARROW) as (app, pilot):
        await until(pilot, lambda: "8 found on this machine" in shown(app, "#welcome"))
        assert app.focused is app.dashboard.welcome
        assert "roost demo" in shown(app, "#welcome")
        keys = " ".join(shown(app, "#footer").split())
        assert keys == "i import a add ? help q detach"


async def test_counting_does_not_hold_up_the_screen() -> None:
    fake = with_clients()
    fake.hold_scans()
    async with open_screen(fake) as (app, pilot):
        await until(pilot, lambda: "looking for them" in shown(app, "#welcome"))
        await press(pilot, "question_mark")
        assert isinstance(app.screen, HelpModal)
        await press(pilot, "escape")
        fake.release_scans()
        await until(pilot, lambda: "8 found" in shown(app, "#welcome"))


async def test_a_count_that_fails_is_told_and_breaks_nothing() -> None:
    fake = with_clients()
    async with open_screen(fake, workspace="default") as (app, pilot):
        await until(pilot, lambda: "8 found" in shown(app, "#welcome"))
        fake.refuse_next(StoreUnavailable("no"))
        app.dashboard.count_servers()
        await until(pilot, lambda: "could not be found out" in shown(app, "#welcome"))


async def test_the_first_bundle_brings_the_dashboard() -> None:
    fake = FakeEngine()
    async with open_screen(fake) as (app, pilot):
        await until(pilot, lambda: _is_welcome(app))
        fake.add_bundle(bundle_view("api"))
        await until(pilot, lambda: not _is_welcome(app))
        await until(pilot, lambda: app.focused is app.dashboard.bundle_table)
        assert "api" in shown(app, "#bundles")


async def test_the_last_bundle_leaves_the_ways_to_begin() -> None:
    fake = FakeEngine()
    fake.add_bundle(bundle_view("api"))
    async with open_screen(fake) as (app, pilot):
        assert not _is_welcome(app)
        await fake.remove("default", "api")
        await until(pilot, lambda: _is_welcome(app))


async def test_runs_without_a_bundle_are_not_hidden() -> None:
    fake = FakeEngine()
    fake.add_run(run_view("r-1"))
    async with open_screen(fake) as (app, pilot):
        await until(pilot, lambda: "r-1" in shown(app, "#runs"))
        assert not _is_welcome(app)


async def test_who_only_reads_is_offered_nothing_and_nothing_is_counted() -> None:
    fake = with_clients()
    async with open_screen(fake, read_only=True) as (app, pilot):
        await until(pilot, lambda: "roost demo" in shown(app, "#welcome"))
        assert "import" not in shown(app, "#welcome")
        assert not fake.called("plan_import")


async def test_keys_of_the_hidden_panels_do_nothing() -> None:
    async with open_screen(FakeEngine()) as (app, pilot):
        await until(pilot, lambda: _is_welcome(app))
        await press(pilot, "slash", "tab", "z", "o", "exclamation_mark", "1", "2", "l")
        assert app.focused is app.dashboard.welcome
        assert not app.dashboard.is_typing and not app.dashboard.is_zoomed


# What was missed


async def test_missed_changes_are_told_in_the_header_for_a_while_and_kept() -> None:
    fake = FakeEngine()
    fake.add_bundle(bundle_view("api"))
    async with open_screen(fake) as (app, pilot):
        app._take_event(Snapshot("fake", 900, fake.world.state(), missed=412))
        await until(pilot, lambda: "412 missed" in shown(app, "#header"))
        said = app.messages[-1]
        assert said.text == "412 changes were missed; shown is the present state"
        assert said.severity is Severity.WARNING
        fake.clock.advance(31)
        app.dashboard._tick()
        await until(pilot, lambda: "missed" not in shown(app, "#header"))
        assert fake.clock.now() > FIXED_START


async def test_a_snapshot_without_a_gap_says_nothing() -> None:
    fake = FakeEngine()
    fake.add_bundle(bundle_view("api"))
    async with open_screen(fake) as (app, pilot):
        app._take_event(Snapshot("fake", 900, fake.world.state()))
        await pilot.pause()
        assert not any("missed" in entry.text for entry in app.messages)
