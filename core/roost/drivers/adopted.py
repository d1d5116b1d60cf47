"""Seeing the end of a process that another one has forked for us.

Its parent is the forking process while that lives, and tells how it ended; when that is gone, the
daemon is the parent, as it adopts orphans, and asks the system. Neither reaps it before `release`:
until then its number cannot pass to somebody else (see `roost.drivers.exits`).
"""

from __future__ import annotations

import asyncio
import logging
import os
from dataclasses import dataclass
from typing import Protocol

from roost.drivers.base import ProcessExit
from roost.drivers.exits import LOST_STATUS, OnExit, from_result
from roost.drivers.pipes import ChildEnds

_log = logging.getLogger(__name__)

LOOK_PAUSE_S = 0.01
"""Between two looks for the status of an ended process: its parent tells it within a millisecond,
and handing a child over when the parent ends takes as long."""

REPORT_BOUND_S = 1.0
"""A parent that has not told of the end by then is stopped or stuck: it is of no use any more."""

HAND_OVER_BOUND_S = 5.0
"""A killed parent is gone within milliseconds; a system that cannot do it by then never will."""


class ForkingParent(Protocol):
    """The process that has forked another one, and is its parent while it lives."""

    def reported(self, pid: int) -> ProcessExit | None:
        """Return how its child ended, once it has told."""
        ...

    def let_go(self, pid: int) -> None:
        """Tell it to reap its ended child."""
        ...

    def give_up(self, reason: str) -> None:
        """End it, whatever it does: so its children become ours."""
        ...


@dataclass(frozen=True, slots=True)
class ForkedProcess:
    """A process that was forked for us. Who adopts it owns the descriptors."""

    pid: int
    pidfd: int
    ends: ChildEnds
    parent: ForkingParent


class AdoptedWatch:
    """Watches a forked process until `release`.

    Raises:
        OSError: the loop has no room to watch it.
    """

    def __init__(
        self, forked: ForkedProcess, loop: asyncio.AbstractEventLoop, on_exit: OnExit
    ) -> None:
        self._forked = forked
        self._loop = loop
        self._on_exit = on_exit
        self._timer: asyncio.TimerHandle | None = None
        self._ended_at = 0.0
        self._has_given_up = False
        loop.add_reader(forked.pidfd, self._see_end)

    def release(self) -> None:
        """Have the ended process reaped and free what watched it."""
        self._loop.remove_reader(self._forked.pidfd)
        if self._timer is not None:
            self._timer.cancel()
        try:
            os.waitid(os.P_PIDFD, self._forked.pidfd, os.WEXITED | os.WNOHANG)
        except ChildProcessError:
            self._forked.parent.let_go(self._forked.pid)
        os.close(self._forked.pidfd)

    def _see_end(self) -> None:
        self._loop.remove_reader(self._forked.pidfd)
        self._ended_at = self._loop.time()
        self._look()

    def _look(self) -> None:
        exit = self._status()
        waited_s = self._loop.time() - self._ended_at
        if exit is None and waited_s >= REPORT_BOUND_S + HAND_OVER_BOUND_S:
            _log.error("the exit status of process %s is lost", self._forked.pid)
            exit = LOST_STATUS
        if exit is not None:
            self._on_exit(exit)
            return
        if waited_s >= REPORT_BOUND_S and not self._has_given_up:
            self._has_given_up = True
            self._forked.parent.give_up("it does not tell how its process ended")
        self._timer = self._loop.call_later(LOOK_PAUSE_S, self._look)

    def _status(self) -> ProcessExit | None:
        try:
            flags = os.WEXITED | os.WNOWAIT | os.WNOHANG
            return from_result(os.waitid(os.P_PIDFD, self._forked.pidfd, flags))
        except ChildProcessError:
            return self._forked.parent.reported(self._forked.pid)
