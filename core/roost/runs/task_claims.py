"""`TaskClaims`: gives workers the oldest runs that they and their tasks have slots for."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable

from roost.errors import BadInput, Refused, ShuttingDown
from roost.models import ClaimedRun, ClaimRequest, RunView
from roost.runs.recorder import RunRecorder
from roost.runs.task_board import Key, TaskBoard, key_of
from roost.runs.task_leases import TaskLeases
from roost.runs.task_recovery import CRASHED
from roost.runs.task_workers import Worker, Workers

LONGEST_WAIT_S = 30.0
"""Longest wait for a run; whoever asks is a program, which asks again."""

logger = logging.getLogger(__name__)


class TaskClaims:
    """Lets workers wait for runs, and begin them.

    Args:
        slots_of: how many runs of a task may be under way at a time; None means any number.
    """

    def __init__(
        self,
        recorder: RunRecorder,
        board: TaskBoard,
        workers: Workers,
        leases: TaskLeases,
        slots_of: Callable[[Key], int | None],
    ) -> None:
        self._recorder = recorder
        self._clock = recorder.parts.clock
        self._board = board
        self._workers = workers
        self._leases = leases
        self._slots_of = slots_of
        self._is_closed = False

    def close(self) -> None:
        """Begin nothing any more, and let go who waits."""
        self._is_closed = True
        self._workers.wake()

    async def claim(self, worker: Worker, request: ClaimRequest) -> tuple[ClaimedRun, ...]:
        """Begin runs for a worker, the oldest first; wait for one if need be.

        Raises:
            BadInput: the wish is none. Refused: the worker is gone. ShuttingDown: none are begun.
        """
        if request.free < 1 or not math.isfinite(request.wait_s):
            raise BadInput("a claim is for 1 run or more, within a number of seconds")
        deadline = self._clock.monotonic() + min(LONGEST_WAIT_S, request.wait_s)
        with self._workers.listening() as changed:
            while True:
                self._check_may_begin(worker)
                changed.clear()
                claimed = await self._recorder.shielded(self._begin_some(worker, request.free))
                left_s = deadline - self._clock.monotonic()
                if claimed or left_s <= 0:
                    return claimed
                await self._until(changed, worker, left_s)

    def _check_may_begin(self, worker: Worker) -> None:
        if self._is_closed:
            raise ShuttingDown
        if worker.is_gone:
            raise Refused(f"this worker of {worker.bundle!r} has ended; it begins nothing any more")

    async def _begin_some(self, worker: Worker, free: int) -> tuple[ClaimedRun, ...]:
        picked = self._pick(worker, free)
        begins = (self._begin(worker, view) for view in picked)
        outcomes = await asyncio.gather(*begins, return_exceptions=True)
        begun = tuple(outcome for outcome in outcomes if isinstance(outcome, ClaimedRun))
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                if not begun:
                    raise outcome
                logger.warning("a run was not given to %s: %s", worker.bundle, outcome)
        return begun

    def _pick(self, worker: Worker, free: int) -> list[RunView]:
        """Choose runs and count them as under way, in one step: nobody else chooses them too."""
        picked: list[RunView] = []
        while len(picked) < free and worker.free and (view := self._oldest(worker)):
            self._board.lane(key_of(view)).take(view.id)
            worker.taken.add(view.id)
            picked.append(view)
        return picked

    def _oldest(self, worker: Worker) -> RunView | None:
        now = self._clock.now()
        open_keys = (key for key in worker.keys if self._has_slot(key))
        found = (self._board.lane(key).oldest(now) for key in open_keys)
        views = [view for view in found if view is not None]
        return min(views, key=lambda view: (view.created_at, view.id), default=None)

    def _has_slot(self, key: Key) -> bool:
        slots = self._slots_of(key)
        return slots is None or self._board.lane(key).counts[1] < slots

    async def _begin(self, worker: Worker, view: RunView) -> ClaimedRun | None:
        lane = self._board.lane(key_of(view))
        try:
            claimed = await self._leases.claim(worker, view)
            if claimed is None and self._recorder.parts.active.known(view.id) is None:
                lane.forget(view.id)  # it is no active run any more
        finally:
            worker.taken.discard(view.id)
            lane.put_back(view.id, self._clock.now())
        if claimed is None:
            return None
        worker.run_ids.add(view.id)
        if worker.is_gone:
            await self._leases.recover(view.workspace, view.id, worker.generation_id, CRASHED)
            return None
        return claimed

    async def _until(self, changed: asyncio.Event, worker: Worker, seconds: float) -> None:
        """Wait until there may be something to begin, some seconds at most."""
        now = self._clock.now()
        due = self._board.next_due(worker.keys, now)
        if due is not None:
            seconds = min(seconds, (due - now) / 1000)
        tasks = [
            asyncio.ensure_future(changed.wait()),
            asyncio.ensure_future(self._clock.sleep(seconds)),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
