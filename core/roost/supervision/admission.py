"""`Admission`: how many bundles start at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

PLACE_S = 5.0
"""A start that takes longer waits for something rather than uses the machine: the next one may
begin. So servers that hang do not hold up those behind them for their whole start budget."""


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
    async def place(self, interrupted: asyncio.Event) -> AsyncIterator[None]:
        """Wait for a place, or for the interruption, and hold the place for the block."""
        if not await self._enter(interrupted):
            yield
            return
        is_held = True

        def give_back() -> None:
            nonlocal is_held
            if is_held:
                is_held = False
                self._places.release()

        timer = asyncio.get_running_loop().call_later(self._place_s, give_back)
        try:
            yield
        finally:
            timer.cancel()
            give_back()

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
