"""Starts from a snapshot against cold ones, in interleaved pairs, through respawns of the daemon.

Every subject is installed twice: once with its snapshot, once with the policy ``off``. Both are
respawned in turn, and the time from spawn to readiness is what the daemon itself reports. What a
snapshot costs beside that is told as a share of a plain start.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.daemon import running_daemon
from benchmarks.snapshots.at_once import ten_at_once
from benchmarks.snapshots.comparison import Comparison, compare
from benchmarks.snapshots.costs import costs
from benchmarks.snapshots.share import Share
from benchmarks.snapshots.standby import standbys
from benchmarks.snapshots.steady import steady_work
from benchmarks.snapshots.subjects import node_subjects, python_subjects
from benchmarks.snapshots.traced import traced
from roost.models import SnapshotBackend

SETTINGS = {"ROOST_FIGURES_INTERVAL_S": "60"}
"""Measuring process trees costs the daemon what is measured here."""


def run() -> Iterator[Comparison | Share]:
    """Yield one comparison for each subject that can be had here, then the shares."""
    yield from comparisons()
    yield from shares()


def comparisons() -> Iterator[Comparison]:
    """Yield cold starts against starts from snapshots."""
    with running_daemon(SETTINGS) as (data_dir, wire):
        for subject in python_subjects(data_dir):
            yield compare(wire, subject)
        for subject in node_subjects(data_dir):
            for how in (SnapshotBackend.CODE_CACHE, SnapshotBackend.HEAP):
                yield compare(wire, subject, how)
        yield from standbys(wire, python_subjects(data_dir))
        yield from standbys(wire, node_subjects(data_dir))


def shares() -> Iterator[Share]:
    """Yield what else is held against plain starts."""
    with running_daemon(SETTINGS) as (data_dir, wire):
        subjects = tuple(python_subjects(data_dir))
        yield ten_at_once(wire, subjects[0])
        for subject in subjects:
            yield traced(subject)
            yield from costs(wire, data_dir, subject)
        yield steady_work(wire)
