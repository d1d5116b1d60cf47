"""`Admission`: how many bundles start at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

PLACE_S = 5.0
"""A start that takes longer waits for something rather than uses the machine: the next one may
begin. So servers that hang do not hold up those behind them for their whole start budget."""

REST_POLL_S = 0.005
"""A small program is through with its start in less than this."""


class Place:
    """One start's place; given on once, when it is no longer needed.

    Args:
        release: hands the place to the next one.
        place_s: seconds after which it is given on although its start is still under way.
    """

    def __init__(self, release: Callable[[], None], place_s: float) -> None:
        self._release: Callable[[], None] | None = release
        self._loop = asyncio.get_running_loop()
        self._timers = [self._loop.call_later(place_s, self.give_on)]

    def give_on(self) -> None:
        """Let the next start begin; safe to call again."""
        for timer in self._timers:
            timer.cancel()
        release, self._release = self._release, None
        if release is not None:
            release()

    def give_on_at_rest(self, is_at_rest: Callable[[], bool]) -> None:
        """Give the place on as soon as the process waits for something, seen twice in a row.

        For a program whose readiness is only that it goes on living: it need not be watched from
        a place.
        """
        self._look(is_at_rest, 0)

    def _look(self, is_at_rest: Callable[[], bool], seen: int) -> None:
        if self._release is None:
            return
        seen = seen + 1 if is_at_rest() else 0
        if seen == 2:
            self.give_on()
        else:
            self._timers[1:] = [self._loop.call_later(REST_POLL_S, self._look, is_at_rest, seen)]


class Admission:
    """A bounded number of places, taken in the order of arrival.

    Args:
        at_once: how many places there are.
        place_s: seconds after which a place is given on although its start is still under way.
    """

    def __init__(self, at_once: int, *, place_s: float = PLACE_S) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._place_s = place_s

    @asynccontextmanager
    async def place(self, interrupted: asyncio.Event) -> AsyncIterator[Place]:
        """Wait for a place, or for the interruption, and hold the place for the block."""
        has_entered = await self._enter(interrupted)
        place = Place(self._places.release if has_entered else _nothing, self._place_s)
        try:
            yield place
        finally:
            place.give_on()

    async def _enter(self, interrupted: asyncio.Event) -> bool:
        if interrupted.is_set():
            return False
        entering = asyncio.create_task(self._places.acquire())
        interruption = asyncio.create_task(interrupted.wait())
        has_entered = False
        try:
            await asyncio.wait({entering, interruption}, return_when=asyncio.FIRST_COMPLETED)
            has_entered = entering.done()
            return has_entered
        finally:
            interruption.cancel()
            if not has_entered:
                await self._withdraw(entering)

    async def _withdraw(self, entering: asyncio.Task[bool]) -> None:
        entering.cancel()
        await asyncio.gather(entering, return_exceptions=True)
        if not entering.cancelled():  # the place came in the very step of the withdrawal
            self._places.release()


def _nothing() -> None:
    """Release a place that was never taken."""
