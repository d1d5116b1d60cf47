"""How the screen looks, at the two sizes that matter most."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from tests.support.fake_engine import FakeEngine, sample_engine
from tests.support.screen import NARROW, WIDE, shown, until
from textual.pilot import Pilot

from roost_tui.app import RoostApp
from roost_tui.state import LinkPhase
from roost_tui.widgets.filter_bar import FilterInput

Compare = Callable[..., bool]
Before = Callable[[Pilot[None]], Awaitable[None]]

SIZES = pytest.mark.parametrize("size", [NARROW, WIDE], ids=["80x24", "120x40"])


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


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
    assert snap_compare(app, terminal_size=size, run_before=_ready(text="roost demo"))


@SIZES
def test_a_lost_daemon(snap_compare: Compare, size: tuple[int, int]) -> None:
    fake = sample_engine()

    async def before(pilot: Pilot[None]) -> None:
        await _ready(text="weather")(pilot)
        fake.disconnect()
        await until(pilot, lambda: _app_of(pilot).state.link.phase is LinkPhase.LOST)
        await pilot.pause()

    assert snap_compare(_app(fake), terminal_size=size, run_before=before)


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
    before = _ready(*"jjjj", "enter", text="python3 -m git", panel="#detail")
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
