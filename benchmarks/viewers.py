"""A quit under 200 viewers against the same quit with none.

Six bundles run in the daemon, three MCP servers and three commands. What is timed lies between the
signal and the end of the process; each viewer must have its closing notice.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.crowd import crowd_of

from benchmarks.pairs import Pairs
from roost.client.discovery import find_daemon
from roost.client.wire import Wire
from roost.models import BundleKind, InstallRequest, SourceKind, codec
from roost.settings.locations import socket_path

MINI = Path(__file__).parent.parent / "tests" / "support" / "programs" / "mini_mcp.py"

VIEWERS = 200
HOLD_S = 2.0
COUNT = 7
START_BOUND_S = 60.0


def run() -> Iterator[Pairs]:
    """Yield the comparison."""
    taken = [(_quit_under(VIEWERS), _quit_under(0)) for _ in range(COUNT)]
    yield Pairs(
        f"quit under {VIEWERS} viewers / under none",
        tuple(pair[0] for pair in taken),
        tuple(pair[1] for pair in taken),
    )


def _quit_under(viewers: int) -> float:
    with _daemon() as (process, path):
        _install(Wire(path))
        return asyncio.run(_watch_and_quit(process, path, viewers))


async def _watch_and_quit(process: subprocess.Popen[bytes], path: str, viewers: int) -> float:
    async with crowd_of(path, ["/v1/events"] * viewers) as crowd:
        await asyncio.sleep(HOLD_S)
        began = time.perf_counter()
        process.terminate()
        status = await asyncio.to_thread(process.wait)
        took = time.perf_counter() - began
        await crowd.ended()
    if status != 0 or not all(viewer.has_notice for viewer in crowd.viewers):
        raise SystemExit(f"the daemon ended with {status}, or left a viewer without a notice")
    return took


@contextmanager
def _daemon() -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Start a daemon as a child of ours, so that its end can be timed."""
    data_dir = tempfile.mkdtemp(prefix="roost-bench-", dir="/tmp")
    command = [sys.executable, "-m", "roost.daemon", "--data-dir", data_dir]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        _wait_until(lambda: find_daemon(data_dir))
        yield process, socket_path(data_dir)
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(data_dir, ignore_errors=True)


def _install(wire: Wire) -> None:
    wire.send("POST", "/v1/workspaces", b'{"id": "bench"}')
    for number in range(3):
        _add(wire, f"server-{number}", BundleKind.MCP_STDIO, (sys.executable, "-S", str(MINI)))
        _add(wire, f"worker-{number}", BundleKind.COMMAND, ("/bin/sleep", "1000"))
    _wait_until(lambda: all(view["state"] == "running" for view in wire.get("/v1/bundles")))


def _add(wire: Wire, name: str, kind: BundleKind, command: tuple[str, ...]) -> None:
    request = InstallRequest(source=SourceKind.COMMAND, name=name, kind=kind, command=command)
    wire.send("POST", "/v1/workspaces/bench/bundles", codec.to_json(request))


def _wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_BOUND_S
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit("the daemon or its bundles did not come up")
        time.sleep(0.05)
