"""Work of a restored process against the same work of a cold one: what a fork costs afterwards."""

from __future__ import annotations

import http.client
import json
import sys
from dataclasses import replace
from urllib.parse import urlsplit

from benchmarks.snapshots.bundles import await_warm, build, install, respawn, stop, view_of
from benchmarks.snapshots.share import Share
from benchmarks.snapshots.subjects import PROGRAMS
from roost.client.wire import Wire
from roost.models import BundleKind, BundleSettings, InstallRequest, SnapshotPolicy, SourceKind

STARTS = 3

LOOPS = 5
"""Of each start; the first one is not counted, because it pays for pages that are still shared."""


def steady_work(wire: Wire) -> Share:
    """Start a program in turn cold and restored, and let it count in Python."""
    argv = (sys.executable, str(PROGRAMS / "counting_app.py"))
    request = InstallRequest(
        source=SourceKind.COMMAND, name="counting", kind=BundleKind.WEB, command=argv, start=False
    )
    off = BundleSettings(snapshot=SnapshotPolicy.OFF)
    install(wire, replace(request, name="counting-cold", settings=off))
    install(wire, request)
    build(wire, "counting")
    restored: list[float] = []
    cold: list[float] = []
    for _ in range(STARTS):
        await_warm(wire, "counting")
        for name in ("counting", "counting-cold"):
            respawn(wire, name)
        for number in range(LOOPS):
            pair = (_work_ms(wire, "counting"), _work_ms(wire, "counting-cold"))
            if number:
                restored.append(pair[0])
                cold.append(pair[1])
    for name in ("counting", "counting-cold"):
        stop(wire, name)
    return Share("a loop of Python code, restored / plain", tuple(restored), tuple(cold))


def _work_ms(wire: Wire, name: str) -> float:
    """Have a bundle count once and return the milliseconds of processor time that it says."""
    connection = http.client.HTTPConnection(urlsplit(view_of(wire, name)["address"]).netloc)
    try:
        connection.request("GET", "/work")
        used_ms: float = json.loads(connection.getresponse().read())["cpu_ms"]
        return used_ms
    finally:
        connection.close()
