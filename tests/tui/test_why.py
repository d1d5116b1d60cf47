"""Why a bundle is down, on the screen."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest
from tests.support.fake_engine import FakeEngine, sample_engine
from tests.support.screen import come_back, lose, open_screen, press, until
from textual.pilot import Pilot
from textual.widgets import Static

from roost.models import SlotState, WhyCheck, WhyReport, WhyStatus, WhyStep
from roost_tui.app import RoostApp
from roost_tui.bundle_screen import BundleScreen
from roost_tui.modals import CredentialsModal, WhyModal
from roost_tui.modals.why_row import WhyRow, copied_text


def _words(app: RoostApp, selector: str) -> str:
    return "\n".join(str(part.content) for part in app.screen.query(selector).results(Static))


async def _asked(app: RoostApp, pilot: Pilot[None], name: str) -> None:
    await until(pilot, lambda: app.dashboard.bundle_table.select(("acme", name)))
    await press(pilot, "w")
    await until(pilot, lambda: isinstance(app.screen, WhyModal))


async def _answered(app: RoostApp, pilot: Pilot[None]) -> None:
    await until(pilot, lambda: len(app.screen.query(WhyRow)) == len(WhyCheck))
    await pilot.pause()


async def test_a_dead_bundle_shows_every_check_the_evidence_and_the_key() -> None:
    async with open_screen(sample_engine()) as (app, pilot):
        await _asked(app, pilot, "git")
        await _answered(app, pilot)
        assert [row.step.check for row in app.screen.query(WhyRow)] == list(WhyCheck)
        assert "acme/git is dead" in _words(app, ".summary")
        assert "fatal: repository" in _words(app, ".evidence")
        assert _words(app, ".way-out").startswith("R respawn")


async def test_the_key_that_mends_it_closes_the_answer_and_does_it() -> None:
    fake = sample_engine()
    async with open_screen(fake) as (app, pilot):
        await _asked(app, pilot, "git")
        await _answered(app, pilot)
        await press(pilot, "R")
        await until(pilot, lambda: bool(fake.called("respawn")))
        assert app.screen is app.dashboard
        assert fake.called("respawn")[0]["name"] == "git"


async def test_missing_credentials_lead_to_their_form() -> None:
    async with open_screen(sample_engine()) as (app, pilot):
        await _asked(app, pilot, "search")
        await _answered(app, pilot)
        await press(pilot, "c")
        await until(pilot, lambda: isinstance(app.screen, CredentialsModal))


async def test_a_key_that_mends_nothing_here_does_nothing() -> None:
    fake = sample_engine()
    async with open_screen(fake) as (app, pilot):
        await _asked(app, pilot, "git")
        await _answered(app, pilot)
        await press(pilot, "S", "c")
        assert isinstance(app.screen, WhyModal)
        assert not fake.called("start")


async def test_a_remapped_key_is_the_one_that_is_shown_and_works() -> None:
    fake = sample_engine()
    async with open_screen(fake, keymap={"bundle.respawn": "f5"}) as (app, pilot):
        await _asked(app, pilot, "git")
        await _answered(app, pilot)
        assert _words(app, ".way-out").startswith("f5 respawn")
        await press(pilot, "f5")
        await until(pilot, lambda: bool(fake.called("respawn")))


async def test_a_read_only_screen_shows_the_way_out_without_a_key() -> None:
    async with open_screen(sample_engine(), read_only=True) as (app, pilot):
        await _asked(app, pilot, "git")
        await _answered(app, pilot)
        assert _words(app, ".way-out").startswith("mend what its last words name")
        await press(pilot, "R")
        assert isinstance(app.screen, WhyModal)


async def test_nothing_is_wrong_is_said_too() -> None:
    async with open_screen(sample_engine()) as (app, pilot):
        await _asked(app, pilot, "filesystem")
        await _answered(app, pilot)
        assert "Nothing is wrong" in _words(app, ".summary")


async def test_while_it_looks_it_says_so_and_is_not_asked_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake = sample_engine()
    gate, asked, why = asyncio.Event(), list[str](), fake.why

    async def slowly(workspace: str, name: str) -> WhyReport:
        asked.append(name)
        await gate.wait()
        return await why(workspace, name)

    monkeypatch.setattr(fake, "why", slowly)
    async with open_screen(fake) as (app, pilot):
        await _asked(app, pilot, "git")
        await until(pilot, lambda: asked == ["git"])
        assert "Checking definition" in _words(app, ".summary")
        await press(pilot, "r")
        gate.set()
        await _answered(app, pilot)
        assert asked == ["git"]


async def test_a_bundle_that_moves_makes_the_answer_old_until_it_is_checked_again() -> None:
    fake = sample_engine()
    async with open_screen(fake) as (app, pilot):
        await _asked(app, pilot, "git")
        await _answered(app, pilot)
        modal = cast(WhyModal, app.screen)
        note = modal.query_one(".changed", Static)
        assert not note.display
        await fake.respawn("acme", "git")
        await until(pilot, lambda: app.state.bundles["acme", "git"].state is SlotState.RUNNING)
        await until(pilot, lambda: note.display)
        await press(pilot, "r")
        await until(pilot, lambda: "Nothing is wrong" in _words(app, ".summary"))
        assert not note.display


async def test_without_a_daemon_the_answer_stays_and_can_be_asked_for_again() -> None:
    fake = sample_engine()
    async with open_screen(fake) as (app, pilot):
        await _asked(app, pilot, "git")
        await _answered(app, pilot)
        modal = app.screen
        await lose(app, pilot, fake)
        await press(pilot, "r")
        await until(pilot, lambda: "not connected" in _words(app, ".summary"))
        assert len(modal.query(WhyRow)) == len(WhyCheck)
        await come_back(app, pilot, fake)
        assert app.screen is modal
        await press(pilot, "r")
        await until(pilot, lambda: "acme/git is dead" in _words(app, ".summary"))


async def test_a_bundle_that_is_gone_is_told_from_one_that_is_down() -> None:
    fake = sample_engine()
    async with open_screen(fake) as (app, pilot):
        await _asked(app, pilot, "weather")
        await _answered(app, pilot)
        await fake.remove("acme", "weather")
        await press(pilot, "r")
        await until(pilot, lambda: "weather" in _words(app, ".summary"))
        await until(pilot, lambda: "roost add" in _words(app, ".summary"))


async def test_it_is_asked_from_the_bundle_screen_and_leads_back_to_it() -> None:
    fake: FakeEngine = sample_engine()
    async with open_screen(fake) as (app, pilot):
        await until(pilot, lambda: app.dashboard.bundle_table.select(("acme", "git")))
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(app.screen, BundleScreen))
        await press(pilot, "w")
        await until(pilot, lambda: isinstance(app.screen, WhyModal))
        await _answered(app, pilot)
        await press(pilot, "y")
        assert app.clipboard == "roost logs acme/git"
        await press(pilot, "escape")
        assert isinstance(app.screen, BundleScreen)


def test_what_is_copied_is_the_command_or_else_what_to_do() -> None:
    step = WhyStep(WhyCheck.SPAWN, WhyStatus.FAILED, "it ended", (), "`roost start a/b` starts it")
    assert copied_text(step) == "roost start a/b"
    plain = WhyStep(WhyCheck.RUNTIME, WhyStatus.FAILED, "no node", (), "install node")
    assert copied_text(plain) == "install node"


async def test_closed_at_once_it_leaves_the_screen_as_it_was() -> None:
    async with open_screen(sample_engine()) as (app, pilot):
        for _ in range(3):
            app.push_screen(WhyModal(app.state.bundles["acme", "git"], {}))
            app.screen.dismiss(None)
            await pilot.pause()
        assert app.is_running
        assert app.screen is app.dashboard
