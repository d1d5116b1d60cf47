"""Runs a second of Roost's ledger beside plain `sqlite3` and dbos on SQLite, interleaved.

A run is a begin, ten steps and an end. Every subject takes its turn in every round, first with one
run after the other, then with 32 at once; the lines give medians and ranges of the rounds.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks import fanout
from benchmarks.run_subjects import (
    Batch,
    DbosSubject,
    PlainSubject,
    RoostSubject,
    Subject,
    bytes_in,
)
from benchmarks.supervision.rivals import NotInstalled

ROUNDS = 5
RUNS = 25
"""Runs of the slowest subject in one turn; the others do a multiple of it."""

AT_ONCE = 32
WARM_UP = 3


def run() -> Iterator[str]:
    """Yield a line per figure."""
    with tempfile.TemporaryDirectory(prefix="roost-bench-") as folder, ExitStack() as stack:
        subjects, missing = _subjects(Path(folder))
        for reason in missing:
            yield f"dbos is left out: {reason}"
        for subject in subjects:
            stack.callback(subject.close)
            subject.batch(WARM_UP, 1)
        one, many = _turns(subjects)
        for subject in subjects:
            for at_once, batches in ((1, one[subject.name]), (AT_ONCE, many[subject.name])):
                yield _line(subject, at_once, batches)
        yield from _ratios(subjects, one, many)
    yield from _sizes()
    yield from fanout.run()


def _subjects(folder: Path) -> tuple[list[Subject], list[str]]:
    subjects: list[Subject] = [RoostSubject(folder), PlainSubject(folder)]
    try:
        subjects += [DbosSubject(folder, "delete"), DbosSubject(folder, "wal")]
    except NotInstalled as error:
        return subjects, [str(error)]
    return subjects, []


Turns = dict[str, list[Batch]]


def _turns(subjects: Sequence[Subject]) -> tuple[Turns, Turns]:
    one: Turns = {subject.name: [] for subject in subjects}
    many: Turns = {subject.name: [] for subject in subjects}
    for _ in range(ROUNDS):
        for subject in subjects:
            one[subject.name].append(subject.batch(RUNS * subject.weight, 1))
        for subject in subjects:
            many[subject.name].append(subject.batch(2 * RUNS * subject.weight, AT_ONCE))
    return one, many


def _line(subject: Subject, at_once: int, batches: Sequence[Batch]) -> str:
    rates = [batch.runs / batch.seconds for batch in batches]
    begins = sorted(took * 1000 for batch in batches for took in batch.begins)
    p50, p99 = statistics.median(begins), begins[int(len(begins) * 0.99)]
    return (
        f"{subject.name}, {at_once} at once: {statistics.median(rates):.0f} runs/s "
        f"({min(rates):.0f}-{max(rates):.0f}), begin p50 {p50:.2f} ms p99 {p99:.2f} ms; "
        f"{subject.durability}"
    )


def _ratios(subjects: Sequence[Subject], one: Turns, many: Turns) -> Iterator[str]:
    for other in subjects[1:]:
        words = [
            f"{_ratio(turns['roost'], turns[other.name]):.1f} times with {at_once} at once"
            for at_once, turns in ((1, one), (AT_ONCE, many))
        ]
        yield f"roost / {other.name}, median of the rounds: {', '.join(words)}"


def _ratio(ours: Sequence[Batch], theirs: Sequence[Batch]) -> float:
    pairs = zip(ours, theirs, strict=True)
    return statistics.median(
        (mine.runs / mine.seconds) / (other.runs / other.seconds) for mine, other in pairs
    )


def _sizes() -> Iterator[str]:
    makers: tuple[Callable[[Path], Subject], ...] = (RoostSubject, PlainSubject)
    for make in makers:
        sizes = []
        for count in (100, 400):
            with tempfile.TemporaryDirectory(prefix="roost-bench-") as folder:
                subject = make(Path(folder))
                subject.batch(count, AT_ONCE)
                sizes.append(bytes_in(subject.close()))
        yield f"{subject.name}: {(sizes[1] - sizes[0]) / 300:.0f} bytes a run on disk"
