"""One subject, started cold and from its snapshot in turn."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.snapshots.bundles import (
    BUNDLES,
    await_warm,
    build,
    install,
    respawn,
    stop,
    view_of,
)
from benchmarks.snapshots.processor import parent_of, used_by_tree_ms, used_ms
from benchmarks.snapshots.subjects import Subject
from roost.client.wire import Wire
from roost.models import BundleSettings, SnapshotBackend, SnapshotPolicy, StartMode

PAIRS = 11


@dataclass(frozen=True, slots=True)
class Comparison:
    """Milliseconds to readiness of both sides, and what the build said."""

    name: str
    cold: tuple[int, ...]
    restored: tuple[int, ...]
    remark: str
    cold_cpu: tuple[float, ...] = ()
    """Milliseconds of processor time of the process tree, as soon as readiness is told."""
    restored_cpu: tuple[float, ...] = ()
    """The same, with what the template used meanwhile; empty for a standby, which had used its
    own before."""

    @property
    def ratio(self) -> float:
        """How many times longer the median cold start takes."""
        return statistics.median(self.cold) / max(1, statistics.median(self.restored))

    @property
    def cpu_ratio(self) -> float | None:
        """How many times more processor time the median cold start takes."""
        if not self.restored_cpu:
            return None
        return statistics.median(self.cold_cpu) / statistics.median(self.restored_cpu)

    def __str__(self) -> str:
        cpu = "" if self.cpu_ratio is None else f"processor {self.cpu_ratio:5.1f}x  "
        return (
            f"{self.name:<20} cold {_spread(self.cold):>20} ms  snapshot "
            f"{_spread(self.restored):>18} ms  ratio {self.ratio:5.1f}x  {cpu}{self.remark}"
        )


@dataclass(frozen=True, slots=True)
class _Start:
    ready_ms: int
    cpu_ms: float | None


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
    install(wire, replace(subject.request, settings=BundleSettings(snapshot_how=how)))
    install(wire, replace(subject.request, name=cold, settings=off))
    built = build(wire, subject.name)
    pairs = []
    for _ in range(PAIRS + 1):
        await_warm(wire, subject.name)
        pairs.append((_start(wire, cold), _start(wire, subject.name)))
    pairs = pairs[1:]  # the first of each reads what the others find in memory
    await_warm(wire, subject.name)
    detail = wire.get(f"{BUNDLES}/{subject.name}/snapshot")
    for name in (cold, subject.name):
        stop(wire, name)
    restored_cpu = tuple(pair[1].cpu_ms for pair in pairs if pair[1].cpu_ms is not None)
    return Comparison(
        subject.name,
        tuple(pair[0].ready_ms for pair in pairs),
        tuple(pair[1].ready_ms for pair in pairs),
        _remark(built, detail),
        tuple(pair[0].cpu_ms or 0.0 for pair in pairs),
        restored_cpu if len(restored_cpu) == len(pairs) else (),
    )


def _start(wire: Wire, name: str) -> _Start:
    """Respawn a bundle and return what its new process took to be ready."""
    template = _template_of(view_of(wire, name)["generation"])
    before_ms = 0.0 if template is None else used_ms(template)
    generation = respawn(wire, name)
    if generation["start_mode"] == StartMode.STANDBY:
        return _Start(generation["ready_ms"], None)
    cpu_ms = used_by_tree_ms(generation["pid"])
    if template is not None and template == _template_of(generation):
        cpu_ms += used_ms(template) - before_ms
    return _Start(generation["ready_ms"], cpu_ms)


def _template_of(generation: dict[str, Any]) -> int | None:
    """Return the pid of the template that a running process was forked from."""
    is_forked = generation["start_mode"] == StartMode.ZYGOTE
    return parent_of(generation["pid"]) if is_forked else None


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
