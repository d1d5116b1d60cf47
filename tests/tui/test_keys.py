"""Every key of the table of actions, wherever it is bound."""

from __future__ import annotations

import pytest
from tests.support.fake_engine import FakeEngine, run_view, sample_engine
from tests.support.screen import NARROW, WIDE, open_screen, press, shown, until
from textual.pilot import Pilot

from roost_tui.actions import EVERYWHERE, FILTERED, KEY_ACTIONS, TABLES, Place
from roost_tui.app import RoostApp

LEAVING = ("screen.detach", "link.retry")


async def _back_to(app: RoostApp, pilot: Pilot[None], place: Place) -> None:
    for _ in range(20):
        if app.screen is app.dashboard:
            break
        await press(pilot, "escape")
    assert app.screen is app.dashboard, f"{app.screen} stays in front"
    if app.dashboard.is_typing:
        await press(pilot, "escape")
    app.dashboard.is_zoomed = app.dashboard.is_faults_only = False
    if not app.dashboard.panel(place).has_focus:
        app.dashboard.go_to(place)
        await pilot.pause()


@pytest.mark.parametrize("place", EVERYWHERE)
async def test_no_key_of_a_panel_ends_the_screen(place: Place) -> None:
    size = WIDE if place in TABLES else NARROW
    async with open_screen(sample_engine(), size, read_only=True) as (app, pilot):
        for entry in KEY_ACTIONS:
            if place not in entry.places or entry.id in LEAVING:
                continue
            for key in entry.keys.split(","):
                await _back_to(app, pilot, place)
                await pilot.press(key)
        assert app.is_running


@pytest.mark.parametrize("place", EVERYWHERE)
async def test_the_palette_offers_only_what_the_panel_can_do(place: Place) -> None:
    async with open_screen(sample_engine(), read_only=True) as (app, pilot):
        app.dashboard.go_to(place)
        await pilot.pause()
        offered = {entry.id for entry in app.dashboard.performable()}
        assert ("screen.filter" in offered) == (place in FILTERED)
        assert ("screen.sort_order" in offered) == (place in TABLES)
        kept_out = {*LEAVING, "screen.help", "screen.workspace", "screen.menu"}
        for action_id in sorted(offered - kept_out):
            app.dashboard.action_perform(action_id)
            await pilot.pause()
            await _back_to(app, pilot, place)
        assert app.is_running


async def test_escape_clears_the_filter_first_and_never_quits() -> None:
    async with open_screen(sample_engine()) as (app, pilot):
        await press(pilot, "slash", *"git", "enter", "z")
        await press(pilot, "escape")
        assert not app.dashboard.filter_text(Place.BUNDLES)
        assert app.dashboard.is_zoomed
        for _ in range(4):
            await press(pilot, "escape")
        assert not app.dashboard.is_zoomed
        assert app.is_running


async def test_ctrl_q_detaches_from_a_modal_and_from_a_text_field() -> None:
    for keys in (("question_mark",), ("x",), ("slash", "a"), ("colon",)):
        fake = sample_engine()
        async with open_screen(fake) as (app, pilot):
            await press(pilot, *keys)
            await pilot.press("ctrl+q")
            await until(pilot, lambda app=app: not app.is_running)  # type: ignore[misc]
        assert not fake.called("shutdown")


async def test_the_menu_offers_what_the_row_allows() -> None:
    async with open_screen(sample_engine()) as (app, pilot):
        await press(pilot, "x")
        menu = "\n".join(str(line.prompt) for line in app.screen.query_one("ChoiceList").options)  # type: ignore[attr-defined]
        assert "stop" in menu
        assert "start" not in menu


async def test_there_is_nothing_to_act_on_while_nothing_is_selected() -> None:
    fake = FakeEngine()
    fake.add_run(run_view("r-1"))
    async with open_screen(fake) as (app, pilot):
        await until(pilot, lambda: "Nothing is selected" in shown(app, "#logs"))
        await press(pilot, "R", "s", "S", "c", "t", "l", "p", "u", "D", "x", "y", "enter", "o")
        assert not app.messages
        assert app.is_running
