"""The connection that writes: it executes in the thread of the event loop."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import URL, Connection, Executable, create_engine
from sqlalchemy.pool import NullPool

from roost.store import sqlite
from roost.store.connection import Rows, StoreConnection
from roost.store.fixed_statement import FixedStatement, Parameters, is_fixed
from roost.store.read_cursor import ReadCursor


class WriterConnection(sqlite3.Connection):
    """Executes at once, in the thread of its caller, and begins no transaction by itself."""

    def cursor(self, *_: Any) -> Any:
        """Return a cursor that has read all its rows as soon as it has executed."""
        return ReadCursor(self)

    def commit(self) -> None:
        """Do nothing: only the group that a write is a member of can commit it."""

    def rollback(self) -> None:
        """Do nothing, for the same reason."""


def connect(url: URL) -> WriterConnection:
    """Open and set up a connection that writes; it may block, so call it in a thread.

    Raises:
        sqlite3.Error: the database cannot be opened.
    """
    connection: WriterConnection = sqlite3.connect(
        str(url.database), isolation_level=None, check_same_thread=False, factory=WriterConnection
    )
    try:
        sqlite.set_up(connection)
        connection.execute("PRAGMA busy_timeout = 0")  # `GroupCommit` waits for a lock by itself
    except BaseException:
        connection.close()
        raise
    return connection


class InlineConnection(StoreConnection):
    """Executes at once, because `WriterConnection` never waits.

    Only the blocks of `Database.write` use it, inside of the transactions of `GroupCommit`.
    """

    def __init__(self, plain: Connection, driver: WriterConnection) -> None:
        self._plain = plain
        self._cursor = sqlite3.Cursor(driver)
        self._fixed: dict[Executable, FixedStatement] = {}

    async def execute(self, statement: Executable, parameters: Any = None) -> Rows:
        """Execute a statement and return its rows, all of them read."""
        if parameters is not None and is_fixed(statement):
            found = self._known(statement).execute(self._cursor, parameters)
            return cast("Rows", found)
        return self._plain.execute(statement, parameters)

    def rows(self, statement: Executable, parameters: Parameters, /) -> Sequence[Any]:
        """Execute a statement at once and return its rows; meets `Execute`."""
        known = self._fixed.get(statement)
        if known is not None:
            return known.rows(self._cursor, parameters)
        if is_fixed(statement):
            return self._known(statement).rows(self._cursor, parameters)
        found = self._plain.execute(statement, parameters)
        return found.all() if found.returns_rows else []

    def close(self) -> None:
        """Let go of the last statement: SQLite keeps a closed connection until it is gone."""
        del self._cursor

    def _known(self, statement: Executable) -> FixedStatement:
        known = self._fixed.get(statement)
        if known is None:
            known = self._fixed[statement] = FixedStatement(statement, self._plain.dialect)
        return known


def inline(url: URL, connection: WriterConnection) -> InlineConnection:
    """Return SQLAlchemy's view of a connection; it takes no part in its transactions."""
    plain = create_engine(
        sqlite.sync_url(url),
        creator=lambda: connection,
        poolclass=NullPool,
        hide_parameters=True,
    )
    return InlineConnection(plain.connect(), connection)
