"""A daemon that goes away and comes back: the screen goes on where it was."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.fake_engine import FakeEngine, bundle_view, sample_engine
from tests.support.screen import (
    NARROW,
    ask_again,
    be_gone,
    come_back,
    lose,
    open_screen,
    press,
    shown,
    stop,
    until,
)
from textual.pilot import Pilot
from textual.widgets._toast import Toast

from roost.contract import EngineAPI
from roost.models import RunStatus, SlotState
from roost_tui import render, selection_screen
from roost_tui.actions import Place
from roost_tui.app import RoostApp
from roost_tui.modals import CredentialsModal, HelpModal
from roost_tui.modals.secret_input import SecretInput
from roost_tui.state import LinkPhase
from roost_tui.widgets.tables import BundleTable

API = ("default", "api")


def _many(count: int = 80) -> FakeEngine:
    fake = FakeEngine()
    for number in range(count):
        fake.add_bundle(bundle_view(f"server-{number:02}"))
    return fake


def _logging(lines: int) -> FakeEngine:
    fake = FakeEngine()
    fake.add_bundle(bundle_view("api"))
    _write(fake, 1, lines)
    return fake


def _write(fake: FakeEngine, first: int, last: int, generation: int | None = None) -> None:
    for number in range(first, last + 1):
        fake.append_log(*API, f"line {number} of the log", generation=generation)


def _logged(app: RoostApp) -> list[str]:
    """Return every line that the log panel holds."""
    return [entry.text for entry in app.dashboard.log_view.lines]


def _numbered(first: int, last: int) -> list[str]:
    return [f"line {number} of the log" for number in range(first, last + 1)]


async def _resumed(app: RoostApp, pilot: Pilot[None], fake: FakeEngine) -> None:
    """Wait until the log is followed on the new connection and has caught up."""
    await until(pilot, lambda: len(fake.called("follow_log")) == 2)
    fake.append_log(*API, "the newest line")
    await until(pilot, lambda: "the newest line" in _logged(app))


# The place in the tables --------------------------------------------------------------------------


async def test_the_cursor_stays_on_its_bundle_and_on_its_line() -> None:
    fake = _many()
    async with open_screen(fake) as (app, pilot):
        table = app.dashboard.bundle_table
        await until(pilot, lambda: len(table.rows) == 80)
        await press(pilot, *["ctrl+d"] * 8, *"kkk")
        before = table.cursor_key, table.scroll_y
        assert table.scroll_y > 0
        await lose(app, pilot, fake)
        assert (table.cursor_key, table.scroll_y) == before
        fake.change_bundle("default", "server-00", state=SlotState.DEAD)
        await come_back(app, pilot, fake)
        await until(pilot, lambda: app.state.bundles["default", "server-00"].state == "dead")
        assert (table.cursor_key, table.scroll_y) == before


async def test_the_cursor_keeps_its_line_when_rows_come_and_go_above_it() -> None:
    fake = _many()
    async with open_screen(fake) as (app, pilot):
        table = app.dashboard.bundle_table
        await until(pilot, lambda: len(table.rows) == 80)
        await press(pilot, "G")
        key, offset = table.cursor_key, len(table.rows) - table.scroll_y
        await lose(app, pilot, fake)
        for number in range(5):
            fake.add_bundle(bundle_view(f"a-{number}"))
        await come_back(app, pilot, fake)
        await until(pilot, lambda: len(table.rows) == 85)
        assert (table.cursor_key, len(table.rows) - table.scroll_y) == (key, offset)


async def test_what_the_operator_chose_to_see_stays() -> None:
    fake = sample_engine()
    async with open_screen(fake, workspace="acme") as (app, pilot):
        dashboard = app.dashboard

        def chosen() -> list[object]:
            places = [dashboard.place, dashboard.lead, dashboard.tab, dashboard.is_zoomed]
            return [
                *places,
                dashboard.workspace,
                dashboard.selection.key,
                *dashboard.choices.items(),
            ]

        await press(pilot, "slash", *"e", "enter", "less_than_sign", "less_than_sign", "o", "j")
        await press(
            pilot, "right_square_bracket", "tab", "slash", *"status:failed,running", "enter"
        )
        await press(pilot, "exclamation_mark", "exclamation_mark", "z")
        before = chosen()
        assert dashboard.is_zoomed and dashboard.place is Place.RUNS
        await lose(app, pilot, fake)
        assert chosen() == before
        await come_back(app, pilot, fake)
        assert chosen() == before


async def test_a_filter_that_is_being_typed_stays_open() -> None:
    fake = sample_engine()
    async with open_screen(fake) as (app, pilot):
        await press(pilot, "slash", *"state:de")
        await lose(app, pilot, fake)
        await come_back(app, pilot, fake)
        assert app.dashboard.is_typing
        await press(pilot, *"ad", "enter")
        assert [bundle.name for bundle in app.dashboard.bundle_table.rows] == ["git"]


@pytest.mark.parametrize("way", ["lost", "stopped"])
async def test_no_table_is_ever_empty_in_between(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    fake = sample_engine()
    counts: list[int] = []
    show = BundleTable.show

    def count(self: BundleTable, rows: Any, drawing: Any) -> None:
        counts.append(len(rows))
        show(self, rows, drawing)

    async with open_screen(fake) as (app, pilot):
        await until(pilot, lambda: len(app.dashboard.bundle_table.rows) == 12)
        monkeypatch.setattr(BundleTable, "show", count)
        if way == "lost":
            await lose(app, pilot, fake)
        else:
            await stop(app, pilot, fake, "runs")
            await be_gone(app, pilot, fake)
        await come_back(app, pilot, fake)
        await until(pilot, lambda: not app.dashboard.has_class("-greyed"))
        assert set(counts) == {12}


async def test_rows_stand_still_while_nothing_is_heard_and_the_clock_goes_on() -> None:
    fake = sample_engine()
    async with open_screen(fake, workspace="acme") as (app, pilot):
        await until(pilot, lambda: "4m11" in shown(app, "#bundles"))
        await lose(app, pilot, fake)
        rows = shown(app, "#bundles")
        fake.clock.advance(60)
        later = render.clock_time(fake.clock.now())
        await until(pilot, lambda: later in shown(app, "#header"))
        assert shown(app, "#bundles") == rows
        await come_back(app, pilot, fake)
        await until(pilot, lambda: "5m4" in shown(app, "#bundles"))


# Modals -------------------------------------------------------------------------------------------


async def test_an_open_help_stays_and_the_loss_is_said_over_it() -> None:
    fake = sample_engine()
    async with open_screen(fake, has_toasts=True) as (app, pilot):
        await press(pilot, "question_mark")
        await lose(app, pilot, fake)
        assert isinstance(app.screen, HelpModal)
        await until(pilot, lambda: bool(app.screen.query(Toast)))
        await come_back(app, pilot, fake)
        assert isinstance(app.screen, HelpModal)
        said = [message.text for message in app.messages]
        assert said[0].startswith("the daemon does not answer")
        assert said[1] == "connected to the daemon again"


async def _open_form(app: RoostApp, pilot: Pilot[None]) -> CredentialsModal:
    app.dashboard.bundle_table.select(("acme", "search"))
    await press(pilot, "c")
    await until(pilot, lambda: isinstance(app.screen, CredentialsModal))
    await until(pilot, lambda: isinstance(app.screen.focused, SecretInput))
    await press(pilot, *"typed-key")
    modal = app.screen
    assert isinstance(modal, CredentialsModal)
    return modal


async def test_a_typed_credential_survives_the_loss_and_is_saved_afterwards() -> None:
    fake = sample_engine()
    async with open_screen(fake) as (app, pilot):
        modal = await _open_form(app, pilot)
        await lose(app, pilot, fake)
        await come_back(app, pilot, fake)
        assert app.screen is modal
        await press(pilot, "ctrl+s")
        await until(pilot, lambda: bool(fake.called("write_credentials")))
        assert fake.called("write_credentials")[0]["write"].set == {"api_key": "typed-key"}


async def test_a_save_without_a_daemon_says_so_and_keeps_what_was_typed() -> None:
    fake = sample_engine()
    async with open_screen(fake) as (app, pilot):
        await _open_form(app, pilot)
        await lose(app, pilot, fake)
        await press(pilot, "ctrl+s")
        await until(pilot, lambda: "not connected" in app.messages[-1].text)
        assert not fake.called("write_credentials")
        await come_back(app, pilot, fake)
        await press(pilot, "ctrl+s")
        await until(pilot, lambda: bool(fake.called("write_credentials")))
        assert fake.called("write_credentials")[0]["write"].set == {"api_key": "typed-key"}


# The log ------------------------------------------------------------------------------------------


async def test_a_followed_log_goes_on_without_a_gap_and_without_a_double() -> None:
    fake = _logging(100)
    async with open_screen(fake) as (app, pilot):
        await until(pilot, lambda: "line 100 of" in shown(app, "#logs"))
        await lose(app, pilot, fake)
        assert "not followed" in shown(app, "#bottom-title")
        _write(fake, 101, 150)
        await come_back(app, pilot, fake)
        await _resumed(app, pilot, fake)
        assert _logged(app) == [*_numbered(1, 150), "the newest line"]
        assert "following" in shown(app, "#bottom-title")


async def test_more_than_a_tail_was_written_and_none_of_it_is_lost() -> None:
    fake = _logging(100)
    async with open_screen(fake) as (app, pilot):
        await until(pilot, lambda: "line 100 of" in shown(app, "#logs"))
        await lose(app, pilot, fake)
        _write(fake, 101, 2500)
        _write(fake, 2501, 3000, generation=2)
        _write(fake, 3001, 3300, generation=3)
        await come_back(app, pilot, fake)
        await until(pilot, lambda: "line 3300 of" in shown(app, "#logs"))
        assert _logged(app) == _numbered(1, 3300)


async def test_more_than_is_ever_shown_was_written_and_the_log_begins_anew_at_its_end() -> None:
    fake = _logging(100)
    async with open_screen(fake) as (app, pilot):
        await until(pilot, lambda: "line 100 of" in shown(app, "#logs"))
        await lose(app, pilot, fake)
        _write(fake, 101, 25_000)
        await come_back(app, pilot, fake)
        await until(pilot, lambda: "line 25000 of" in shown(app, "#logs"))
        assert _logged(app) == _numbered(24_801, 25_000)


async def test_the_line_that_is_read_stays_under_the_cursor() -> None:
    fake = _logging(100)
    async with open_screen(fake) as (app, pilot):
        await until(pilot, lambda: "line 100 of" in shown(app, "#logs"))
        await press(pilot, "l", "w", *["k"] * 30)
        log = app.dashboard.log_view
        line, top = log.cursor_line, log.scroll_y
        await lose(app, pilot, fake)
        _write(fake, 101, 120)
        await come_back(app, pilot, fake)
        await until(pilot, lambda: "paused, 20 new" in shown(app, "#bottom-title"))
        assert (log.cursor_line, log.scroll_y, log.is_wrapping) == (line, top, True)
        await press(pilot, "G")
        await until(pilot, lambda: "line 120 of" in shown(app, "#logs"))


async def test_the_log_of_an_earlier_generation_stays_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(selection_screen, "SETTLE_S", 0)
    fake = _logging(5)
    await fake.respawn(*API)
    fake.append_log(*API, "second life")
    async with open_screen(fake) as (app, pilot):
        await until(pilot, lambda: "second life" in shown(app, "#logs"))
        await press(pilot, "p")
        await until(pilot, lambda: "generation 1" in shown(app, "#bottom-title"))
        await lose(app, pilot, fake)
        await come_back(app, pilot, fake)
        for _ in range(5):
            await pilot.pause()
        assert len(fake.called("follow_log")) == 1
        assert "generation 1" in shown(app, "#bottom-title")
        assert "line 5 of the log" in shown(app, "#logs")
        await press(pilot, "f")
        await until(pilot, lambda: "second life" in shown(app, "#logs"))


async def test_older_lines_can_still_be_read_after_a_try_without_a_daemon() -> None:
    fake = _logging(450)
    async with open_screen(fake) as (app, pilot):
        await until(pilot, lambda: "line 450 of" in shown(app, "#logs"))
        await lose(app, pilot, fake)
        await press(pilot, "l", "g")
        assert app.dashboard.log_view.total == 200
        await come_back(app, pilot, fake)
        await press(pilot, "j", "g")
        await until(pilot, lambda: app.dashboard.log_view.total == 450)


async def test_the_events_of_a_run_go_on_behind_the_last_one() -> None:
    fake = sample_engine()
    async with open_screen(fake) as (app, pilot):
        await press(pilot, "tab", "j")
        await until(pilot, lambda: "7/10  scanning src" in shown(app, "#logs"))
        before = _logged(app)
        await lose(app, pilot, fake)
        fake.progress("r-8f3", 8, 10, "scanning tests")
        fake.settle_run("r-8f3", RunStatus.ABORTED)
        await come_back(app, pilot, fake)
        await until(pilot, lambda: "8/10  scanning tests" in _logged(app))
        await until(pilot, lambda: "complete" in shown(app, "#bottom-title"))
        after = _logged(app)
        assert after[: len(before) + 1] == [*before, "8/10  scanning tests"]
        assert len(set(after)) == len(after)


async def test_another_row_while_nothing_is_heard_does_not_get_the_lines_of_this_one() -> None:
    fake = sample_engine()
    async with open_screen(fake) as (app, pilot):
        await press(pilot, *"jjj")
        await until(pilot, lambda: "request 40" in shown(app, "#logs"))
        await lose(app, pilot, fake)
        await press(pilot, "j")
        assert app.dashboard.selection.label == "git"
        assert "filesystem  " in shown(app, "#bottom-title")
        assert "request 40" in shown(app, "#logs")
        await come_back(app, pilot, fake)
        await until(pilot, lambda: "fatal: repository" in shown(app, "#logs"))
        assert "git  " in shown(app, "#bottom-title")
        assert "request 40" not in shown(app, "#logs")


# A daemon that is stopped on purpose --------------------------------------------------------------


@pytest.mark.parametrize("size", [NARROW, (120, 40)], ids=["80x24", "120x40"])
async def test_a_stop_is_shown_by_name_ticks_off_and_ends_with_how_to_go_on(
    size: tuple[int, int],
) -> None:
    fake = sample_engine()
    async with open_screen(fake, size) as (app, pilot):
        await stop(app, pilot, fake, "runs", "stop acme/filesystem")
        assert "The daemon is stopping" in shown(app, "#banner")
        assert "waiting  runs" in shown(app, "#banner")
        assert "waiting  stop acme/filesystem" in shown(app, "#banner")
        assert app.dashboard.has_class("-greyed")
        assert "filesystem" in shown(app, "#bundles")
        fake.wait_for("stop acme/filesystem")
        await ask_again(pilot, fake, 0.25)
        assert "ended    runs" in shown(app, "#banner")
        await be_gone(app, pilot, fake)
        assert "The daemon has stopped; last known below" in shown(app, "#banner")
        assert "r starts it again  q leaves" in shown(app, "#banner")
        assert "stopped by ops" in shown(app, "#banner")
        assert app.messages[-1].text.startswith("the daemon has stopped after")


async def test_a_stop_that_is_forced_names_what_it_waited_for_last() -> None:
    fake = sample_engine()
    async with open_screen(fake) as (app, pilot):
        await stop(app, pilot, fake, "stop acme/filesystem")
        await ask_again(pilot, fake, 29.9)
        await be_gone(app, pilot, fake)
        assert "was forced to end" in shown(app, "#banner")
        assert "it still waited for stop acme/filesystem" in shown(app, "#banner")
        assert "it still waited for stop acme/filesystem" in app.messages[-1].text


async def test_a_stopped_daemon_is_started_by_the_key_alone_and_the_place_is_kept() -> None:
    fake = sample_engine()
    attempts: list[FakeEngine] = []

    async def connect() -> EngineAPI:
        attempts.append(fake)
        if len(attempts) > 1:
            fake.restart()
        return fake

    async with open_screen(fake, engine=connect) as (app, pilot):
        await press(pilot, *"jjj")
        key = app.dashboard.bundle_table.cursor_key
        await stop(app, pilot, fake, "runs")
        await be_gone(app, pilot, fake)
        for _ in range(3):
            fake.clock.advance(3600)
            await until(pilot, lambda: fake.clock.sleepers > 0)
        assert len(attempts) == 1
        await press(pilot, "r")
        await until(pilot, lambda: app.state.link.phase is LinkPhase.LIVE)
        assert len(attempts) == 2
        assert not app.dashboard.query_one("#banner").display
        assert app.dashboard.bundle_table.cursor_key == key


async def test_nothing_can_be_retried_while_a_daemon_is_still_stopping() -> None:
    fake = sample_engine()
    async with open_screen(fake) as (app, pilot):
        await stop(app, pilot, fake, "runs")
        assert "retry" not in shown(app, "#footer")
        await press(pilot, "r")
        await be_gone(app, pilot, fake)
        assert "retry" in shown(app, "#footer")


async def test_leaving_while_a_daemon_is_stopping_leaves() -> None:
    fake = sample_engine()
    async with open_screen(fake) as (app, pilot):
        await stop(app, pilot, fake, "runs")
        await pilot.press("q")
        await until(pilot, lambda: not app.is_running)
