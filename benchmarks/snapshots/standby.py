"""Starts from a parked process against cold ones; the next one is parked before each pair."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.snapshots.comparison import Comparison, compare
from benchmarks.snapshots.subjects import Subject
from roost.client.wire import Wire
from roost.models import SnapshotBackend


def standbys(wire: Wire, subjects: Iterator[Subject]) -> Iterator[Comparison]:
    """Yield one comparison for each subject."""
    for subject in subjects:
        yield compare(wire, subject, SnapshotBackend.STANDBY)
