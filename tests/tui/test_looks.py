"""How the screen looks, at the two sizes that matter most."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.support.fake_engine import FakeEngine, sample_engine
from tests.support.screen import NARROW, WIDE, ask_again, be_gone, shown, stop, until
from textual.pilot import Pilot

from roost.contract import EngineAPI
from roost_tui.app import RoostApp
from roost_tui.state import LinkPhase
from roost_tui.widgets.filter_bar import FilterInput

Compare = Callable[..., bool]
Before = Callable[[Pilot[None]], Awaitable[None]]

SIZES = pytest.mark.parametrize("size", [NARROW, WIDE], ids=["80x24", "120x40"])


def _app(fake: FakeEngine, **options: Any) -> RoostApp:
    return RoostApp(fake, clock=fake.clock, **options)


def _app_of(pilot: Pilot[None]) -> RoostApp:
    assert isinstance(pilot.app, RoostApp)
    return pilot.app


def _ready(*keys: str, text: str = "", panel: str = "#bundles") -> Before:
    """Wait for the first rows, press keys, then wait until a panel shows a text."""

    async def before(pilot: Pilot[None]) -> None:
        app = _app_of(pilot)
        await until(pilot, lambda: app.state.has_seen_engine)
        app.dashboard.query_one(FilterInput).cursor_blink = False
        await pilot.pause()
        await pilot.press(*keys)
        await until(pilot, lambda: text in shown(app, panel))
        await pilot.pause()

    return before


@SIZES
def test_the_dashboard_on_a_busy_day(snap_compare: Compare, size: tuple[int, int]) -> None:
    app = _app(sample_engine(), workspace="acme")
    before = _ready("G", "k", "k", text="weather")
    assert snap_compare(app, terminal_size=size, run_before=before)


@SIZES
def test_all_workspaces(snap_compare: Compare, size: tuple[int, int]) -> None:
    app = _app(sample_engine())
    assert snap_compare(app, terminal_size=size, run_before=_ready(text="weather"))


@SIZES
def test_nothing_installed(snap_compare: Compare, size: tuple[int, int]) -> None:
    app = _app(FakeEngine())
    assert snap_compare(
        app, terminal_size=size, run_before=_ready(text="none was found", panel="#welcome")
    )


@SIZES
def test_a_lost_daemon(snap_compare: Compare, size: tuple[int, int]) -> None:
    fake = sample_engine()

    async def before(pilot: Pilot[None]) -> None:
        await _ready(text="weather")(pilot)
        fake.disconnect()
        await until(pilot, lambda: _app_of(pilot).state.link.phase is LinkPhase.LOST)
        await pilot.pause()

    assert snap_compare(_app(fake), terminal_size=size, run_before=before)


async def _stopping(pilot: Pilot[None], fake: FakeEngine, *names: str) -> None:
    """Let the daemon stop: the first name ends soon, the others take three seconds so far."""
    app = _app_of(pilot)
    await _ready(text="weather")(pilot)
    await stop(app, pilot, fake, *names)
    await ask_again(pilot, fake, 0.4)
    fake.wait_for(*names[1:])
    for _ in range(3):
        await ask_again(pilot, fake, 0.8)


NAMES = ("runs", "stop acme/filesystem", "stop acme/db-query", "stop acme/dashboard")


@SIZES
def test_a_daemon_that_is_stopping(snap_compare: Compare, size: tuple[int, int]) -> None:
    fake = sample_engine()

    async def before(pilot: Pilot[None]) -> None:
        await _stopping(pilot, fake, *NAMES)

    assert snap_compare(_app(fake), terminal_size=size, run_before=before)


@SIZES
def test_a_daemon_that_waits_for_much(snap_compare: Compare, size: tuple[int, int]) -> None:
    fake = sample_engine()

    async def before(pilot: Pilot[None]) -> None:
        await _stopping(pilot, fake, *(f"stop acme/server-{number}" for number in range(1, 31)))

    assert snap_compare(_app(fake), terminal_size=size, run_before=before)


@SIZES
def test_a_daemon_that_has_stopped(snap_compare: Compare, size: tuple[int, int]) -> None:
    fake = sample_engine()

    async def before(pilot: Pilot[None]) -> None:
        await _stopping(pilot, fake, *NAMES)
        fake.wait_for(NAMES[-1])
        await ask_again(pilot, fake, 0.3)
        await be_gone(_app_of(pilot), pilot, fake)

    assert snap_compare(_app(fake), terminal_size=size, run_before=before)


@SIZES
def test_a_daemon_that_was_forced_to_end(snap_compare: Compare, size: tuple[int, int]) -> None:
    fake = sample_engine()

    async def before(pilot: Pilot[None]) -> None:
        await _stopping(pilot, fake, *NAMES)
        fake.wait_for(NAMES[-1])
        await ask_again(pilot, fake, 26.8)
        await be_gone(_app_of(pilot), pilot, fake)

    assert snap_compare(_app(fake), terminal_size=size, run_before=before)


@pytest.mark.parametrize("variant", ["textual-light", "roost-high-contrast", "ascii", "no-color"])
def test_a_daemon_that_is_stopping_in_other_colours(
    snap_compare: Compare, monkeypatch: pytest.MonkeyPatch, variant: str
) -> None:
    fake = sample_engine()
    if variant == "no-color":
        monkeypatch.setenv("NO_COLOR", "1")
    options = {"ascii": {"ascii_only": True}, "no-color": {}}.get(variant, {"theme": variant})

    async def before(pilot: Pilot[None]) -> None:
        await _stopping(pilot, fake, *NAMES)

    assert snap_compare(_app(fake, **options), terminal_size=WIDE, run_before=before)


@SIZES
def test_a_daemon_that_is_started_again(snap_compare: Compare, size: tuple[int, int]) -> None:
    fake = sample_engine()
    engines = [fake]

    async def connect() -> EngineAPI:
        if not engines:
            await asyncio.Event().wait()
        return engines.pop()

    async def before(pilot: Pilot[None]) -> None:
        await _stopping(pilot, fake, *NAMES)
        await be_gone(_app_of(pilot), pilot, fake)
        await pilot.press("r")
        await until(pilot, lambda: _app_of(pilot).state.link.phase is LinkPhase.CONNECTING)
        await pilot.pause()

    app = RoostApp(connect, clock=fake.clock)
    assert snap_compare(app, terminal_size=size, run_before=before)


@SIZES
def test_runs_with_the_focus(snap_compare: Compare, size: tuple[int, int]) -> None:
    before = _ready("tab", "j", text="r-8f3", panel="#runs")
    assert snap_compare(_app(sample_engine()), terminal_size=size, run_before=before)


@SIZES
def test_a_filter_being_typed(snap_compare: Compare, size: tuple[int, int]) -> None:
    before = _ready("slash", *"state:dead,back", text="git")
    assert snap_compare(_app(sample_engine()), terminal_size=size, run_before=before)


@SIZES
def test_the_log_of_a_bundle(snap_compare: Compare, size: tuple[int, int]) -> None:
    before = _ready(*"jjj", "l", text="request 40", panel="#logs")
    assert snap_compare(_app(sample_engine()), terminal_size=size, run_before=before)


@SIZES
def test_the_detail_of_a_dead_bundle(snap_compare: Compare, size: tuple[int, int]) -> None:
    back = "left_square_bracket"
    before = _ready(*"jjjj", back, back, back, text="python3 -m git", panel="#detail")
    assert snap_compare(_app(sample_engine()), terminal_size=size, run_before=before)


@SIZES
def test_plain_characters(snap_compare: Compare, size: tuple[int, int]) -> None:
    app = _app(sample_engine(), ascii_only=True)
    assert snap_compare(app, terminal_size=size, run_before=_ready(text="weather"))


@pytest.mark.parametrize("theme", ["roost-high-contrast", "textual-light"])
def test_other_themes(snap_compare: Compare, theme: str) -> None:
    app = _app(sample_engine(), theme=theme)
    assert snap_compare(app, terminal_size=WIDE, run_before=_ready(text="weather"))


def test_without_colours(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = _app(sample_engine())
    assert snap_compare(app, terminal_size=WIDE, run_before=_ready(text="weather"))
