"""Where COMMITs wait for the disk: in a thread, or in the loop while the disk is quick."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread

Told = Callable[[sqlite3.Error | None], None]

QUICK_S = 0.001
"""Seconds of a COMMIT in the loop that nobody notices; most take a fifth of it."""

SLOW_SHARE = 10
"""What is above that in one COMMIT keeps the next ones out of the loop for so many times as long:
a slow disk stops the loop for a tenth of the time at most."""

SLOW_CREDIT_S = 1.0
"""Seconds without a slow COMMIT that are made up for: one now and then changes nothing."""

CHECKPOINT_COMMITS = 200
"""COMMITs after which the log is copied into the database, in the thread. Each of a lone write adds
some four pages, so this comes before SQLite would do it by itself, in the midst of a COMMIT."""


class Committer:
    """Commits what was done on a connection, one COMMIT after the other.

    The thread has a queue of its own: the futures of an executor would cost a write about as much
    as its statements do. Even so it takes two threads that wake each other longer to hand a COMMIT
    over and back than a quick disk to do it; `commit` is for those.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._asked: SimpleQueue[tuple[asyncio.AbstractEventLoop, Told] | None] = SimpleQueue()
        self._thread: Thread | None = None
        self._is_quick_from = 0.0
        self._commits = 0
        """COMMITs since the last checkpoint."""

    def is_quick(self) -> bool:
        """Say whether the next COMMIT may be waited for in the loop."""
        return self._commits < CHECKPOINT_COMMITS and time.monotonic() >= self._is_quick_from

    def commit(self) -> sqlite3.Error | None:
        """Commit in the loop; return the error if nothing was committed."""
        began = time.monotonic()
        error = self._commit()
        ended = time.monotonic()
        if ended - began > QUICK_S:
            earliest = max(self._is_quick_from, ended - SLOW_CREDIT_S)
            self._is_quick_from = earliest + SLOW_SHARE * (ended - began - QUICK_S)
        return error

    def ask(self, told: Told) -> None:
        """Commit in the thread, and call `told` in this loop with what `commit` returns."""
        if self._thread is None:
            self._thread = Thread(target=self._work, name="store-commit", daemon=True)
            self._thread.start()
        self._asked.put((asyncio.get_running_loop(), told))

    def stop(self) -> None:
        """End the thread; nothing may be under way."""
        if self._thread is not None:
            self._asked.put(None)
            self._thread.join()

    def _work(self) -> None:
        while (asked := self._asked.get()) is not None:
            loop, told = asked
            error = self._commit()
            if self._commits >= CHECKPOINT_COMMITS:
                self._checkpoint()
            if not loop.is_closed():
                loop.call_soon_threadsafe(told, error)

    def _commit(self) -> sqlite3.Error | None:
        self._commits += 1
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            return error
        return None

    def _checkpoint(self) -> None:
        self._commits = 0
        with suppress(sqlite3.Error):  # the log stays as it is then, and nothing is lost
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
