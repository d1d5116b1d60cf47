"""`ProgressLog`: stores what one call reports, in order, without holding the call up."""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from roost.errors import StoreUnavailable
from roost.models import RunProgress
from roost.runs.recorder import RunRecorder

WAITING_LIMIT = 256
"""Reports that may wait for the store; of a flood beyond it only the newest one is kept."""

logger = logging.getLogger(__name__)


class ProgressLog:
    """One writer for the reports of one run; `put` from anywhere, `finish` before the end."""

    def __init__(self, recorder: RunRecorder, run_id: str) -> None:
        self._recorder = recorder
        self._run_id = run_id
        self._waiting: deque[RunProgress] = deque()
        self._wakeup = asyncio.Event()
        self._is_finished = False
        self._dropped = 0
        self._writer: asyncio.Task[None] | None = None

    def put(self, progress: RunProgress) -> None:
        """Take a report; one that comes after the end is dropped."""
        if self._is_finished:
            return
        if len(self._waiting) >= WAITING_LIMIT:
            self._waiting.pop()
            self._dropped += 1
        self._waiting.append(progress)
        self._wakeup.set()
        if self._writer is None:
            self._writer = asyncio.create_task(self._store())

    async def finish(self) -> None:
        """Store what waits, as long as the store takes it, and end."""
        self._is_finished = True
        self._wakeup.set()
        if self._writer is not None:
            await self._writer
        if self._dropped:
            logger.warning("%d reports of run %s were not kept", self._dropped, self._run_id)

    async def _store(self) -> None:
        while True:
            while self._waiting:
                await self._store_waiting()
            if self._is_finished:
                return
            self._wakeup.clear()
            await self._wakeup.wait()

    async def _store_waiting(self) -> None:
        """Store all that waits in one write: behind a flood single writes would never catch up."""
        reports = list(self._waiting)
        self._waiting.clear()
        try:
            await self._recorder.steps(self._run_id, reports)
        except StoreUnavailable:
            # A store that is down answers slowly: waiting for it once is enough.
            self._dropped += len(reports) + len(self._waiting)
            self._waiting.clear()
