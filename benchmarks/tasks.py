"""Durable tasks of Roost beside dbos and huey on SQLite, interleaved.

Three figures: how long from a submit to the first line of the handler, how many tasks of ten steps
a second (one after the other, and 16 at once), and how long after a ``kill -9`` of the worker the
next attempt begins. Every subject takes its turn in every round; the lines give medians and ranges.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.task_subjects import Batch, RoostTasks, Subject, rivals

ROUNDS = 5
FIRSTS = 40
IN_TURN = 10
TOGETHER = 64
"""Tasks of one turn: by one client for the latency, by one and by 16 for the rate."""

AT_ONCE = 16
WARM_UP = 3


def run() -> Iterator[str]:
    """Yield a line per figure."""
    with tempfile.TemporaryDirectory(prefix="roost-bench-") as folder, ExitStack() as stack:
        subjects: list[Subject] = [RoostTasks()]
        stack.callback(subjects[0].close)
        for rival in rivals(Path(folder)):
            if isinstance(rival, str):
                yield rival
                continue
            stack.callback(rival.close)
            subjects.append(rival)
        for subject in subjects:
            subject.batch("first", WARM_UP, 1)
            subject.batch("steps", WARM_UP, 1)
        yield from _firsts(subjects)
        yield from _rates(subjects, IN_TURN, 1)
        yield from _rates(subjects, TOGETHER, AT_ONCE)
        yield from _recoveries(subjects, Path(folder))
        yield from (f"{subject.name}: {subject.durability}" for subject in subjects)


def _turns(subjects: Sequence[Subject], task: str, count: int, at_once: int) -> list[list[Batch]]:
    """Return the batches of each subject."""
    rounds = [[subject.batch(task, count, at_once) for subject in subjects] for _ in range(ROUNDS)]
    return [list(batches) for batches in zip(*rounds, strict=True)]


def _firsts(subjects: Sequence[Subject]) -> Iterator[str]:
    for subject, batches in zip(subjects, _turns(subjects, "first", FIRSTS, 1), strict=True):
        firsts = sorted(took * 1000 for batch in batches for took in batch.firsts)
        p50, p95 = statistics.median(firsts), firsts[int(len(firsts) * 0.95)]
        yield f"{subject.name}, submit to first line: p50 {p50:.1f} ms, p95 {p95:.1f} ms"


def _rates(subjects: Sequence[Subject], count: int, at_once: int) -> Iterator[str]:
    for subject, batches in zip(subjects, _turns(subjects, "steps", count, at_once), strict=True):
        rates = [batch.tasks / batch.seconds for batch in batches]
        yield (
            f"{subject.name}, tasks of ten steps, {at_once} at once: "
            f"{statistics.median(rates):.1f}/s ({min(rates):.1f}-{max(rates):.1f})"
        )


def _recoveries(subjects: Sequence[Subject], folder: Path) -> Iterator[str]:
    for subject in subjects:
        found = [
            subject.recovery_s(folder / f"{subject.name}-{number}.txt") for number in range(ROUNDS)
        ]
        times = [took for took in found if took is not None]
        if not times:
            yield f"{subject.name}, kill -9 to the next attempt: never, the task is lost"
            continue
        yield (
            f"{subject.name}, kill -9 to the next attempt: {statistics.median(times):.2f} s "
            f"({min(times):.2f}-{max(times):.2f}, {len(times)} of {ROUNDS})"
        )
