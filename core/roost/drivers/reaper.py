"""`OrphanReaper`: makes the daemon the parent of what its children leave behind, and reaps it."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable

from roost.drivers.proctable import Identity, ProcessEntry, ProcessTable

REAP_PAUSE_S = 0.05
"""Ends of children that come together are looked at together."""

DOUBT_S = 30.0
"""A zombie that may be the child of another part of the program is left to it this long. Who waits
for a child at all does so within milliseconds of its end."""

_PR_SET_CHILD_SUBREAPER = 36
_PR_GET_CHILD_SUBREAPER = 37


class OrphanReaper:
    """Adopts orphans on Linux and reaps those that end; elsewhere init does both.

    Args:
        is_owned: says whether somebody else reaps the child with this pid.
        is_ours: says whether a mark is of this data directory.
    """

    def __init__(
        self,
        table: ProcessTable,
        *,
        is_owned: Callable[[int], bool],
        is_ours: Callable[[str], bool],
    ) -> None:
        self._table = table
        self._is_owned = is_owned
        self._is_ours = is_ours
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._was_subreaper = False
        self._doubted: dict[tuple[int, int], float] = {}
        self._entrusted: set[Identity] = set()

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Become subreaper and watch for ends; call it from the main thread."""
        if sys.platform != "linux":
            return
        self._was_subreaper = _set_subreaper(True)
        self._loop = loop
        loop.add_signal_handler(signal.SIGCHLD, self._reap_soon, REAP_PAUSE_S)

    def close(self) -> None:
        """Stop watching; safe to call twice."""
        if self._loop is None:
            return
        self._loop.remove_signal_handler(signal.SIGCHLD)
        self._reap()
        if self._timer is not None:
            self._timer.cancel()
        self._loop = self._timer = None
        _set_subreaper(self._was_subreaper)

    def entrust(self, ended: Identity) -> None:
        """Know a zombie that its own parent is to reap: it is reaped here if that ends before."""
        self._entrusted = {each for each in self._entrusted if self._table.holds(each)}
        if self._table.holds(ended):
            self._entrusted.add(ended)

    def adopted(self) -> tuple[ProcessEntry, ...]:
        """Return our living children that were started neither by us nor in our session.

        Those are orphans of our children; a child that another part of the program started in a
        session of its own looks the same.
        """
        mine = os.getsid(0)
        return tuple(
            entry for entry in self._foreign_children() if entry.is_alive and entry.sid != mine
        )

    def _foreign_children(self) -> list[ProcessEntry]:
        me = os.getpid()
        entries = self._table.read(REAP_PAUSE_S / 2).entries.values()
        return [e for e in entries if e.ppid == me and not self._is_owned(e.pid)]

    def _reap_soon(self, seconds: float) -> None:
        if self._loop is None:
            return
        due = self._loop.time() + seconds
        if self._timer is not None and not self._timer.cancelled() and self._timer.when() <= due:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._reap)

    def _reap(self) -> None:
        self._timer = None
        zombies = [entry for entry in self._foreign_children() if not entry.is_alive]
        doubted = {(z.pid, z.start) for z in zombies if not self._may_reap(z)}
        for zombie in zombies:
            if (zombie.pid, zombie.start) not in doubted:
                with contextlib.suppress(ChildProcessError):
                    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOHANG)
        self._doubted = {key: at for key, at in self._doubted.items() if key in doubted}
        if doubted:
            self._reap_soon(DOUBT_S)

    def _may_reap(self, zombie: ProcessEntry) -> bool:
        # A child is born in our session and can leave it only into one with its own number: any
        # other session proves that it was born to somebody else.
        if zombie.sid not in (os.getsid(0), zombie.pid):
            return True
        if Identity(zombie.pid, zombie.start, self._table.boot_id) in self._entrusted:
            return True
        snapshot = self._table.read(REAP_PAUSE_S)
        if self._is_ours(snapshot.marks.get(zombie.pid, "")):
            return True
        now = snapshot.taken_at
        since = self._doubted.setdefault((zombie.pid, zombie.start), now)
        return now - since >= DOUBT_S


def _set_subreaper(is_subreaper: bool) -> bool:
    """Set whether orphans of our descendants become our children; return what it was."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    before = ctypes.c_int(0)
    prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(before), 0, 0, 0)
    if prctl(_PR_SET_CHILD_SUBREAPER, int(is_subreaper), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "cannot become the parent of orphaned processes")
    return bool(before.value)
