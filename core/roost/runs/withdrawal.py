"""`Withdrawal`: that a call is to end, and what is heard of its work since."""

from __future__ import annotations

import asyncio

from roost.clock import Clock

SETTLE_S = 3.0
"""Silence after which a cancelled call counts as let go. No server has to say that it has ended
one, and the reference server, which ignores cancellations, reports every 2 s."""

LONGEST_SETTLE_S = 8.0
"""The same for calls that reported less often: whoever stops one waits 10 s for the answer."""

MISSED = 1.5
"""Usual pauses between two reports after which one has not come."""

ON_ITS_WAY_S = 1.0
"""A report that comes so soon after the cancellation may have been sent before that was read."""


class Withdrawal:
    """What a stop knows of the work it has asked to end.

    Args:
        idle_s: silence after which nothing more is expected even of work that goes on.
        cap_s: how long the call may last in all.
    """

    def __init__(self, clock: Clock, *, idle_s: float, cap_s: float) -> None:
        self._clock = clock
        self._idle_s = idle_s
        self._cap_s = cap_s
        self._began = self._last_sign = clock.monotonic()
        self._longest_pause_s = 0.0
        self._has_reported = False
        self._asked_at: float | None = None
        self.asked: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done once the call is to end."""
        self.ignored = asyncio.Event()
        """Set once the server has worked on after the cancellation."""

    @property
    def is_asked(self) -> bool:
        """Whether the call is to end."""
        return self._asked_at is not None

    def begin(self) -> None:
        """Count the time from now on."""
        self._began = self._last_sign = self._clock.monotonic()

    def ask(self) -> None:
        """Ask for the end of the call; a second time it changes nothing."""
        if self._asked_at is None:
            self._asked_at = self._clock.monotonic()
            self.asked.set_result(None)

    def reported(self) -> None:
        """Take note of progress."""
        pause_s = self._clock.monotonic() - self._last_sign
        if self._has_reported and not self.is_asked:
            self._longest_pause_s = max(self._longest_pause_s, pause_s)
        self._has_reported = True
        self.goes_on()

    def goes_on(self) -> None:
        """Take note of a sign that the server works."""
        self._last_sign = now = self._clock.monotonic()
        if self._asked_at is not None and now - self._asked_at >= ON_ITS_WAY_S:
            self.ignored.set()

    def idle_left(self) -> float:
        """Return for how many seconds more silence is borne of a call."""
        return self._last_sign + self._idle_s - self._clock.monotonic()

    def cap_left(self) -> float:
        """Return how many seconds are left for the whole call."""
        return self._began + self._cap_s - self._clock.monotonic()

    def silence_left(self) -> float:
        """Return how many seconds of silence more mean that nothing else is heard of a stop."""
        if self._asked_at is None or self.ignored.is_set():
            return min(self.idle_left(), self.cap_left())
        since = max(self._asked_at, self._last_sign)
        return min(since + self._settle_s() - self._clock.monotonic(), self.cap_left())

    def _settle_s(self) -> float:
        return min(max(SETTLE_S, self._longest_pause_s * MISSED), LONGEST_SETTLE_S)
