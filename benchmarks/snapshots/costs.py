"""What a snapshot costs beside its starts: loading its template, and the look at its key."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.snapshots.bundles import BUNDLES, build, install, respawn, stop
from benchmarks.snapshots.share import Share
from benchmarks.snapshots.subjects import Subject
from roost.client.wire import Wire
from roost.models import BundleSettings, SnapshotPolicy
from roost.snapshots.environment import digest_value
from roost.snapshots.key import key_change
from roost.snapshots.record import Kept, RecordStore

BUILDS = 4
"""The first one is not counted."""

LOOKS = 11


def costs(wire: Wire, data_dir: str, subject: Subject) -> Iterator[Share]:
    """Yield the shares of a template and of a look at the key in a cold start."""
    name = f"{subject.name}-costs"
    off = BundleSettings(snapshot=SnapshotPolicy.OFF)
    install(wire, replace(subject.request, name=name, settings=off))
    pairs = []
    for _ in range(BUILDS):
        cold_ms = float(respawn(wire, name)["ready_ms"])
        build(wire, name)
        phases = dict(wire.get(f"{BUNDLES}/{name}/snapshot")["phases_ms"])
        pairs.append((float(phases["template"]), cold_ms))
    stop(wire, name)
    templates, cold = zip(*pairs[1:], strict=True)
    yield Share(f"{subject.name}: to load its template / plain", templates, cold)
    yield Share(f"{subject.name}: to look at its key / plain", tuple(_looks(data_dir, name)), cold)


def _looks(data_dir: str, name: str) -> Iterator[float]:
    """Yield the milliseconds of looks that find nothing changed."""
    records = RecordStore(str(Path(data_dir) / "snapshots"))
    kept, digest_key = records.load("bench", name), records.digest_key()
    if not isinstance(kept, Kept) or kept.made is None:
        raise SystemExit(f"{name} has no snapshot")
    # The variables of a start are known to the daemon only: here none of them is set.
    unset = {read: digest_value(digest_key, read, None) for read in kept.made.key.reads}
    key = replace(kept.made.key, variables={}, reads=unset)
    for _ in range(LOOKS):
        began = time.perf_counter()
        change = key_change(key, key.entry, {}, frozenset(), digest_key)
        yield (time.perf_counter() - began) * 1000
        if change is not None:
            raise SystemExit(change.sentence)
