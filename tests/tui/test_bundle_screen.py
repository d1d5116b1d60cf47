"""The screen of one bundle."""

from __future__ import annotations

from tests.support.bundle_scenes import begin_handover, measured_engine
from tests.support.fake_engine import FakeEngine, sample_engine
from tests.support.run_scenes import runs_screen
from tests.support.screen import come_back, drawn, lose, open_screen, press, until
from textual.pilot import Pilot

from roost.errors import StoreUnavailable
from roost.models import Figures, SlotState
from roost_tui.actions import Place
from roost_tui.app import RoostApp
from roost_tui.bundle_screen import BundleScreen
from roost_tui.modals import ConfirmModal, HelpModal
from roost_tui.runs_screen import RunsScreen
from roost_tui.state import LinkPhase


def _screen(app: RoostApp) -> BundleScreen:
    screen = next(entry for entry in app.screen_stack if isinstance(entry, BundleScreen))
    return screen


def _text(app: RoostApp) -> str:
    return _screen(app).page_view.text


async def _opened(app: RoostApp, pilot: Pilot[None], name: str = "filesystem") -> None:
    await until(pilot, lambda: app.dashboard.bundle_table.select(("acme", name)))
    await press(pilot, "enter")
    await until(pilot, lambda: isinstance(app.screen, BundleScreen))
    await until(pilot, lambda: "environment" in _text(app))


async def test_enter_opens_a_bundle_and_escape_goes_back_to_its_row() -> None:
    async with open_screen(sample_engine()) as (app, pilot):
        await _opened(app, pilot, "git")
        text = _text(app)
        assert "git in acme failed at handshake" in text
        assert "fatal: repository '/srv/repos' does not exist" in text
        assert "python3 -m git" in text
        await press(pilot, "escape")
        assert app.screen is app.dashboard
        assert app.dashboard.selection.label == "git"


async def test_the_screens_are_reached_by_number() -> None:
    async with open_screen(sample_engine()) as (app, pilot):
        await press(pilot, "2")
        await until(pilot, lambda: isinstance(app.screen, BundleScreen))
        await press(pilot, "1")
        assert app.screen is app.dashboard


async def test_figures_are_drawn_and_follow_what_is_measured() -> None:
    fake = measured_engine()
    async with open_screen(fake) as (app, pilot):
        await _opened(app, pilot)
        await until(pilot, lambda: "most 40%" in _text(app))
        assert "▇" in _text(app) and "▁" in _text(app)
        fake.measure("acme", "filesystem", Figures(3.3, 70 * 1024 * 1024, 2, 11, 41))
        await until(pilot, lambda: "3.3%" in _text(app))


async def test_a_handover_shows_its_candidate_and_step_and_then_who_serves() -> None:
    fake = sample_engine()
    async with open_screen(fake) as (app, pilot):
        await _opened(app, pilot)
        begin_handover(fake)
        await until(pilot, lambda: "generation 5 is verified: handshake for 3s" in _text(app))
        assert "generation 4 serves" in _text(app)
        assert "candidate" in _text(app)
        candidate = _screen(app).page.bundle.candidate
        fake.change_bundle("acme", "filesystem", generation=candidate, candidate=None, step=None)
        await until(pilot, lambda: "is verified" not in _text(app))


async def test_moves_appear_as_they_happen() -> None:
    fake = sample_engine()
    async with open_screen(fake) as (app, pilot):
        await _opened(app, pilot)
        fake.crash("acme", "filesystem", "it ended with exit 3; read its log")
        await until(pilot, lambda: "it ended with exit 3" in _text(app))
        state = app.state.bundles["acme", "filesystem"].state
        assert state is not SlotState.RUNNING
        await until(pilot, lambda: "running > " in _text(app))


async def test_the_countdown_of_a_back_off_counts() -> None:
    fake = sample_engine()
    async with open_screen(fake) as (app, pilot):
        await _opened(app, pilot, "indexer")
        assert "in 8s" in _text(app)
        fake.clock.advance(5)
        await until(pilot, lambda: "in 3s" in _text(app))


async def test_what_it_waits_for_and_what_it_lags_behind_in_stand_at_the_top() -> None:
    fake = sample_engine()
    fake.change_bundle("acme", "weather", waits_for=("db-query", "search"))
    async with open_screen(fake) as (app, pilot):
        await _opened(app, pilot, "weather")
        assert "until db-query, search can serve" in _text(app)
        await press(pilot, "escape")
        await _opened(app, pilot, "db-query")
        assert "lags behind in credentials" in _text(app)
        assert "a change waits for a respawn" in _text(app)


