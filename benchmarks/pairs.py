"""Interleaved pairs: two things measured in turn, so that a drifting machine cancels out."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pairs:
    """Seconds of both sides, pair by pair."""

    name: str
    subject: tuple[float, ...]
    floor: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """Median of the subject over median of the floor."""
        return statistics.median(self.subject) / statistics.median(self.floor)

    def __str__(self) -> str:
        subject, floor = statistics.median(self.subject), statistics.median(self.floor)
        return (
            f"{self.name:<44} {subject * 1000:8.1f} ms  floor {floor * 1000:8.1f} ms  "
            f"ratio {self.ratio:5.2f}  (n={len(self.subject)})"
        )


def seconds(work: Callable[[], object]) -> float:
    """Time one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measure(
    name: str, subject: Callable[[], object], floor: Callable[[], object], *, count: int = 11
) -> Pairs:
    """Measure both in turn, after one warm-up each.

    Args:
        name: what is measured.
        subject: ours.
        floor: what it is compared with.
        count: pairs to take.
    """
    subject()
    floor()
    taken = [(seconds(subject), seconds(floor)) for _ in range(count)]
    return Pairs(name, tuple(pair[0] for pair in taken), tuple(pair[1] for pair in taken))
