"""The dashboard's behaviour, apart from its looks."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from tests.support.fake_engine import FakeEngine, bundle_view, run_view, sample_engine
from tests.support.run_scenes import runs_screen
from tests.support.screen import NARROW, open_screen, press, shown, until
from textual import events
from textual.geometry import Size

from roost.contract import EngineAPI
from roost.errors import DaemonStartFailed
from roost.models import RunStatus, SlotState
from roost_tui.actions import EVERYWHERE, Place
from roost_tui.app import RoostApp
from roost_tui.runs_screen import RunsScreen
from roost_tui.state import LinkPhase


def _cursor(app: RoostApp) -> str:
    bundle = app.dashboard.bundle_table.cursor_row
    return bundle.name if bundle else ""


async def test_the_first_paint_does_not_wait_for_the_daemon() -> None:
    fake = sample_engine()
    gate = asyncio.Event()

    async def connect() -> EngineAPI:
        await gate.wait()
        return fake

    app = RoostApp(connect, clock=fake.clock)
    async with app.run_test() as pilot:
        await pilot.pause()
        assert "Connecting to the daemon" in shown(app, "#bundles")
        gate.set()
        await until(pilot, lambda: "filesystem" in shown(app, "#bundles"))


async def test_a_daemon_that_does_not_start_is_a_state_with_a_reason_and_a_retry() -> None:
    fake = sample_engine()
    refusals = [DaemonStartFailed("the daemon did not come up; read daemon.log")]

    async def connect() -> EngineAPI:
        if refusals:
            raise refusals.pop()
        return fake

    app = RoostApp(connect, clock=fake.clock)
    async with app.run_test(size=NARROW) as pilot:
        await until(pilot, lambda: app.state.link.phase is LinkPhase.LOST)
        await pilot.pause()
        assert "next try in 1s, r tries now" in shown(app, "#banner")
        assert "read daemon.log" in shown(app, "#banner")
        await press(pilot, "r")
        await until(pilot, lambda: "filesystem" in shown(app, "#bundles"))
        assert not app.dashboard.query_one("#banner").display


async def test_a_lost_daemon_leaves_the_last_known_rows_greyed() -> None:
    fake = sample_engine()
    async with open_screen(fake) as (app, pilot):
        await until(pilot, lambda: "filesystem" in shown(app, "#bundles"))
        fake.disconnect()
        await until(pilot, lambda: app.state.link.phase is LinkPhase.LOST)
        await until(pilot, lambda: fake.clock.sleepers > 0)
        await pilot.pause()
        assert app.dashboard.has_class("-greyed")
        assert "filesystem" in shown(app, "#bundles")
        assert "The daemon does not answer" in shown(app, "#banner")
        fake.reconnect()
        fake.clock.advance(1)
        await until(pilot, lambda: app.state.link.phase is LinkPhase.LIVE)
        await pilot.pause()
        assert not app.dashboard.has_class("-greyed")


async def test_the_cursor_stays_on_its_bundle_when_the_order_changes() -> None:
    fake = sample_engine()
    async with open_screen(fake) as (app, pilot):
        await press(pilot, "j", "j", "j")
        name = _cursor(app)
        await press(pilot, "o")
        assert _cursor(app) == name
        fake.add_bundle(bundle_view("aaa", workspace="acme"))
        await until(pilot, lambda: len(app.dashboard.bundle_table.rows) == 13)
        assert _cursor(app) == name


async def test_the_cursor_goes_to_a_neighbour_when_its_bundle_is_removed() -> None:
    fake = FakeEngine()
    for name in ("a", "b", "c"):
        fake.add_bundle(bundle_view(name))
    async with open_screen(fake) as (app, pilot):
        await until(pilot, lambda: len(app.dashboard.bundle_table.rows) == 3)
        await press(pilot, "G")
        assert _cursor(app) == "c"
        await fake.remove("default", "c")
        await until(pilot, lambda: len(app.dashboard.bundle_table.rows) == 2)
        assert _cursor(app) == "b"


async def test_several_workspaces_get_a_column_and_one_does_not() -> None:
    async with open_screen(sample_engine()) as (app, pilot):
        await until(pilot, lambda: "WORKSPACE" in shown(app, "#bundles"))
        app.dashboard.workspace = "lab"
        await pilot.pause()
        assert "WORKSPACE" not in shown(app, "#bundles")
        assert "filesystem" not in shown(app, "#bundles")
        assert "3 bundles" in shown(app, "#header")
        await press(pilot, "0")
        assert "filesystem" in shown(app, "#bundles")


async def test_a_filter_is_typed_kept_shown_and_cleared() -> None:
    async with open_screen(sample_engine()) as (app, pilot):
        await press(pilot, "slash", *"state:dead", "enter")
        assert [bundle.name for bundle in app.dashboard.bundle_table.rows] == ["git"]
        assert "/ state:dead  1 of 12" in shown(app, "#bundles-title")
        assert app.dashboard.bundle_table.has_focus
        await press(pilot, "escape")
        assert len(app.dashboard.bundle_table.rows) == 12
        assert app.is_running


async def test_a_bad_filter_is_an_error_and_keeps_the_rows() -> None:
    async with open_screen(sample_engine()) as (app, pilot):
        await press(pilot, "slash", *"~(")
        assert "not a regular expression" in shown(app, "_Hint")
        assert len(app.dashboard.bundle_table.rows) == 12
        await press(pilot, "escape")
        assert not app.dashboard.is_typing


async def test_a_filter_that_leaves_nothing_says_how_to_get_out() -> None:
    async with open_screen(sample_engine()) as (app, pilot):
        await press(pilot, "slash", *"zzz", "enter")
        assert "Nothing matches zzz  esc clears it" in shown(app, "#bundles")


async def test_faults_only_leaves_what_is_down_or_not_as_configured() -> None:
    async with open_screen(sample_engine()) as (app, pilot):
        await press(pilot, "exclamation_mark")
        names = {bundle.name for bundle in app.dashboard.bundle_table.rows}
        assert names == {"db-query", "git", "indexer", "scraper", "search"}
        runs = {run.status for run in app.dashboard.run_table.rows}
        assert runs == {RunStatus.FAILED, RunStatus.ABORTED}


async def test_sorting_walks_over_the_columns_and_turns_round() -> None:
    async with open_screen(sample_engine()) as (app, pilot):
        await press(pilot, "less_than_sign", "less_than_sign")
        assert app.dashboard.bundle_table.sort_title == "STATE"
        first = app.dashboard.bundle_table.rows[0]
        assert first.state is SlotState.DEAD
        await press(pilot, "o")
        assert app.dashboard.bundle_table.rows[0].state is SlotState.STOPPED


async def test_a_narrow_terminal_shows_one_panel_at_a_time() -> None:
    async with open_screen(sample_engine(), NARROW) as (app, pilot):
        await pilot.pause()
        dashboard = app.dashboard
        assert [place for place in EVERYWHERE if dashboard.panel(place).display] == [Place.BUNDLES]
        await press(pilot, "right_square_bracket")
        assert [place for place in EVERYWHERE if dashboard.panel(place).display] == [Place.RUNS]
        assert dashboard.run_table.has_focus
        await press(pilot, "right_square_bracket", "right_square_bracket")
        assert [place for place in EVERYWHERE if dashboard.panel(place).display] == [Place.DETAIL]
        await press(pilot, "escape")
        assert dashboard.run_table.has_focus


async def test_zoom_shows_the_focused_panel_alone_and_goes_back() -> None:
    async with open_screen(sample_engine()) as (app, pilot):
        await press(pilot, "tab", "z")
        assert not app.dashboard.bundle_table.display
        assert app.dashboard.run_table.size.height > 30
        await press(pilot, "escape")
        assert app.dashboard.bundle_table.display


async def test_tab_walks_over_the_panels() -> None:
    async with open_screen(sample_engine()) as (app, pilot):
        places = []
        for _ in range(3):
            await press(pilot, "tab")
            places.append(app.dashboard.place)
        assert places == [Place.RUNS, Place.LOGS, Place.BUNDLES]


async def test_the_detail_shows_the_reason_and_the_history_of_a_bundle() -> None:
    async with open_screen(sample_engine()) as (app, pilot):
        await press(pilot, *"jjjj", "right_square_bracket")
        assert app.dashboard.selection.label == "git"
        await until(pilot, lambda: "python3 -m git" in shown(app, "#detail"))
        text = app.dashboard.detail_view.text
        assert "git in acme failed at handshake" in text
        assert "fatal: repository '/srv/repos' does not exist" in text


async def test_the_detail_of_a_run_shows_arguments_and_result() -> None:
    async with open_screen(sample_engine()) as (app, pilot):
        await press(pilot, "tab", "j", "j", "right_square_bracket")
        assert app.dashboard.selection.label == "r-8f2"
        await until(pilot, lambda: "Example Domain" in app.dashboard.detail_view.text)
        assert '"url": "https://example.org/"' in app.dashboard.detail_view.text


async def test_a_selected_run_shows_its_events_live() -> None:
    fake = sample_engine()
    async with open_screen(fake) as (app, pilot):
        await press(pilot, "tab", "j")
        await until(pilot, lambda: "7/10  scanning src" in shown(app, "#logs"))
        fake.progress("r-8f3", 8, 10, "scanning tests")
        await until(pilot, lambda: "8/10  scanning tests" in shown(app, "#logs"))


async def test_u_shows_the_runs_of_the_selected_bundle() -> None:
    async with open_screen(sample_engine()) as (app, pilot):
        await press(pilot, *"jjj", "u")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        await until(pilot, lambda: [run.id for run in runs_screen(app).table.rows] == ["r-8f3"])


async def test_the_events_panel_shows_the_moves_of_the_bundle() -> None:
    async with open_screen(sample_engine()) as (app, pilot):
        await press(pilot, *"jjjj", "right_square_bracket", "right_square_bracket")
        await until(pilot, lambda: "dead" in shown(app, "#events"))
        assert "operator by ops" in shown(app, "#events")


async def test_a_paused_picture_stands_still_until_it_goes_on() -> None:
    fake = sample_engine()
    async with open_screen(fake) as (app, pilot):
        await press(pilot, "P")
        fake.change_bundle("acme", "filesystem", state=SlotState.DEAD)
        key = ("acme", "filesystem")
        await until(pilot, lambda: app.state.bundles[key].state is SlotState.DEAD)
        assert app.dashboard.shown.bundles[key].state is SlotState.RUNNING
        assert "paused" in shown(app, "#header")
        await press(pilot, "P")
        assert app.dashboard.shown.bundles[key].state is SlotState.DEAD


async def test_a_read_only_screen_offers_nothing_that_changes_anything() -> None:
    fake = sample_engine()
    async with open_screen(fake, read_only=True) as (app, pilot):
        await press(pilot, "j", "R", "s", "S", "c", "D")
        assert len(app.screen_stack) == 1
        methods = {call.method for call in fake.calls}
        assert methods <= {"events", "follow_log", "bundle"}
        assert "read only" in shown(app, "#header")
        assert "respawn" not in shown(app, "#footer")
        names = {entry.id for entry in app.dashboard.performable()}
        assert "daemon.stop" not in names


async def test_nothing_installed_is_a_screen_of_its_own() -> None:
    async with open_screen(FakeEngine()) as (app, pilot):
        await until(pilot, lambda: "No bundle is installed yet." in shown(app, "#welcome"))
        assert "roost demo" in shown(app, "#welcome")
        assert not app.dashboard.query_one("#panels").display


async def test_keys_that_collide_are_reported_when_the_screen_opens() -> None:
    async with open_screen(sample_engine(), keymap={"screen.zoom": "R"}) as (app, _):
        assert "taken by bundle.respawn" in app.messages[0].text


async def test_a_remapped_key_acts_and_the_footer_shows_it() -> None:
    async with open_screen(sample_engine(), keymap={"screen.zoom": "Z"}) as (app, pilot):
        await press(pilot, "z")
        assert not app.dashboard.is_zoomed
        assert "Z zoom" in shown(app, "#footer")
        await press(pilot, "Z")
        assert app.dashboard.is_zoomed


async def test_the_header_counts_over_the_chosen_workspace() -> None:
    fake = sample_engine()
    fake.world.daemon = replace(fake.world.daemon, orphans=2)
    async with open_screen(fake, workspace="acme") as (app, pilot):
        await until(pilot, lambda: "9 bundles" in shown(app, "#header"))
        header = shown(app, "#header")
        assert "3 running  1 starting  3 down  1 run active" in header
        assert "orphans 2" in header


async def test_detaching_leaves_the_daemon_alone() -> None:
    fake = sample_engine()
    async with open_screen(fake) as (app, pilot):
        await pilot.press("q")
        await until(pilot, lambda: not app.is_running)
    assert not fake.called("shutdown")


async def test_many_runs_arrive_in_order_and_the_newest_are_seen() -> None:
    fake = FakeEngine()
    for number in range(30):
        fake.add_run(run_view(f"r-{number:02}", status=RunStatus.SUCCEEDED))
    async with open_screen(fake) as (app, pilot):
        await until(pilot, lambda: len(app.dashboard.run_table.rows) == 30)
        await pilot.pause()
        assert "r-29" in shown(app, "#runs")
        assert "r-00" not in shown(app, "#runs")


@pytest.mark.parametrize("keys", [(), ("question_mark",), ("x",)], ids=["plain", "help", "menu"])
async def test_sizes_that_come_in_quick_succession_do_not_take_turns_for_ever(
    keys: tuple[str, ...],
) -> None:
    async with open_screen(sample_engine()) as (app, pilot):
        await press(pilot, *keys)
        await pilot.pause()
        screen = app.screen
        layouts = 0

        def count(_: object) -> None:
            nonlocal layouts
            layouts += 1

        screen.screen_layout_refresh_signal.subscribe(screen, count)
        for height in (30, 40):
            size = Size(120, height)
            screen.post_message(events.Resize(size, size, size))
            screen.call_later(lambda: None)  # keeps the two from becoming one
        async with asyncio.timeout(5):
            for _ in range(20):
                await pilot.pause()
        assert layouts < 10
        assert screen.size == Size(120, 40)
