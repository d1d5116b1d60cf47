"""Roost beside other process supervisors and beside the bare floor, interleaved in one run.

The others are installed into an ignored folder of the checkout at first use; one that cannot be
installed is left out, and the first lines of the output say so.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.supervision.cold_start import cold_starts
from benchmarks.supervision.crash import crashes
from benchmarks.supervision.logs import log_captures
from benchmarks.supervision.respawn import respawns
from benchmarks.supervision.servers import server_starts
from benchmarks.supervision.subjects import available_subjects


def run() -> Iterator[str]:
    """Yield one line per figure."""
    subjects, missing = available_subjects()
    for name, reason in missing.items():
        yield f"{name} is left out: {reason}"
    yield from respawns(subjects)
    yield from crashes(subjects)
    yield from cold_starts(subjects, 50)
    yield from cold_starts(subjects, 200)
    yield from server_starts()
    yield from log_captures(subjects)
