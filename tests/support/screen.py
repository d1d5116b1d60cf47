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

WIDE = (120, 40)
NARROW = (80, 24)


@asynccontextmanager
async def open_screen(
    fake: FakeEngine, size: tuple[int, int] = WIDE, **options: Any
) -> AsyncIterator[tuple[RoostApp, Pilot[None]]]:
    """Open the screen and wait until it has the first snapshot."""
    app = RoostApp(options.pop("engine", fake), clock=fake.clock, **options)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: app.state.has_seen_engine)
        yield app, pilot


async def until(pilot: Pilot[None], holds: Callable[[], bool]) -> None:
    """Let the app work until something holds, five seconds at most."""
    async with asyncio.timeout(5):
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
