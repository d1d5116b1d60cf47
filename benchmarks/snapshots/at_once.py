"""Ten bundles started together: until all are ready, cold and from their snapshots."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from benchmarks.snapshots.bundles import BUNDLES, await_warm, build, install, stop
from benchmarks.snapshots.share import Share
from benchmarks.snapshots.subjects import Subject
from roost.client.wire import Wire
from roost.models import BundleSettings, SnapshotPolicy

BUNDLES_AT_ONCE = 10

ROUNDS = 4
"""The first one is not counted."""


def ten_at_once(wire: Wire, subject: Subject) -> Share:
    """Install a subject ten times with a snapshot and ten times without, and start them in turn."""
    restored = [f"{subject.name}-{number}" for number in range(BUNDLES_AT_ONCE)]
    cold = [f"{name}-cold" for name in restored]
    off = BundleSettings(snapshot=SnapshotPolicy.OFF)
    for name in cold:
        install(wire, replace(subject.request, name=name, settings=off))
    for name in restored:
        install(wire, replace(subject.request, name=name))
        build(wire, name)
    pairs = []
    for _ in range(ROUNDS):
        for name in restored:
            await_warm(wire, name)
        pairs.append((_start_all(wire, restored), _start_all(wire, cold)))
    title = f"{BUNDLES_AT_ONCE} of {subject.name} at once, from snapshots / cold"
    from_snapshots, from_cold = zip(*pairs[1:], strict=True)
    return Share(title, from_snapshots, from_cold, is_gain=True)


def _start_all(wire: Wire, names: Sequence[str]) -> float:
    """Start all of them and return the milliseconds until the last one is ready; stop them then."""

    def start(name: str) -> None:
        result = Wire(wire.socket_path).send("POST", f"{BUNDLES}/{name}/respawn", b"{}")
        if not result["ok"]:
            raise SystemExit(result["sentence"])

    for name in names:
        stop(wire, name)
    with ThreadPoolExecutor(BUNDLES_AT_ONCE) as pool:
        began = time.perf_counter()
        tuple(pool.map(start, names))
        took_ms = (time.perf_counter() - began) * 1000
    for name in names:
        stop(wire, name)
    return took_ms
