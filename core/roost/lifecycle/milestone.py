"""`Milestone`: something that happens once, and can be awaited from any event loop."""

from __future__ import annotations

import asyncio


class Milestone:
    """A point that is reached, or failed, once.

    It holds nothing of an event loop while nobody waits: a process may be copied between two waits
    and go on in a loop of its own.
    """

    def __init__(self) -> None:
        self._is_reached = False
        self._error: BaseException | None = None
        self._waiters: set[asyncio.Future[None]] = set()

    @property
    def is_reached(self) -> bool:
        """Whether it was reached, without an error."""
        return self._is_reached and self._error is None

    @property
    def is_settled(self) -> bool:
        """Whether it was reached or failed."""
        return self._is_reached

    def reach(self) -> None:
        """Let every waiter go on; the first outcome stays."""
        self._settle(None)

    def fail(self, error: BaseException) -> None:
        """Raise this error in every waiter; the first outcome stays."""
        self._settle(error)

    def _settle(self, error: BaseException | None) -> None:
        if self._is_reached:
            return
        self._is_reached, self._error = True, error
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self) -> None:
        """Return once it is reached.

        Raises:
            BaseException: what it failed with.
        """
        if not self._is_reached:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.add(waiter)
            try:
                await waiter
            finally:
                self._waiters.discard(waiter)
        if self._error is not None:
            raise self._error
