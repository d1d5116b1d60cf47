"""How the bundle screen and the question why look, at the two sizes that matter most."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.support.bundle_scenes import begin_handover, measured_engine
from tests.support.fake_engine import FakeEngine, sample_engine
from tests.support.screen import NARROW, WIDE, lose, until
from textual.pilot import Pilot

from roost.models import WhyCheck
from roost_tui.app import RoostApp
from roost_tui.bundle_screen import BundleScreen
from roost_tui.modals import WhyModal
from roost_tui.modals.why_row import WhyRow

Compare = Callable[..., bool]
Before = Callable[[Pilot[None]], Awaitable[None]]

SIZES = pytest.mark.parametrize("size", [NARROW, WIDE], ids=["80x24", "120x40"])


def _handed_over() -> FakeEngine:
    fake = measured_engine()
    begin_handover(fake)
    return fake


BUNDLES: dict[str, tuple[Callable[[], FakeEngine], str]] = {
    "running": (measured_engine, "filesystem"),
    "handover": (_handed_over, "filesystem"),
    "dead": (sample_engine, "git"),
    "backing-off": (sample_engine, "indexer"),
    "stale": (sample_engine, "db-query"),
}


def _app_of(pilot: Pilot[None]) -> RoostApp:
    assert isinstance(pilot.app, RoostApp)
    return pilot.app


async def _on(pilot: Pilot[None], name: str, key: str) -> RoostApp:
    app = _app_of(pilot)
    await until(pilot, lambda: app.state.has_seen_engine)
    await until(pilot, lambda: app.dashboard.bundle_table.select(("acme", name)))
    await pilot.press(key)
    await pilot.pause()
    return app


async def _open_bundle(pilot: Pilot[None], name: str) -> None:
    app = await _on(pilot, name, "enter")
    await until(pilot, lambda: isinstance(app.screen, BundleScreen))
    screen = app.screen
    assert isinstance(screen, BundleScreen)
    await until(pilot, lambda: "environment" in screen.page_view.text)
    await until(pilot, lambda: "  snapshot  " in screen.page_view.text)
    await pilot.pause()


def _bundle(name: str, then: Callable[[Pilot[None]], Awaitable[None]] | None = None) -> Before:
    async def before(pilot: Pilot[None]) -> None:
        await _open_bundle(pilot, name)
        if then is not None:
            await then(pilot)
        await pilot.pause()

    return before


def _why(name: str) -> Before:
    async def before(pilot: Pilot[None]) -> None:
        app = await _on(pilot, name, "w")
        await until(pilot, lambda: isinstance(app.screen, WhyModal))
        await until(pilot, lambda: len(app.screen.query(WhyRow)) == len(WhyCheck))
        for _ in range(3):
            await pilot.pause()

    return before


def _app(fake: FakeEngine, **options: Any) -> RoostApp:
    return RoostApp(fake, clock=fake.clock, **options)


@SIZES
@pytest.mark.parametrize("scene", BUNDLES)
def test_a_bundle(snap_compare: Compare, scene: str, size: tuple[int, int]) -> None:
    build, name = BUNDLES[scene]
    assert snap_compare(_app(build()), terminal_size=size, run_before=_bundle(name))


@SIZES
def test_a_bundle_of_a_lost_daemon(snap_compare: Compare, size: tuple[int, int]) -> None:
    fake = measured_engine()

    async def gone(pilot: Pilot[None]) -> None:
        await lose(_app_of(pilot), pilot, fake)

    before = _bundle("filesystem", gone)
    assert snap_compare(_app(fake), terminal_size=size, run_before=before)


def test_a_bundle_in_plain_characters(snap_compare: Compare) -> None:
    app = _app(_handed_over(), ascii_only=True)
    assert snap_compare(app, terminal_size=NARROW, run_before=_bundle("filesystem"))


def test_a_bundle_in_light_colours(snap_compare: Compare) -> None:
    app = _app(measured_engine(), theme="textual-light")
    assert snap_compare(app, terminal_size=NARROW, run_before=_bundle("filesystem"))


@SIZES
@pytest.mark.parametrize("name", ["git", "search", "db-query", "filesystem"])
def test_why(snap_compare: Compare, name: str, size: tuple[int, int]) -> None:
    assert snap_compare(_app(sample_engine()), terminal_size=size, run_before=_why(name))


def test_why_in_plain_characters(snap_compare: Compare) -> None:
    app = _app(sample_engine(), ascii_only=True)
    assert snap_compare(app, terminal_size=NARROW, run_before=_why("git"))


def test_why_without_colours(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = _app(sample_engine())
    assert snap_compare(app, terminal_size=NARROW, run_before=_why("git"))
