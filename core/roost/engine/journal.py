"""Durable records that must not hold up what they record."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextlib import suppress

from roost.errors import RoostError
from roost.models import Transition
from roost.store.base import TransitionRows

RECENT = 200
"""Transitions a fresh viewer gets; more are in the store."""

PENDING_LIMIT = 20_000
"""Transitions kept in memory while the store does not answer; the oldest go first."""

GATHER_S = 0.05
"""What comes within this time is written as one: an end, the start that follows on it and the moves
of the neighbours. Written at once, each would keep that very start waiting for the disk."""

RETRY_S = 1.0

logger = logging.getLogger(__name__)


class StoredTransitions:
    """Keeps the newest transitions at hand and writes all of them to the store, in order."""

    def __init__(self, rows: TransitionRows) -> None:
        self._rows = rows
        self._recent: deque[Transition] = deque(maxlen=RECENT)
        self._pending: deque[Transition] = deque()
        self._flushing = asyncio.Lock()
        """Held while a batch is written, so that none is written twice."""
        self._wakeup = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def recent(self) -> tuple[Transition, ...]:
        """The newest transitions, newest first."""
        return tuple(reversed(self._recent))

    async def last_of(self, workspace: str, bundle: str) -> Transition | None:
        """Return the newest transition of one bundle, whether it is written by now or not.

        Raises:
            StoreUnavailable: it is not at hand, and the store does not answer.
        """
        for transition in reversed((*self._recent, *self._pending)):
            if (transition.workspace, transition.bundle) == (workspace, bundle):
                return transition
        newest = await self._rows.newest(workspace, bundle, 1)
        return newest[0] if newest else None

    def record(self, transition: Transition) -> None:
        """Take a transition over; never waits."""
        self._recent.append(transition)
        if len(self._pending) >= PENDING_LIMIT and not self._flushing.locked():
            self._pending.popleft()
        self._pending.append(transition)
        self._wakeup.set()

    async def open(self) -> None:
        """Load the newest and begin to write."""
        self._recent.extend(reversed(await self._rows.newest(None, None, RECENT)))
        self._task = asyncio.create_task(self._write_on(), name="transition-journal")

    async def close(self) -> None:
        """Write what is pending and stop."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self.flush()

    async def _write_on(self) -> None:
        while True:
            await self._wakeup.wait()
            await asyncio.sleep(GATHER_S)
            self._wakeup.clear()
            if not await self.flush():
                await asyncio.sleep(RETRY_S)
                self._wakeup.set()

    async def flush(self) -> bool:
        """Write what is pending; false when the store did not take it."""
        async with self._flushing:
            batch = tuple(self._pending)
            if not batch:
                return True
            try:
                await self._rows.add(batch)
            except RoostError as error:
                logger.warning("transitions are kept in memory: %s", error)
                return False
            for _ in batch:
                self._pending.popleft()
            return True
