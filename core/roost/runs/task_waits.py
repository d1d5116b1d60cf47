"""`TaskWaits`: says of each run that waits what it waits for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from roost.errors import RoostError
from roost.models import RunView, WaitReason
from roost.runs.parts import LedgerParts
from roost.runs.task_board import Key, TaskBoard, key_of
from roost.runs.task_offers import TaskOffers
from roost.runs.task_workers import Workers
from roost.store.base import TaskRows

logger = logging.getLogger(__name__)


class TaskWaits:
    """Judges by the workers that are there, and by the runs in front."""

    def __init__(
        self,
        parts: LedgerParts,
        rows: TaskRows,
        board: TaskBoard,
        workers: Workers,
        offers: TaskOffers,
    ) -> None:
        self._parts = parts
        self._rows = rows
        self._board = board
        self._workers = workers
        self._offers = offers

    def of_new(self, workspace: str, task: str) -> WaitReason | None:
        """Say why a run that comes now is not claimed at once; None when it is."""
        key = (workspace, task)
        capacity = self._workers.capacity(key)
        if not capacity:
            return WaitReason.WORKER
        slots = self._offers.slots(key)
        waiting, running, _ = self._board.lane(key).counts
        is_full = waiting + running >= (capacity if slots is None else min(slots, capacity))
        return WaitReason.SLOT if is_full else None

    def of_old(self, run: RunView) -> WaitReason | None:
        """Say why a run that goes back is not claimed at once: it is the oldest, most likely."""
        return None if self._workers.capacity(key_of(run)) else WaitReason.WORKER

    async def tell_anew(self, keys: Iterable[Key]) -> None:
        """Say of the runs of some tasks that wait whether there is a worker for them now."""
        for key in tuple(keys):
            has_worker = self._workers.capacity(key) > 0
            stale = (WaitReason.WORKER,) if has_worker else (None, WaitReason.SLOT)
            after = WaitReason.SLOT if has_worker else WaitReason.WORKER
            runs = [run for run in self._board.lane(key).waiting.values() if run.waits in stale]
            await asyncio.gather(*(self._set(run, after) for run in runs))

    async def _set(self, run: RunView, after: WaitReason) -> None:
        try:
            known = await self._parts.active.find(run.workspace, run.id)
            if known is None:
                return
            async with known.lock:
                before = WaitReason(run.waits) if run.waits else None
                stored = await self._rows.set_waits(run.id, before=before, after=after)
                if stored is not None:
                    self._parts.announce(stored)
        except RoostError as error:
            logger.warning("what run %s waits for is not shown: %s", run.id, error)
