"""`FigureHistory`: the last figures of one bundle, in bounded memory."""

from __future__ import annotations

from array import array

from roost.models import Figures, FigureSample

SAMPLES_KEPT = 120
"""Four minutes at the shortest usual interval: as much as a sparkline is wide."""

_UNKNOWN = -1
"""Stands for a count that the system does not tell."""


class FigureHistory:
    """A ring of samples; numbers in arrays, because every bundle has one.

    Args:
        kept: samples that are kept.
    """

    def __init__(self, kept: int = SAMPLES_KEPT) -> None:
        self._at = array("q", bytes(8 * kept))
        self._cpu = array("f", bytes(4 * kept))
        self._rss = array("q", bytes(8 * kept))
        self._descriptors = array("i", bytes(4 * kept))
        self._threads = array("i", bytes(4 * kept))
        self._kept = kept
        self._count = 0

    def add(self, at: int, figures: Figures) -> None:
        """Take the figures of a moment; `at` in epoch milliseconds."""
        place = self._count % self._kept
        self._at[place] = at
        self._cpu[place] = figures.cpu_percent
        self._rss[place] = figures.rss_bytes
        told = figures.descriptors
        self._descriptors[place] = _UNKNOWN if told is None else told
        self._threads[place] = figures.threads
        self._count += 1

    def samples(self) -> tuple[FigureSample, ...]:
        """Return what is kept, oldest first."""
        first = max(0, self._count - self._kept)
        return tuple(self._sample(number % self._kept) for number in range(first, self._count))

    def _sample(self, place: int) -> FigureSample:
        descriptors = self._descriptors[place]
        return FigureSample(
            at=self._at[place],
            cpu_percent=round(self._cpu[place], 1),
            rss_bytes=self._rss[place],
            descriptors=None if descriptors == _UNKNOWN else descriptors,
            threads=self._threads[place],
        )
