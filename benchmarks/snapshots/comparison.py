"""One subject, started cold and from its snapshot in turn."""

from __future__ import annotations

import json
import statistics
import time
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.snapshots.subjects import Subject
from roost.client.wire import Wire
from roost.models import BundleSettings, SnapshotBackend, SnapshotPolicy, codec

PAIRS = 11

BUILD_TIMEOUT_S = 300.0

_BUNDLES = "/v1/workspaces/bench/bundles"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Milliseconds to readiness of both sides, and what the build said."""

    name: str
    cold: tuple[int, ...]
    restored: tuple[int, ...]
    remark: str

    @property
    def ratio(self) -> float:
        """How many times longer the median cold start takes."""
        return statistics.median(self.cold) / max(1, statistics.median(self.restored))

    def __str__(self) -> str:
        return (
            f"{self.name:<20} cold {_spread(self.cold):>20} ms  snapshot "
            f"{_spread(self.restored):>18} ms  ratio {self.ratio:5.1f}x  {self.remark}"
        )


def compare(wire: Wire, subject: Subject, how: SnapshotBackend | None = None) -> Comparison:
    """Build a subject's snapshot and take pairs; one that is refused counts as cold.

    Args:
        wire: the daemon.
        subject: what is started.
        how: the way to make the snapshot; None takes the usual one.
    """
    if how is not None:
        name = f"{subject.name}-{how}"
        subject = replace(subject, name=name, request=replace(subject.request, name=name))
    cold = f"{subject.name}-cold"
    off = BundleSettings(snapshot=SnapshotPolicy.OFF)
    for request in (
        replace(subject.request, settings=BundleSettings(snapshot_how=how)),
        replace(subject.request, name=cold, settings=off),
    ):
        wire.send("POST", _BUNDLES, codec.to_json(request))
        _respawn(wire, str(request.name))
    built = wire.send(
        "POST", f"{_BUNDLES}/{subject.name}/snapshot/build", timeout_s=BUILD_TIMEOUT_S
    )
    pairs = []
    for _ in range(PAIRS + 1):
        _await_warm(wire, subject.name, built)
        pairs.append((_respawn(wire, cold), _respawn(wire, subject.name)))
    pairs = pairs[1:]  # the first of each reads what the others find in memory
    _await_warm(wire, subject.name, built)
    detail = wire.get(f"{_BUNDLES}/{subject.name}/snapshot")
    for name in (cold, subject.name):
        wire.send("POST", f"{_BUNDLES}/{name}/stop", json.dumps({}).encode())
    return Comparison(
        subject.name,
        tuple(pair[0] for pair in pairs),
        tuple(pair[1] for pair in pairs),
        _remark(built, detail),
    )


def _await_warm(wire: Wire, name: str, built: dict[str, Any]) -> None:
    deadline = time.monotonic() + BUILD_TIMEOUT_S
    while built["state"] == "ready" and time.monotonic() < deadline:
        if wire.get(f"{_BUNDLES}/{name}/snapshot")["view"]["is_warm"]:
            return
        time.sleep(0.05)


def _respawn(wire: Wire, name: str) -> int:
    """Respawn a bundle and return how long its new process took to be ready."""
    result = wire.send("POST", f"{_BUNDLES}/{name}/respawn", b"{}")
    if not result["ok"]:
        raise SystemExit(result["sentence"])
    ready_ms: int = wire.get(f"{_BUNDLES}/{name}")["view"]["generation"]["ready_ms"]
    return ready_ms


def _remark(built: dict[str, Any], detail: dict[str, Any]) -> str:
    if built["state"] != "ready":
        return f"{built['state']}: {built['reason']['sentence']}"
    view = detail["view"]
    phases = dict(detail["phases_ms"])
    size = (view["template_bytes"] or 0) >> 20
    return (
        f"{view['modules']} modules, {view['excluded']} left out; trace {phases.get('trace', 0)} "
        f"ms, template {phases.get('template', 0)} ms, {size} MiB"
    )


def _spread(values: tuple[int, ...]) -> str:
    return f"{statistics.median(values):.0f} [{min(values)}-{max(values)}]"
