"""A clock that tests move by hand."""

from __future__ import annotations

import asyncio

FIXED_START = 1_772_442_000_000
"""2026-03-02 09:00:00 UTC in epoch milliseconds."""


class FakeClock:
    """Stands still until `advance`; sleepers wake in the order of their deadlines."""

    def __init__(self, start: int = FIXED_START) -> None:
        self._start = start
        self._elapsed = 0.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    @property
    def sleepers(self) -> int:
        """How many tasks are asleep on this clock."""
        return sum(not future.done() for _, future in self._sleepers)

    def now(self) -> int:
        return self._start + round(self._elapsed * 1000)

    def monotonic(self) -> float:
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        entry = (self._elapsed + seconds, asyncio.get_running_loop().create_future())
        self._sleepers.append(entry)
        try:
            await entry[1]
        finally:
            self._sleepers.remove(entry)

    def advance(self, seconds: float) -> None:
        """Move time on and wake everyone whose deadline has come."""
        self._elapsed += seconds
        for deadline, future in sorted(self._sleepers, key=lambda entry: entry[0]):
            if deadline <= self._elapsed and not future.done():
                future.set_result(None)
