"""A hundred real MCP servers started cold at once, each ready only with its tools listed."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.daemon import running_daemon
from benchmarks.respawn import INITIALIZE
from benchmarks.supervision.cold_start import at_rest
from benchmarks.supervision.roost_subject import Up
from benchmarks.supervision.waiting import until
from roost.client.discovery import stop_daemon
from roost.client.wire import Wire
from roost.models import InstallRequest, SourceKind, codec
from roost.models.codec import to_json

COUNT = 100
REQUIREMENT = "mcp-server-time==2026.10.19"
READY_BOUND_S = 300.0
QUIET_S = 5.0
LOOK_S = 0.1
"""Each look asks the daemon for all bundles, so it is not put often."""


def server_starts() -> Iterator[str]:
    """Yield how many became ready, how long that took, and the cost of keeping them."""
    with running_daemon() as (data_dir, wire):
        for number in range(COUNT):
            _install(wire, f"time-{number}", start=number == 0)
        until(lambda: _ready(wire) == 1, READY_BOUND_S, every_s=LOOK_S)
        floor = _bare(Path(data_dir))
        for number in range(1, COUNT):
            wire.send("POST", f"/v1/workspaces/bench/bundles/time-{number}/start", b"{}")
        stop_daemon(data_dir)
        up = Up(data_dir)
        began = time.perf_counter()
        up.begin()
        until(lambda: _ready(wire) == COUNT, READY_BOUND_S, every_s=LOOK_S)
        seconds = time.perf_counter() - began
        time.sleep(QUIET_S)
        percent, mebibytes = at_rest(up)
        failures = sum(view["failures"] for view in wire.get("/v1/bundles"))
    yield f"{COUNT} x mcp-server-time               bare spawn   {floor:6.2f} s to their answers"
    yield (
        f"{COUNT} x mcp-server-time               roost        {seconds:6.2f} s to {COUNT} ready, "
        f"{failures} failed starts; at rest {percent:5.2f} % cpu, {mebibytes:6.1f} MiB PSS"
    )


def _install(wire: Wire, name: str, *, start: bool) -> None:
    request = InstallRequest(
        source=SourceKind.PYPI, name=name, requirement=REQUIREMENT, start=start
    )
    wire.send("POST", "/v1/workspaces/bench/bundles", to_json(request))


def _ready(wire: Wire) -> int:
    return sum(view["state"] == "running" for view in wire.get("/v1/bundles"))


def _bare(data_dir: Path) -> float:
    """Start as many with nobody to supervise them, and wait for each one's first answer."""
    (program,) = (data_dir / "prepared").glob("*/bin/mcp-server-time")
    began = time.perf_counter()
    processes = [
        subprocess.Popen(
            [str(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(COUNT)
    ]
    question = codec.to_json(INITIALIZE) + b"\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(question)
        process.stdin.flush()
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    seconds = time.perf_counter() - began
    for process in processes:
        with process:
            process.kill()
    return seconds
