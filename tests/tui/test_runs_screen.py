"""The runs screen: all runs, filtered, ordered, further back, several at once."""

from __future__ import annotations

from dataclasses import replace

from tests.support.fake_engine import FIXED_START, FakeEngine, run_view, sample_engine
from tests.support.run_scenes import many_runs, run_screen, runs_screen, staged_engine
from tests.support.screen import NARROW, come_back, drawn, lose, open_screen, press, until
from textual.pilot import Pilot

from roost.errors import StoreUnavailable
from roost.models import RunStatus
from roost_tui.app import RoostApp
from roost_tui.older_runs import PAGE_RUNS
from roost_tui.run_screen import RunScreen
from roost_tui.runs_screen import RunsScreen


def _ids(app: RoostApp) -> list[str]:
    return [run.id for run in runs_screen(app).table.rows]


def _shown(app: RoostApp, selector: str) -> str:
    return drawn(app.screen.query_one(selector))


async def _open(app: RoostApp, pilot: Pilot[None]) -> None:
    await press(pilot, "3")
    await until(pilot, lambda: isinstance(app.screen, RunsScreen))
    await pilot.pause()


async def test_three_shows_the_runs_of_all_workspaces_or_of_one_and_esc_goes_back() -> None:
    async with open_screen(sample_engine()) as (app, pilot):
        await _open(app, pilot)
        assert _ids(app) == ["r-8f4", "r-8f3", "r-8f2", "r-8f1", "r-8f0"]
        assert "WORKSPACE" in _shown(app, "#run-list")
        app.dashboard.workspace = "lab"
        await until(pilot, lambda: _ids(app) == ["r-8f4", "r-8f0"])
        await press(pilot, "0")
        assert len(_ids(app)) == 5
        await press(pilot, "escape")
        await until(pilot, lambda: app.screen is app.dashboard)


async def test_a_filter_leaves_what_matches_and_esc_clears_it_first() -> None:
    async with open_screen(staged_engine()) as (app, pilot):
        await _open(app, pilot)
        await press(pilot, "slash", *"kind:command !state:failed", "enter")
        await until(pilot, lambda: _ids(app) == ["r-902", "r-8f1"])
        assert "/ kind:command !state:failed  2 of 9" in _shown(app, "#run-list-title")
        await press(pilot, "escape")
        assert len(_ids(app)) == 9
        assert isinstance(app.screen, RunsScreen)


async def test_a_bad_filter_says_what_is_wrong_and_keeps_the_rows() -> None:
    async with open_screen(sample_engine()) as (app, pilot):
        await _open(app, pilot)
        await press(pilot, "slash", *"~(")
        assert "not a regular expression" in _shown(app, "_Hint")
        assert len(_ids(app)) == 5


async def test_sorting_walks_over_the_columns_and_turns_round() -> None:
    async with open_screen(sample_engine()) as (app, pilot):
        await _open(app, pilot)
        await press(pilot, "greater_than_sign", "greater_than_sign", "greater_than_sign")
        assert runs_screen(app).table.sort_title == "ID"
        assert _ids(app) == ["r-8f0", "r-8f1", "r-8f2", "r-8f3", "r-8f4"]
        await press(pilot, "o")
        assert _ids(app)[0] == "r-8f4"


async def test_no_runs_say_what_begins_one() -> None:
    fake = sample_engine()
    fake.world.runs.clear()
    async with open_screen(fake) as (app, pilot):
        await _open(app, pilot)
        await until(pilot, lambda: "No runs yet." in _shown(app, "#run-list"))


async def test_older_runs_are_read_page_by_page_as_the_end_comes_near() -> None:
    fake = many_runs(2 * PAGE_RUNS + 100, shown=100)
    async with open_screen(fake) as (app, pilot):
        await _open(app, pilot)
        assert len(_ids(app)) == 100
        assert "100  and older" in _shown(app, "#run-list-title")
        await press(pilot, "G")
        await until(pilot, lambda: len(_ids(app)) == 100 + PAGE_RUNS)
        assert [call["query"].before for call in fake.called("runs")] == ["r-0400"]
        for _ in range(3):
            await press(pilot, "G")
        await until(pilot, lambda: len(_ids(app)) == 500)
        await until(pilot, lambda: "and older" not in _shown(app, "#run-list-title"))
        assert _ids(app) == [f"r-{number:04}" for number in reversed(range(500))]


