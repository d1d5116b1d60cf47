"""The connection that writes: plain `sqlite3` under SQLAlchemy's asyncio engine."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, Self, cast

from sqlalchemy import URL, Connection, CursorResult, Executable, create_engine
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.pool import NullPool

from roost.store import sqlite
from roost.store.fixed_statement import FixedStatement, Parameters, is_fixed


class WriterConnection(sqlite3.Connection):
    """Executes at once, in the thread of its caller, and begins no transaction by itself."""

    def cursor(self, *_: Any) -> Any:
        """Return a cursor that has read all its rows as soon as it has executed."""
        return _ReadCursor(self)

    def commit(self) -> None:
        """Do nothing: only the group that a write is a member of can commit it."""

    def rollback(self) -> None:
        """Do nothing, for the same reason."""


class _ReadCursor(sqlite3.Cursor):
    """Keeps its rows, because a statement that is not read to its end is in the way of COMMIT."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self._rows: deque[Any] = deque()

    def execute(self, sql: str, parameters: Any = (), /) -> Self:
        super().execute(sql, parameters)
        if self.description is not None:
            self._rows = deque(super().fetchall())
        return self

    def fetchone(self) -> Any:
        return self._rows.popleft() if self._rows else None

    def fetchmany(self, size: int | None = None) -> list[Any]:
        count = min(self.arraysize if size is None else size, len(self._rows))
        return [self._rows.popleft() for _ in range(count)]

    def fetchall(self) -> list[Any]:
        rows = list(self._rows)
        self._rows.clear()
        return rows

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        while self._rows:
            yield self._rows.popleft()


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


class InlineConnection(AsyncConnection):
    """Executes without the greenlet that lets a driver wait, because `WriterConnection` never does.

    Only the blocks of `Database.write` use it, inside of the transactions of `GroupCommit`.
    """

    def __init__(self, readers: AsyncEngine, plain: Connection, driver: WriterConnection) -> None:
        super().__init__(readers, plain)
        self._plain = plain
        self._cursor = sqlite3.Cursor(driver)
        self._fixed: dict[Executable, FixedStatement] = {}

    async def execute(
        self,
        statement: Executable,
        parameters: Any = None,
        *,
        execution_options: Any = None,
    ) -> CursorResult[Any]:
        """Execute a statement and return its rows, all of them read."""
        if parameters is not None and is_fixed(statement):
            found = self._known(statement).execute(self._cursor, parameters)
            return cast("CursorResult[Any]", found)
        return self._plain.execute(statement, parameters, execution_options=execution_options)

    def rows(self, statement: Executable, parameters: Parameters, /) -> Sequence[Any]:
        """Execute a statement at once and return its rows; meets `Execute`."""
        known = self._fixed.get(statement)
        if known is not None:
            return known.rows(self._cursor, parameters)
        if is_fixed(statement):
            return self._known(statement).rows(self._cursor, parameters)
        found = self._plain.execute(statement, parameters)
        return found.all() if found.returns_rows else []

    def _known(self, statement: Executable) -> FixedStatement:
        known = self._fixed.get(statement)
        if known is None:
            known = self._fixed[statement] = FixedStatement(statement, self._plain.dialect)
        return known


def inline(readers: AsyncEngine, connection: WriterConnection) -> InlineConnection:
    """Return SQLAlchemy's view of a connection; it takes no part in its transactions."""
    plain = create_engine(
        sqlite.sync_url(readers.url),
        creator=lambda: connection,
        poolclass=NullPool,
        hide_parameters=True,
    )
    return InlineConnection(readers, plain.connect(), connection)
