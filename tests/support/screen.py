"""Opens the screen on a fake engine and waits for what it shows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from tests.support.fake_engine import FakeEngine
from textual.pilot import Pilot
from textual.widget import Widget

from roost_tui.app import RoostApp
from roost_tui.link import LONGEST_DELAY_S
from roost_tui.state import LinkPhase

WIDE = (120, 40)
NARROW = (80, 24)

BOUND_S = 30.0


@asynccontextmanager
async def open_screen(
    fake: FakeEngine, size: tuple[int, int] = WIDE, *, has_toasts: bool = False, **options: Any
) -> AsyncIterator[tuple[RoostApp, Pilot[None]]]:
    """Open the screen and wait until it has the first snapshot."""
    app = RoostApp(options.pop("engine", fake), clock=fake.clock, **options)
    async with app.run_test(size=size, notifications=has_toasts) as pilot:
        await until(pilot, lambda: app.state.has_seen_engine)
        yield app, pilot


async def until(pilot: Pilot[None], holds: Callable[[], bool]) -> None:
    """Let the app work until something holds, within a bound that a slow machine keeps too."""
    async with asyncio.timeout(BOUND_S):
        while not holds():
            await pilot.pause()


def drawn(widget: Widget) -> str:
    """Return what a widget shows at present, as text."""
    return "\n".join(widget.render_line(y).text.rstrip() for y in range(widget.size.height))


def shown(app: RoostApp, selector: str) -> str:
    """Return what a widget of the dashboard shows at present."""
    return drawn(app.dashboard.query_one(selector))


async def press(pilot: Pilot[None], *keys: str) -> None:
    """Press keys and let the app settle."""
    await pilot.press(*keys)
    await pilot.pause()


async def lose(app: RoostApp, pilot: Pilot[None], fake: FakeEngine) -> None:
    """Let the daemon be gone without a word, and wait until the next attempt is put off."""
    fake.disconnect()
    await until(pilot, lambda: app.state.link.phase is LinkPhase.LOST)
    await until(pilot, lambda: fake.clock.sleepers > 0)
    await pilot.pause()


async def come_back(app: RoostApp, pilot: Pilot[None], fake: FakeEngine) -> None:
    """Let another start of the daemon answer, and wait until the screen is on it."""
    await until(pilot, lambda: fake.clock.sleepers > 0)
    fake.restart()
    fake.clock.advance(LONGEST_DELAY_S)
    await until(pilot, lambda: app.state.link.phase is LinkPhase.LIVE)
    await pilot.pause()


async def stop(app: RoostApp, pilot: Pilot[None], fake: FakeEngine, *waiting_for: str) -> None:
    """Let the daemon begin to stop, and wait until the screen has asked it how far it is."""
    fake.begin_stop(*waiting_for, reason="stopped by ops", deadline_s=30)
    await until(pilot, lambda: app.state.link.shutdown is not None and fake.clock.sleepers > 0)
    await pilot.pause()


async def ask_again(pilot: Pilot[None], fake: FakeEngine, seconds: float) -> None:
    """Let time pass and the screen ask the stopping daemon once more."""
    asked = len(fake.called("status"))
    fake.clock.advance(seconds)
    await until(pilot, lambda: len(fake.called("status")) > asked and fake.clock.sleepers > 0)
    await pilot.pause()


async def be_gone(app: RoostApp, pilot: Pilot[None], fake: FakeEngine) -> None:
    """Let the stopping daemon end, and wait until the screen says so."""
    fake.disconnect()
    fake.clock.advance(1)
    await until(pilot, lambda: app.state.link.phase is LinkPhase.STOPPED)
    await until(pilot, lambda: fake.clock.sleepers > 0)
    await pilot.pause()
