"""`Phases`: where a build is, and how long each phase took."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from roost.clock import Clock
from roost.models.snapshot import SnapshotPhase


class Phases:
    """The phases of one build.

    Args:
        clock: times them.
        on_phase: told at the beginning of each.
    """

    def __init__(self, clock: Clock, on_phase: Callable[[SnapshotPhase], None]) -> None:
        self._clock = clock
        self._on_phase = on_phase
        self._began = clock.monotonic()
        self._took: list[tuple[SnapshotPhase, int]] = []
        self.current: SnapshotPhase | None = None
        """The newest one."""

    @property
    def took(self) -> tuple[tuple[SnapshotPhase, int], ...]:
        """Milliseconds of the phases that ended, the one that broke off included."""
        return tuple(self._took)

    @property
    def total_ms(self) -> int:
        """Milliseconds since the build began."""
        return round((self._clock.monotonic() - self._began) * 1000)

    @contextmanager
    def of(self, phase: SnapshotPhase) -> Iterator[None]:
        """Enter a phase for the time of the block."""
        began = self._clock.monotonic()
        self.current = phase
        self._on_phase(phase)
        try:
            yield
        finally:
            self._took.append((phase, round((self._clock.monotonic() - began) * 1000)))
