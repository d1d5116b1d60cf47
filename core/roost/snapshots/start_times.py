"""How long a bundle's newest starts took, cold and from its snapshot."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from functools import partial

from roost.models import StartMode
from roost.models.snapshot import StartTimes

KEPT = 20
"""Enough for a 95th percentile that one slow start does not make alone."""


class StartLog:
    """The newest starts of one bundle, by mode."""

    def __init__(self) -> None:
        # Made when they are needed: an empty deque has room for 64 already, and most stay empty.
        self._newest: dict[StartMode, deque[int]] = defaultdict(partial(deque, maxlen=KEPT))

    def add(self, mode: StartMode, ready_ms: int) -> None:
        """Count a start; the oldest is forgotten."""
        self._newest[mode].append(ready_ms)

    def seed(self, mode: StartMode, ready_ms: Iterable[int]) -> None:
        """Take over starts of earlier daemons, oldest first."""
        self._newest[mode] = deque((*ready_ms, *self._newest[mode]), maxlen=KEPT)

    def times(self, mode: StartMode) -> StartTimes:
        """Return how long the starts of a mode took."""
        ordered = sorted(self._newest.get(mode, ()))
        if not ordered:
            return StartTimes(0)
        return StartTimes(len(ordered), _percentile(ordered, 50), _percentile(ordered, 95))


def _percentile(ordered: list[int], percent: int) -> int:
    """Return the smallest value that at least this share of the values do not exceed."""
    rank = -(-percent * len(ordered) // 100)
    return ordered[max(rank, 1) - 1]