async def test_a_respawn_from_here_is_asked_about_and_shown() -> None:
    fake = sample_engine()
    async with open_screen(fake) as (app, pilot):
        await _opened(app, pilot)
        fake.hold_starts()
        await press(pilot, "R")
        await until(pilot, lambda: isinstance(app.screen, ConfirmModal))
        await press(pilot, "y")
        await until(pilot, lambda: "starting" in _text(app))
        fake.release_starts()
        await until(pilot, lambda: "respawned" in _text(app))
        assert isinstance(app.screen, BundleScreen)


async def test_logs_lead_to_the_dashboard_and_runs_to_all_runs_of_the_bundle() -> None:
    async with open_screen(sample_engine()) as (app, pilot):
        await _opened(app, pilot)
        await press(pilot, "l")
        await until(pilot, lambda: app.screen is app.dashboard)
        assert app.dashboard.place is Place.LOGS
        await press(pilot, "escape", "2")
        await until(pilot, lambda: isinstance(app.screen, BundleScreen))
        await press(pilot, "u")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        await until(pilot, lambda: [run.id for run in runs_screen(app).table.rows] == ["r-8f3"])


async def test_a_lost_daemon_leaves_everything_in_view_and_the_next_one_is_read_anew() -> None:
    fake = measured_engine()
    async with open_screen(fake) as (app, pilot):
        await _opened(app, pilot)
        await until(pilot, lambda: "most 40%" in _text(app))
        await lose(app, pilot, fake)
        screen = _screen(app)
        assert "does not answer" in drawn(screen.query_one("#banner"))
        assert screen.has_class("-greyed")
        assert "most 40%" in _text(app) and "environment" in _text(app)
        asked = len(fake.called("bundle"))
        await come_back(app, pilot, fake)
        await until(pilot, lambda: len(fake.called("bundle")) > asked)
        assert app.screen is screen
        assert not screen.has_class("-greyed")


async def test_opened_without_a_daemon_it_fills_once_there_is_one() -> None:
    fake = sample_engine()
    async with open_screen(fake) as (app, pilot):
        await lose(app, pilot, fake)
        assert app.state.link.phase is LinkPhase.LOST
        await press(pilot, "2")
        await until(pilot, lambda: isinstance(app.screen, BundleScreen))
        await come_back(app, pilot, fake)
        await until(pilot, lambda: "environment" in _text(app))


async def test_a_removed_bundle_stays_in_view_and_offers_nothing() -> None:
    fake = sample_engine()
    async with open_screen(fake) as (app, pilot):
        await _opened(app, pilot, "weather")
        await fake.remove("acme", "weather")
        await until(pilot, lambda: "It was removed" in _text(app))
        assert not _screen(app).can_perform("bundle.start")
        assert _screen(app).can_perform("screen.back")


async def test_a_refusal_is_said_beside_what_the_row_tells() -> None:
    fake = sample_engine()

    async def refuse(workspace: str, name: str) -> None:
        raise StoreUnavailable("the store is locked; try again")

    async with open_screen(fake) as (app, pilot):
        await until(pilot, lambda: app.dashboard.bundle_table.select(("acme", "git")))
        fake.bundle = refuse  # type: ignore[assignment]
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(app.screen, BundleScreen))
        await until(pilot, lambda: "the store is locked" in _text(app))
        assert "failed at handshake" in _text(app)


async def test_help_and_a_read_only_screen_know_its_keys() -> None:
    async with open_screen(sample_engine(), read_only=True) as (app, pilot):
        await _opened(app, pilot, "git")
        offered = {entry.id for entry in _screen(app).performable()}
        assert "bundle.why" in offered and "bundle.respawn" not in offered
        await press(pilot, "question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpModal))


async def test_it_scrolls_in_a_small_terminal() -> None:
    fake: FakeEngine = sample_engine()
    async with open_screen(fake, (80, 24)) as (app, pilot):
        await _opened(app, pilot, "git")
        await press(pilot, "G")
        await until(pilot, lambda: "source" in drawn(_screen(app).page_view))


async def test_left_at_once_it_leaves_the_screen_as_it_was() -> None:
    async with open_screen(sample_engine()) as (app, pilot):
        bundle = app.state.bundles["acme", "git"]
        for _ in range(3):
            app.push_screen(BundleScreen(app.dashboard, lambda: app.engine, bundle))
            app.screen.dismiss(None)
            await pilot.pause()
        assert app.is_running
        assert app.screen is app.dashboard
