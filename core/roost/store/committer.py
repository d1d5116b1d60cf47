"""The thread in which COMMITs wait for the disk."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread

Told = Callable[[sqlite3.Error | None], None]


class Committer:
    """Commits what was done on a connection, one COMMIT after the other.

    A thread and a queue of its own: every write waits for this, and the futures of an executor
    would cost a lone write about as much as its statements do.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._asked: SimpleQueue[tuple[asyncio.AbstractEventLoop, Told] | None] = SimpleQueue()
        self._thread: Thread | None = None

    def ask(self, told: Told) -> None:
        """Commit, and call `told` in this loop: with the error if nothing was committed."""
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
            if not loop.is_closed():
                loop.call_soon_threadsafe(told, error)

    def _commit(self) -> sqlite3.Error | None:
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            return error
        return None
