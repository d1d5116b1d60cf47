"""Starts from a snapshot against cold ones, in interleaved pairs, through respawns of the daemon.

Every subject is installed twice: once with its snapshot, once with the policy ``off``. Both are
respawned in turn, and the time from spawn to readiness is what the daemon itself reports.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.daemon import running_daemon
from benchmarks.snapshots.comparison import Comparison, compare
from benchmarks.snapshots.standby import standbys
from benchmarks.snapshots.subjects import node_subjects, python_subjects
from roost.models import SnapshotBackend

SETTINGS = {"ROOST_FIGURES_INTERVAL_S": "60"}
"""Measuring process trees costs the daemon what is measured here."""


def run() -> Iterator[Comparison]:
    """Yield one comparison for each subject that can be had here."""
    with running_daemon(SETTINGS) as (data_dir, wire):
        for subject in python_subjects(data_dir):
            yield compare(wire, subject)
        for subject in node_subjects(data_dir):
            for how in (SnapshotBackend.CODE_CACHE, SnapshotBackend.HEAP):
                yield compare(wire, subject, how)
        yield from standbys(wire, python_subjects(data_dir))
