"""The doctor's findings on the screen."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest
from tests.support.fake_engine import FakeEngine, sample_engine
from tests.support.modal_scenes import FINDINGS
from tests.support.screen import come_back, lose, open_screen, press, until
from textual.pilot import Pilot
from textual.widgets import Static

from roost.errors import StoreUnavailable
from roost.models import DoctorReport, Finding, Severity
from roost_tui.app import RoostApp
from roost_tui.modals import DoctorModal
from roost_tui.modals.doctor import grouped, summary
from roost_tui.modals.finding_row import FindingRow, copied_text

OPEN_DIR, MISSING_UV = FINDINGS[0], FINDINGS[7]
FINE = Finding("disk", Severity.OK, "79.2 GiB are free")


def _summary(app: RoostApp) -> str:
    return str(app.screen.query_one(".summary", Static).content)


def _checks(app: RoostApp) -> list[str]:
    return [row.finding.check for row in app.screen.query(FindingRow)]


def _chosen(app: RoostApp) -> str:
    return app.screen.focused.finding.check if isinstance(app.screen.focused, FindingRow) else ""


async def _opened(app: RoostApp, pilot: Pilot[None]) -> None:
    await press(pilot, "d")
    await until(pilot, lambda: isinstance(app.screen, DoctorModal))
    await until(pilot, lambda: bool(_chosen(app)))


def _fake(*findings: Finding) -> FakeEngine:
    fake = sample_engine()
    fake.set_findings(*findings)
    return fake


def test_what_needs_a_hand_comes_first_and_the_rest_keeps_its_order() -> None:
    checks = [finding.check for finding in grouped(FINDINGS)]
    assert checks[:4] == ["data_dir", "runtime_node", "runtime_uv", "filesystem"]
    assert len(checks) == len(FINDINGS)


@pytest.mark.parametrize(
    ("findings", "words"),
    [
        ((FINE,), "All is well: 1 check, nothing to mend."),
        ((MISSING_UV, FINE, FINE), "1 warning; 2 ok."),
        ((OPEN_DIR, OPEN_DIR, MISSING_UV), "2 problems, 1 warning; 0 ok."),
    ],
)
def test_the_findings_are_counted(findings: tuple[Finding, ...], words: str) -> None:
    assert summary(findings)[0] == words


def test_what_is_copied_is_the_command_or_else_what_to_do() -> None:
    assert copied_text(OPEN_DIR) == "chmod 700 /srv/roost"
    assert copied_text(MISSING_UV) == "curl -LsSf https://astral.sh/uv/install.sh | sh"
    assert copied_text(FINDINGS[8]).startswith("install a newer one")
    assert copied_text(FINE) == "79.2 GiB are free"


async def test_a_key_shows_the_findings_with_the_cursor_on_the_worst() -> None:
    async with open_screen(_fake(FINE, MISSING_UV, OPEN_DIR)) as (app, pilot):
        await _opened(app, pilot)
        assert _checks(app) == ["data_dir", "runtime_uv", "disk"]
        assert "1 problem, 1 warning; 1 ok." in _summary(app)
        assert _chosen(app) == "data_dir"
        await press(pilot, "j")
        assert _chosen(app) == "runtime_uv"
        await press(pilot, "y")
        assert app.clipboard == "curl -LsSf https://astral.sh/uv/install.sh | sh"
        await press(pilot, "k", "k", "y")
        assert app.clipboard == "chmod 700 /srv/roost"
        await press(pilot, "escape")
        assert len(app.screen_stack) == 1


async def test_a_second_look_shows_what_is_so_now_and_keeps_the_cursor_on_its_check() -> None:
    fake = _fake(OPEN_DIR, MISSING_UV, FINE)
    async with open_screen(fake) as (app, pilot):
        await _opened(app, pilot)
        await press(pilot, "j")
        fake.set_findings(MISSING_UV, FINE)
        await press(pilot, "r")
        await until(pilot, lambda: _checks(app) == ["runtime_uv", "disk"])
        await until(pilot, lambda: _chosen(app) == "runtime_uv")
        fake.set_findings(FINE)
        await press(pilot, "r")
        await until(pilot, lambda: "All is well" in _summary(app))
        assert len(fake.called("doctor")) == 3


async def test_while_it_looks_it_says_so_and_is_not_asked_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake = _fake(FINE)
    gate = asyncio.Event()
    asked: list[int] = []

    async def slowly() -> DoctorReport:
        asked.append(1)
        await gate.wait()
        return DoctorReport((FINE,), fake.clock.now())

    monkeypatch.setattr(fake, "doctor", slowly)
    async with open_screen(fake) as (app, pilot):
        await press(pilot, "d")
        await until(pilot, lambda: bool(asked))
        assert "Checking directories" in _summary(app)
        await press(pilot, "r", "r")
        gate.set()
        await until(pilot, lambda: "All is well" in _summary(app))
        assert len(asked) == 1


async def test_findings_for_a_view_that_was_closed_meanwhile_are_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake = _fake(FINE)
    gate, told = asyncio.Event(), asyncio.Event()

    async def slowly() -> DoctorReport:
        await gate.wait()
        told.set()
        return DoctorReport((FINE,), fake.clock.now())

    monkeypatch.setattr(fake, "doctor", slowly)
    async with open_screen(fake) as (app, pilot):
        await press(pilot, "d")
        await until(pilot, lambda: isinstance(app.screen, DoctorModal))
        await press(pilot, "escape")
        gate.set()
        await until(pilot, told.is_set)
        await pilot.pause()
        assert len(app.screen_stack) == 1


async def test_without_a_daemon_it_says_where_else_to_look_and_can_be_asked_again() -> None:
    fake = _fake(FINE)
    async with open_screen(fake) as (app, pilot):
        await lose(app, pilot, fake)
        await press(pilot, "d")
        await until(pilot, lambda: isinstance(app.screen, DoctorModal))
        await until(pilot, lambda: "not connected" in _summary(app))
        assert "Run `roost doctor` in a shell" in _summary(app)
        await come_back(app, pilot, fake)
        await press(pilot, "r")
        await until(pilot, lambda: "All is well" in _summary(app))


async def test_a_refusal_is_said_and_what_was_found_stays() -> None:
    fake = _fake(OPEN_DIR, FINE)
    async with open_screen(fake) as (app, pilot):
        await _opened(app, pilot)
        fake.refuse_next(StoreUnavailable("the store is locked; try again"))
        await press(pilot, "r")
        await until(pilot, lambda: "The store is locked" in _summary(app))
        assert _checks(app) == ["data_dir", "disk"]


async def test_it_only_reads_so_a_read_only_screen_and_the_palette_offer_it() -> None:
    async with open_screen(_fake(FINE), read_only=True) as (app, pilot):
        assert "daemon.doctor" in {entry.id for entry in app.dashboard.performable()}
        await _opened(app, pilot)
        modal = cast(DoctorModal, app.screen)
        assert modal.is_attached
