"""`LateWrite`: a write that what it tells of need not wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

LATE_S = 0.05
"""A successor is spawned by then; sooner, the disk would be waited for in the midst of its start.
Whoever reads the record finds it a moment later, and a daemon that is killed loses no more."""


class LateWrite:
    """Begins a write after `LATE_S`, or as soon as somebody needs it.

    Args:
        write: makes the write; what it raises is raised where the write is waited for.
    """

    def __init__(self, write: Callable[[], Awaitable[None]]) -> None:
        self._write = write
        self._hurry = asyncio.Event()
        self._writing = asyncio.create_task(self._run(), name="late-write")

    async def done(self) -> None:
        """Wait for the write, which takes its time; a cancelled caller does not cancel it."""
        await asyncio.shield(self._writing)

    async def now(self) -> None:
        """Begin the write at once and wait for it; a cancelled caller does not cancel it."""
        self._hurry.set()
        await self.done()

    async def _run(self) -> None:
        try:
            async with asyncio.timeout(LATE_S):
                await self._hurry.wait()
        except TimeoutError:
            pass
        await self._write()
