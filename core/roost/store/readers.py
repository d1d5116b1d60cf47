"""`Readers`: connections that read, each of whose statements runs in a thread.

SQLAlchemy's own asyncio engine would do the same, and load its whole object mapper with it: 8 MiB
that no statement of this store uses.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import Any

from sqlalchemy import URL, Connection, Engine, Executable, create_engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from roost.store import sqlite
from roost.store.connection import Rows, StoreConnection
from roost.store.read_cursor import ReadCursor

MOST_READERS = 4
"""Transactions that read at the same time; the next ones wait."""

CLOSE_S = 5.0
"""For what a cancelled task has left to its thread; a read takes milliseconds."""


class _ReaderConnection(sqlite3.Connection):
    """Is used by one thread at a time, and not always by the same one."""

    def cursor(self, *_: Any) -> Any:
        return ReadCursor(self)


class Readers:
    """Opens transactions that only read, on connections that stay open from one to the next.

    Args:
        url: SQLAlchemy address of the database.
    """

    def __init__(self, url: URL) -> None:
        self._engine = create_engine(
            sqlite.sync_url(url),
            creator=lambda: sqlite3.connect(
                str(url.database), check_same_thread=False, factory=_ReaderConnection
            ),
            poolclass=NullPool,
            hide_parameters=True,
        )
        sqlite.install_hooks(self._engine)
        self._threads = ThreadPoolExecutor(MOST_READERS, "store-read")
        self._places = asyncio.Semaphore(MOST_READERS)
        self._idle: list[Connection] = []
        self._is_closed = False

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[StoreConnection]:
        """Open a transaction: everything in it sees one state, that of its first statement."""
        await self._places.acquire()
        reader = _Reader(self._engine, self._threads, self._idle.pop() if self._idle else None)
        try:
            yield reader
        finally:
            # What a cancelled task has asked for goes on in its thread until it is answered.
            if reader.asked is None or reader.asked.done():
                self._take_back(reader)
            else:
                reader.asked.add_done_callback(lambda _: self._take_back(reader))

    async def close(self) -> None:
        """Wait for what is being read, and close every connection.

        One that is open when the process ends would leave the last writes in the log beside the
        database. Those still in use after `CLOSE_S` close at the end of their transaction.
        """
        self._is_closed = True
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                for _ in range(MOST_READERS):
                    await self._places.acquire()
        while self._idle:
            self._idle.pop().close()
        self._threads.shutdown(wait=False)

    def _take_back(self, reader: _Reader) -> None:
        self._places.release()
        connection = reader.connection
        if connection is None:
            return
        try:
            # At the end of a transaction that has only read, nothing waits for the disk.
            connection.rollback()
        except SQLAlchemyError:
            connection.invalidate()
        if self._is_closed or connection.invalidated:
            connection.close()
        else:
            self._idle.append(connection)


class _Reader(StoreConnection):
    """One transaction; it begins with its first statement."""

    def __init__(
        self, engine: Engine, threads: ThreadPoolExecutor, connection: Connection | None
    ) -> None:
        self._engine = engine
        self._threads = threads
        self.connection = connection
        self.asked: asyncio.Future[Rows] | None = None
        """The last statement; done once it is answered."""

    async def execute(self, statement: Executable, parameters: Any = None) -> Rows:
        """Execute a statement in a thread and return its rows, all of them read."""
        loop = asyncio.get_running_loop()
        self.asked = loop.run_in_executor(self._threads, self._execute, statement, parameters)
        return await asyncio.shield(self.asked)

    def _execute(self, statement: Executable, parameters: Any) -> Rows:
        if self.connection is None:
            self.connection = self._engine.connect()
        return self.connection.execute(statement, parameters)
