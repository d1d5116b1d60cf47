"""Time as a dependency: wall-clock stamps for records, a monotonic clock for delays."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """What the engine asks about time; tests inject one they can move by hand."""

    def now(self) -> int:
        """Return the wall-clock time in epoch milliseconds."""
        ...

    def monotonic(self) -> float:
        """Return a monotonic time in seconds, for measuring durations."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Suspend the calling task for `seconds`."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
