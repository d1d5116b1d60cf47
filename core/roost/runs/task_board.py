"""`TaskBoard`: which runs of tasks wait and which are under way, in memory.

The rows are what counts; a claim that finds its row changed takes nothing. The board says which
row to try next, and how many there are, without a query for each.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from heapq import heappop, heappush

from roost.models import RunStatus, RunView, WaitReason

Key = tuple[str, str]
"""A workspace, and the name of a task in it."""

ENDS_REMEMBERED = 20
"""Newest ends of runs of a task, by which it is judged how soon there is room for another one."""

SOONEST_S, LATEST_S = 1, 60
"""Bounds of what a caller is told who finds no room: not at once, and not for ever."""


@dataclass(slots=True)
class Lane:
    """The active runs of one task."""

    waiting: dict[str, RunView] = field(default_factory=dict)
    """By id; those that wait for a person are not among them."""
    running: set[str] = field(default_factory=set)
    suspended: set[str] = field(default_factory=set)
    """Those that wait for the person they act for."""
    taken: set[str] = field(default_factory=set)
    """Those that are being claimed: they count as under way, and nobody else may choose them."""
    arriving: int = 0
    """Runs that are being stored."""
    ended_at: deque[int] = field(default_factory=lambda: deque(maxlen=ENDS_REMEMBERED))
    _ready: list[tuple[int, str]] = field(default_factory=list)
    """Heap of those that may begin, oldest first; entries of runs that wait no more stay in it."""
    _later: list[tuple[int, str]] = field(default_factory=list)
    """Heap of those that may begin at a time that has not come."""

    @property
    def counts(self) -> tuple[int, int, int]:
        """How many wait, are under way, and wait for a person."""
        taken = sum(run_id in self.waiting for run_id in self.taken)
        return len(self.waiting) - taken, len(self.running) + taken, len(self.suspended)

    def forget(self, run_id: str) -> None:
        """Let go of a run, whatever it was doing."""
        self.waiting.pop(run_id, None)
        self.running.discard(run_id)
        self.suspended.discard(run_id)

    def wait(self, view: RunView, now: int) -> None:
        """Let a run be chosen, at once or when its time has come."""
        self.waiting[view.id] = view
        if view.available_at is not None and view.available_at > now:
            heappush(self._later, (view.available_at, view.id))
        else:
            heappush(self._ready, (view.created_at, view.id))

    def oldest(self, now: int) -> RunView | None:
        """Return the oldest run that may be claimed now."""
        self._promote(now)
        while self._ready:
            run_id = self._ready[0][1]
            view = self.waiting.get(run_id)
            if view is not None and run_id not in self.taken and (view.available_at or 0) <= now:
                return view
            heappop(self._ready)
        return None

    def take(self, run_id: str) -> None:
        """Count a run as under way while it is being claimed."""
        self.taken.add(run_id)

    def put_back(self, run_id: str, now: int) -> None:
        """Let a run be chosen again, if it still waits, that was being claimed."""
        self.taken.discard(run_id)
        if run_id in self.waiting:
            self.wait(self.waiting[run_id], now)

    def next_due(self, now: int) -> int | None:
        """Return when the next run may be claimed whose time has not come."""
        self._promote(now)
        return self._later[0][0] if self._later else None

    def _promote(self, now: int) -> None:
        while self._later and self._later[0][0] <= now:
            _, run_id = heappop(self._later)
            if run_id in self.waiting:
                heappush(self._ready, (self.waiting[run_id].created_at, run_id))


class TaskBoard:
    """Sorts runs of tasks by what they wait for."""

    def __init__(self) -> None:
        self._lanes: dict[Key, Lane] = {}

    def lane(self, key: Key) -> Lane:
        """Return the runs of a task."""
        return self._lanes.setdefault(key, Lane())

    def put(self, view: RunView, now: int) -> bool:
        """Take the newest row of a run; say whether a count has changed by it."""
        lane = self.lane(key_of(view))
        before = lane.counts
        known = lane.waiting.get(view.id)
        lane.forget(view.id)
        if view.status is RunStatus.RUNNING:
            lane.running.add(view.id)
        elif not view.status.is_active:
            _note_end(lane, view, before)
        elif view.waits == WaitReason.USER:
            lane.suspended.add(view.id)
        elif view.stop_requested_at is not None:
            pass  # it is about to end, and nobody may claim it
        elif known is None or known.available_at != view.available_at:
            lane.wait(view, now)
        else:
            lane.waiting[view.id] = view
        return lane.counts != before

    def retry_after_s(self, key: Key, now: int) -> int:
        """Return in how many seconds there may be room, judged by how often runs ended lately."""
        ends = self.lane(key).ended_at
        if not ends:
            return LATEST_S
        seconds = (now - ends[0]) / 1000 / len(ends)
        return min(LATEST_S, max(SOONEST_S, math.ceil(seconds)))

    def next_due(self, keys: Iterable[Key], now: int) -> int | None:
        """Return when the next run of some tasks may be claimed whose time has not come."""
        dues = (self.lane(key).next_due(now) for key in keys)
        return min((due for due in dues if due is not None), default=None)

    def running(self) -> tuple[tuple[str, str], ...]:
        """Return the runs that are under way, by workspace and id."""
        lanes = self._lanes.items()
        return tuple((key[0], run_id) for key, lane in lanes for run_id in lane.running)


def _note_end(lane: Lane, view: RunView, before: tuple[int, int, int]) -> None:
    if lane.counts != before and view.finished_at is not None:
        lane.ended_at.append(view.finished_at)


def key_of(view: RunView) -> Key:
    """Return of which task a run is."""
    return view.workspace, view.task or ""
