"""The run screen: one run live, resumed by number, and what can be done to it."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from tests.support.fake_engine import FakeEngine, run_view, sample_engine
from tests.support.run_scenes import run_screen, staged_engine
from tests.support.screen import NARROW, come_back, drawn, lose, open_screen, press, until
from textual.pilot import Pilot

from roost.models import RunError, RunKind, RunStatus
from roost_tui.app import RoostApp
from roost_tui.run_screen import FRAME_S, RunScreen


async def _open(app: RoostApp, pilot: Pilot[None], run_id: str) -> None:
    app.open_run_page(app.state.runs[run_id])
    await _is_open(app, pilot)
    await until(pilot, lambda: "arguments" in _page(app))


async def _is_open(app: RoostApp, pilot: Pilot[None]) -> None:
    await until(pilot, lambda: isinstance(app.screen, RunScreen) and app.screen.is_mounted)
    await pilot.pause()


def _page(app: RoostApp) -> str:
    return run_screen(app).page_view.text


def _lines(app: RoostApp) -> list[str]:
    return [entry.text for entry in run_screen(app).log_view.lines]


def _title(app: RoostApp) -> str:
    return drawn(app.screen.query_one("#run-events"))


async def test_enter_on_the_dashboard_opens_the_run_and_esc_comes_back() -> None:
    async with open_screen(sample_engine()) as (app, pilot):
        await press(pilot, "tab", "j", "enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        assert run_screen(app).key == ("acme", "r-8f3")
        await press(pilot, "escape")
        await until(pilot, lambda: app.screen is app.dashboard)


async def test_the_page_tells_everything_about_outside_work_under_way() -> None:
    async with open_screen(staged_engine()) as (app, pilot):
        await _open(app, pilot, "r-900")
        await until(pilot, lambda: "children" in _page(app))
        text = _page(app)
        for said in (
            "weekly report  r-900  ▸ running",
            "by report-agent, user, external",
            "scope        report",
            "attempt      2",
            "on behalf of dana",
            "holds 45s without a report",
            "https://reports.example.org/weekly/48",
            "1 active run: r-901 running",
            "It stops r-901 too.",
            "fetching pages  10/20",
            '"sources": [',
        ):
            assert said in text, said


async def test_the_result_that_was_cut_and_the_reason_of_a_failure_are_said() -> None:
    async with open_screen(staged_engine()) as (app, pilot):
        await _open(app, pilot, "r-903")
        text = _page(app)
        assert "pytest ended with exit 2; read its output" in text
        assert "code         exit" in text
        assert "result (cut to the size that is kept)" in text
        assert '"exit_code": 2' in text
        assert "a stop" not in text
        assert "complete" in _title(app)


async def test_events_are_followed_live_and_a_pause_counts_what_is_new() -> None:
    fake = sample_engine()
    async with open_screen(fake) as (app, pilot):
        await _open(app, pilot, "r-8f3")
        fake.progress("r-8f3", 8, 10, "scanning tests")
        await until(pilot, lambda: _lines(app)[-1] == "8/10  scanning tests")
        assert "scanning tests  8/10" in _page(app)
        await press(pilot, "f")
        fake.progress("r-8f3", 9, 10, "scanning docs")
        await until(pilot, lambda: "paused, 1 new" in _title(app))
        await press(pilot, "f")
        await until(pilot, lambda: "following" in _title(app))


async def test_output_of_several_lines_takes_as_many() -> None:
    fake = FakeEngine()
    fake.add_run(run_view("r-1", kind=RunKind.COMMAND))
    async with open_screen(fake) as (app, pilot):
        await _open(app, pilot, "r-1")
        fake.output("r-1", "one\ntwo\n")
        await until(pilot, lambda: _lines(app) == ["one", "two"])


async def test_a_run_that_ends_is_read_again_for_its_result() -> None:
    fake = sample_engine()
    async with open_screen(fake) as (app, pilot):
        await _open(app, pilot, "r-8f3")
        fake.settle_run("r-8f3", result={"matches": 41})
        await until(pilot, lambda: '"matches": 41' in _page(app))
        assert "✓ succeeded" in _page(app)
        assert "complete" in _title(app)


async def test_a_lost_connection_is_resumed_by_number_without_a_gap_or_a_repeat() -> None:
    fake = sample_engine()
    async with open_screen(fake) as (app, pilot):
        await _open(app, pilot, "r-8f3")
        before = len(_lines(app))
        await lose(app, pilot, fake)
        for number in (8, 9):
            fake.progress("r-8f3", number, 10, f"file {number}")
        await come_back(app, pilot, fake)
        await until(pilot, lambda: len(_lines(app)) > before)
        assert _lines(app)[before:] == ["8/10  file 8", "9/10  file 9"]
        assert fake.called("run_events")[-1]["after"] == 8


async def test_a_viewer_that_retention_has_passed_reads_the_run_anew_and_says_so() -> None:
    fake = sample_engine()
    async with open_screen(fake) as (app, pilot):
        await _open(app, pilot, "r-8f3")
        await lose(app, pilot, fake)
        for number in (8, 9):
            fake.progress("r-8f3", number, 10, f"file {number}")
        fake.forget_events("r-8f3", 9)
        await come_back(app, pilot, fake)
        await until(pilot, lambda: _lines(app) == ["9/10  file 9"])
        await until(pilot, lambda: "read anew" in _page(app))
        assert "The first 9 events are not kept any more." in _page(app)
        fake.progress("r-8f3", 10, 10, "file 10")
        await until(pilot, lambda: _lines(app) == ["9/10  file 9", "10/10  file 10"])


async def test_a_lost_daemon_leaves_the_page_in_view() -> None:
    fake = sample_engine()
    async with open_screen(fake, NARROW) as (app, pilot):
        await _open(app, pilot, "r-8f3")
        await lose(app, pilot, fake)
        assert app.screen.has_class("-greyed")
        assert "filesystem.search_files" in _page(app)
        assert "not followed" in _title(app)


async def test_a_run_that_is_gone_says_so_and_the_screen_lives_on() -> None:
    fake = sample_engine()
    async with open_screen(fake) as (app, pilot):
        view = replace(app.state.runs["r-8f2"], id="r-none")
        app.open_run_page(view)
        await _is_open(app, pilot)
        await until(pilot, lambda: "r-none" in _page(app) and "no run" in _page(app))


async def test_r_begins_a_settled_call_again_and_its_page_opens() -> None:
    fake = sample_engine()
    async with open_screen(fake) as (app, pilot):
        await _open(app, pilot, "r-8f2")
        await press(pilot, "r")
        await until(pilot, lambda: run_screen(app).key == ("acme", "r-0001"))
        await until(pilot, lambda: "attempt      2" in _page(app))
        assert '"url": "https://example.org/"' in _page(app)
        assert "r-8f2 was begun again as r-0001" in [said.text for said in app.messages]


async def test_outside_work_and_active_runs_are_not_retried() -> None:
    fake = staged_engine()
    async with open_screen(fake) as (app, pilot):
        for run_id in ("r-900", "r-902"):
            await _open(app, pilot, run_id)
            await press(pilot, "r")
        assert not fake.called("retry_run")


async def test_what_the_engine_refuses_becomes_a_message() -> None:
    fake = FakeEngine()
    error = RunError("stopped", "stopped by ops")
    view = run_view("r-1", kind=RunKind.COMMAND, status=RunStatus.ABORTED, error=error, scope="s")
    fake.add_run(view)
    fake.add_run(run_view("r-2", scope="s"))
    async with open_screen(fake) as (app, pilot):
        await _open(app, pilot, "r-1")
        await press(pilot, "r")
        await until(pilot, lambda: bool(app.messages))
        assert "r-2" in app.messages[-1].text
        await until(pilot, lambda: "retry failed" in _page(app))


async def test_tab_changes_the_panel_and_z_gives_it_the_screen() -> None:
    async with open_screen(staged_engine(), NARROW) as (app, pilot):
        await _open(app, pilot, "r-902")
        await press(pilot, "tab")
        assert run_screen(app).log_view.has_focus
        await press(pilot, "z")
        assert not run_screen(app).page_view.display
        assert run_screen(app).log_view.size.height > 15
        await press(pilot, "escape")
        assert run_screen(app).page_view.display


async def test_a_flood_of_events_is_drawn_by_the_frame_and_none_is_lost() -> None:
    fake = sample_engine()
    async with open_screen(fake) as (app, pilot):
        await _open(app, pilot, "r-8f3")
        before, drawn_pages = len(_lines(app)), 0
        show = run_screen(app).page_view.show

        def count(*args: Any, **options: Any) -> None:
            nonlocal drawn_pages
            drawn_pages += 1
            show(*args, **options)

        run_screen(app).page_view.show = count  # type: ignore[method-assign]
        began = time.monotonic()
        for number in range(500):
            fake.output("r-8f3", f"line {number}")
        await until(pilot, lambda: len(_lines(app)) == before + 500)
        frames = (time.monotonic() - began) / FRAME_S
        assert _lines(app)[before:] == [f"line {number}" for number in range(500)]
        assert drawn_pages < 2 * frames + 10, "once for what arrived and once for the row's change"
