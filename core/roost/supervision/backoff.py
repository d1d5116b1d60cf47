"""When a failed bundle is tried again.

The numbers are the design's: the first failure restarts at once, and so does one after a minute of
health; from the second on 1 s doubling to 60 s with 20 % jitter; five failures within ten minutes
park the slot, which is then tried every five minutes for ever.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

HEALTHY_AFTER_S = 60.0
FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 60.0
JITTER = 0.2
PARK_AFTER_FAILURES = 5
PARK_WINDOW_S = 600.0
PARKED_DELAY_S = 300.0


@dataclass(frozen=True, slots=True)
class Retry:
    """When to try again: `delay_s` from now, and whether the slot is parked."""

    delay_s: float
    parked: bool = False


class Backoff:
    """Failure history of one slot."""

    def __init__(self, draw: Callable[[], float] = random.random) -> None:
        self._draw = draw
        self._failed_at: list[float] = []
        """The failures within the window that parks."""
        self._delays = 0
        self._is_parked = False
        self.failures = 0
        """Failures since the last minute of health or deliberate start."""

    def reset(self) -> None:
        """Forget everything, as after a minute of health or by an operator's start."""
        self.failures = 0
        self._failed_at.clear()
        self._delays = 0
        self._is_parked = False

    def record_failure(self, now_s: float, *, healthy_s: float) -> Retry:
        """Count a failure and say when to try again.

        Args:
            now_s: monotonic time in seconds.
            healthy_s: how long the process had been ready before it failed; 0 when it never was.
        """
        if healthy_s >= HEALTHY_AFTER_S:
            self.reset()
        self.failures += 1
        self._failed_at.append(now_s)
        if self.failures == 1:
            return Retry(0.0)
        while len(self._failed_at) > 1 and now_s - self._failed_at[0] > PARK_WINDOW_S:
            del self._failed_at[0]
        # A parked slot fails so rarely that the window forgets; it stays parked until the reset.
        self._is_parked = self._is_parked or len(self._failed_at) >= PARK_AFTER_FAILURES
        if self._is_parked:
            return Retry(PARKED_DELAY_S, parked=True)
        delay = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2**self._delays)
        self._delays += 1
        return Retry(delay * (1 + JITTER * (2 * self._draw() - 1)))
