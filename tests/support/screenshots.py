"""``python -m tests.support.screenshots DIR``: draw the README's pictures from the running demo.

A throw-away daemon runs the demo's real servers; the screen runs on it by pilot, so what is drawn
is what an operator sees.
"""

from __future__ import annotations

import asyncio
import html
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from textual.pilot import Pilot

from roost.client.discovery import ensure_daemon, stop_daemon
from roost.client.http_engine import HttpEngine
from roost.client.wire import Wire
from roost.contract import EngineAPI
from roost.demo.provision import ACME, LAB, provision
from roost.models import (
    BundleChanged,
    CallRequest,
    Change,
    CredentialWrite,
    SlotState,
    Snapshot,
)
from roost_tui.app import RoostApp
from roost_tui.snapshots_screen import SnapshotsScreen

WIDE = (120, 36)
NARROW = (80, 24)
PREPARE_BOUND_S = 600.0
BOUND_S = 30.0
RUNNING = SlotState.RUNNING
RESTORED_STARTS = 3
"""Enough for a median that one slow start does not make."""

App = Pilot[None]


class Album:
    """Takes pictures and refuses those that show where this machine keeps its files."""

    def __init__(self, directory: Path, private: tuple[str, ...]) -> None:
        self._directory = directory
        self._private = private

    def take(self, pilot: App, name: str) -> None:
        """Save the screen as ``NAME.svg``."""
        picture = pilot.app.export_screenshot(title="roost")
        text = html.unescape(picture).replace("\xa0", " ")
        for path in self._private:
            if path in text:
                raise SystemExit(f"{name} shows {path}")
        (self._directory / f"{name}.svg").write_text(picture)
        sys.stdout.write(f"{name}.svg\n")


async def until(pilot: App, holds: Callable[[str], bool], bound_s: float = BOUND_S) -> None:
    """Wait until the drawn screen holds something."""
    async with asyncio.timeout(bound_s):
        while not holds(drawn(pilot)):  # noqa: ASYNC110 - what is drawn has no event
            await asyncio.sleep(0.1)
    await pilot.pause()


def drawn(pilot: App) -> str:
    """Return the text of the screen."""
    return html.unescape(pilot.app.export_screenshot()).replace("\xa0", " ")


async def ready(engine: EngineAPI, workspace: str, name: str) -> None:
    """Wait until a bundle runs."""
    async with asyncio.timeout(PREPARE_BOUND_S):
        async for event in engine.events():
            views = event.state.bundles if isinstance(event, Snapshot) else ()
            if isinstance(event, Change) and isinstance(event.body, BundleChanged):
                views = (event.body.bundle,)
            if any((v.workspace, v.name, v.state) == (workspace, name, RUNNING) for v in views):
                return


async def scan(engine: EngineAPI, sectors: int, seconds: float) -> str:
    """Begin the long call of the demo's server."""
    arguments = {"sectors": sectors, "seconds_per_sector": seconds}
    return (await engine.call_tool(ACME, "beacon", CallRequest("scan", arguments))).id


async def settle_runs(engine: EngineAPI) -> None:
    """Leave some finished runs behind: two that succeeded, one that failed, one stopped."""
    for request in (CallRequest("identity"), CallRequest("echo", {"text": "hello"})):
        await engine.call_tool(ACME, "beacon", request)
    await engine.call_tool(ACME, "beacon", CallRequest("scan", {"sectors": 9999}))
    await engine.call_tool(LAB, "time", CallRequest("get_current_time", {"timezone": "UTC"}))
    stopped = await scan(engine, 200, 0.1)
    await asyncio.sleep(1.5)
    await engine.stop_run(ACME, stopped)


async def prepare_starts(engine: EngineAPI) -> None:
    """Build snapshots and start from them, so that there is something to compare."""
    for name in ("git", "time"):
        await engine.build_snapshot(LAB, name)
        for _ in range(RESTORED_STARTS):
            await engine.respawn(LAB, name)


async def wide(engine: EngineAPI, album: Album) -> None:
    """The dashboard and its modals at 120 columns."""
    app = RoostApp(engine)
    async with app.run_test(size=WIDE) as pilot:
        await until(pilot, lambda text: "beacon" in text)
        await pilot.press("c")
        await until(pilot, lambda text: "Credentials of" in text)
        album.take(pilot, "credentials")
        await pilot.press("escape")
        await pilot.press("t")
        await until(pilot, lambda text: "Call a tool" in text)
        await pilot.press(*"scan", "enter")
        await until(pilot, lambda text: "Seconds Per Sector" in text)
        album.take(pilot, "call-a-tool")
        await pilot.press("ctrl+s")
        await until(pilot, lambda text: "sector 9 of 40" in text)
        album.take(pilot, "dashboard")
        await pilot.press("question_mark")
        await until(pilot, lambda text: "Help" in text)
        album.take(pilot, "help")
        await pilot.press("escape")
        await runs(pilot, album)


async def runs(pilot: App, album: Album) -> None:
    """All runs, and the page of the one that is under way."""
    await pilot.press("3")
    await until(pilot, lambda text: "tool call" in text)
    album.take(pilot, "runs")
    await pilot.press("g", "enter")
    await until(pilot, lambda text: "steps" in text and "sector 12 of 40" in text)
    album.take(pilot, "run")
    await pilot.press("escape", "escape")
    await until(pilot, lambda text: "Bundles" in text)
    await snapshots(pilot, album)


async def snapshots(pilot: App, album: Album) -> None:
    """The snapshots of all bundles, one with starts to compare."""
    await pilot.press("5")
    await until(pilot, lambda text: "RESTORED" in text and "ready" in text)
    assert isinstance(pilot.app.screen, SnapshotsScreen)
    pilot.app.screen.table.select((LAB, "time"))
    await until(pilot, lambda text: "as fast" in text)
    album.take(pilot, "snapshots")
    await pilot.press("escape")
    await until(pilot, lambda text: "Bundles" in text)


async def narrow(engine: EngineAPI, album: Album) -> None:
    """The same at 80 columns."""
    app = RoostApp(engine)
    async with app.run_test(size=NARROW) as pilot:
        await until(pilot, lambda text: "beacon" in text)
        album.take(pilot, "narrow")


async def draw(directory: Path, data_dir: Path) -> None:
    """Draw every picture."""
    private = (str(data_dir), str(Path(__file__).parents[2]), str(Path.home()), sys.prefix)
    album = Album(directory, private)
    async with HttpEngine(ensure_daemon(str(data_dir))) as engine:
        await ready(engine, LAB, "git")
        await ready(engine, LAB, "time")
        write = CredentialWrite(set={"api_key": "a key for the pictures"})
        await engine.write_credentials(ACME, "beacon", write)
        await settle_runs(engine)
        await prepare_starts(engine)
        await wide(engine, album)
        await narrow(engine, album)


def main(directory: Path) -> None:
    """Start the demo's daemon, draw, and stop it again."""
    directory.mkdir(exist_ok=True)
    data_dir = Path(tempfile.mkdtemp(prefix="roost-", dir="/tmp"))
    try:
        provision(Wire(ensure_daemon(str(data_dir))), data_dir)
        asyncio.run(draw(directory, data_dir))
    finally:
        stop_daemon(str(data_dir))
        shutil.rmtree(data_dir, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