async def test_a_filter_goes_on_reading_until_its_matches_fill_the_screen() -> None:
    fake = many_runs(500, shown=50)
    async with open_screen(fake) as (app, pilot):
        await _open(app, pilot)
        await press(pilot, "slash", *'"work 3 chat"', "enter")
        await until(pilot, lambda: _ids(app) == ["r-0003"])
        assert "1 of 500" in _shown(app, "#run-list-title")


async def test_an_old_run_still_active_does_not_hide_what_settled_after_it() -> None:
    fake = FakeEngine()
    fake.add_run(run_view("r-0000", created_at=FIXED_START - 10_000_000))
    for number in range(1, 60):
        view = run_view(f"r-{number:04}", status=RunStatus.SUCCEEDED)
        fake.add_run(replace(view, created_at=FIXED_START - 1_000_000 + number * 1000))
    async with open_screen(fake) as (app, pilot):
        state = app.state
        active_and_newest = {key: state.runs[key] for key in ("r-0000", "r-0058", "r-0059")}
        app.state = replace(state, runs=active_and_newest)
        await _open(app, pilot)
        await until(pilot, lambda: len(_ids(app)) == 60)
        assert _ids(app)[:2] == ["r-0000", "r-0059"]


async def test_a_page_that_cannot_be_read_is_said_and_not_asked_for_without_end() -> None:
    fake = many_runs(30, shown=5)
    async with open_screen(fake) as (app, pilot):
        fake.refuse_next(StoreUnavailable("the store is locked; try again"))
        await _open(app, pilot)
        await until(pilot, lambda: "cannot be read" in _shown(app, "#run-list-title"))
        assert len(fake.called("runs")) == 1
        assert app.messages[-1].text == "the store is locked; try again"


async def test_the_order_stands_still_while_runs_are_marked_and_esc_takes_the_marks() -> None:
    fake = sample_engine()
    async with open_screen(fake) as (app, pilot):
        await _open(app, pilot)
        await press(pilot, "j", "space")
        before = _ids(app)
        fake.settle_run("r-8f3")
        fake.add_run(run_view("r-8f5", workspace="acme"))
        await until(pilot, lambda: "r-8f5" in _ids(app))
        assert _ids(app) == [*before, "r-8f5"]
        assert "1 marked, order held" in _shown(app, "#run-list-title")
        await press(pilot, "escape")
        assert _ids(app)[:2] == ["r-8f5", "r-8f4"]
        assert isinstance(app.screen, RunsScreen)


async def test_a_range_is_marked_from_the_last_mark_to_the_cursor() -> None:
    async with open_screen(sample_engine()) as (app, pilot):
        await _open(app, pilot)
        await press(pilot, "j", "space", "j", "j", "V")
        assert [run.id for run in runs_screen(app).table.marked] == ["r-8f3", "r-8f2", "r-8f1"]
        await press(pilot, "k", "space")
        assert [run.id for run in runs_screen(app).table.marked] == ["r-8f3", "r-8f1"]


async def test_enter_opens_the_run_esc_comes_back_and_one_leads_to_the_dashboard() -> None:
    async with open_screen(sample_engine()) as (app, pilot):
        await _open(app, pilot)
        await press(pilot, "j", "enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        assert run_screen(app).key == ("acme", "r-8f3")
        await press(pilot, "escape")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        assert runs_screen(app).selection.label == "r-8f3"
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        await press(pilot, "1")
        await until(pilot, lambda: app.screen is app.dashboard)


async def test_a_lost_daemon_leaves_the_rows_greyed_and_r_connects_again() -> None:
    fake = many_runs(30, shown=10)
    async with open_screen(fake, NARROW) as (app, pilot):
        await _open(app, pilot)
        await until(pilot, lambda: len(_ids(app)) == 30)
        await lose(app, pilot, fake)
        assert app.screen.has_class("-greyed")
        assert len(_ids(app)) == 30
        assert "r tries now" in _shown(app, "#banner")
        asked = len(fake.called("events"))
        await press(pilot, "r")
        await until(pilot, lambda: len(fake.called("events")) > asked)
        assert not fake.called("retry_run")
        await come_back(app, pilot, fake)
        await until(pilot, lambda: len(_ids(app)) == 30)


async def test_a_read_only_screen_stops_retries_and_runs_nothing() -> None:
    fake = sample_engine()
    async with open_screen(fake, read_only=True) as (app, pilot):
        await _open(app, pilot)
        await press(pilot, "space", "s", "r")
        assert isinstance(app.screen, RunsScreen)
        names = {entry.id for entry in app.screen.performable()}
        assert not names & {"run.stop", "run.retry", "run.replace", "run.exec"}
        assert "screen.stop_shown" not in names
        assert {call.method for call in fake.calls} <= {"events", "follow_log", "runs"}
