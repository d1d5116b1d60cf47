"""`Database`: transactions on the one database of a data directory, and what its errors mean."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from types import TracebackType
from typing import TypeVar

from sqlalchemy import URL, make_url
from sqlalchemy.exc import DatabaseError, DataError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from roost.errors import RoostError, StoreUnavailable
from roost.store import sqlite, writer_connection
from roost.store.connection import StoreConnection
from roost.store.fixed_statement import Execute
from roost.store.group_commit import GroupCommit
from roost.store.migrate import migrate
from roost.store.readers import Readers
from roost.store.writer_connection import InlineConnection

T = TypeVar("T")

_DAMAGED = ("malformed", "not a database", "disk image")
"""Words of SQLite about a file that is broken or is something else."""


class Database:
    """Opens transactions. Writers that wait at the same time are committed together.

    Args:
        url: SQLAlchemy address, such as ``sqlite:///PATH``.
    """

    def __init__(self, url: str | URL) -> None:
        self._url: URL = make_url(url)
        self._readers: Readers | None = None
        self._writer: InlineConnection | None = None
        self._groups: GroupCommit | None = None

    async def open(self) -> None:
        """Migrate and connect.

        Raises:
            StoreUnavailable: the database cannot be opened, or a newer version made it.
        """
        with self._translated():
            await asyncio.to_thread(migrate, self._url)
            connection = await asyncio.to_thread(writer_connection.connect, self._url)
        self._groups = GroupCommit(connection)
        self._readers = Readers(self._url)
        self._writer = writer_connection.inline(self._url, connection)

    async def close(self) -> None:
        """Finish the writes under way and close every connection; safe to call twice."""
        groups, self._groups = self._groups, None
        readers, self._readers = self._readers, None
        writer, self._writer = self._writer, None
        if readers is not None:
            await readers.close()
        if groups is not None:
            await groups.close()
        if writer is not None:
            writer.close()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[StoreConnection]:
        """Open a transaction that only reads: everything in it sees one state.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        with self._translated():
            async with _opened(self._readers).transaction() as connection:
                yield connection

    def write(self) -> AbstractAsyncContextManager[StoreConnection]:
        """Open a transaction that writes, committed at the end unless an error leaves it.

        What other tasks wait to write meanwhile may be committed with it; see `GroupCommit`. It
        sees what they have changed, and is not changed by their failures.

        Raises:
            StoreUnavailable: the database does not take the write; nothing has changed.
        """
        return _Write(_opened(self._groups), _opened(self._writer), self._translation)

    async def write_at_once(self, work: Callable[[Execute], T]) -> T:
        """Do a write that awaits nothing between its statements, which is quicker than a block.

        Args:
            work: executes its statements by what it is given; when it raises, what it did is
                undone.

        Raises:
            StoreUnavailable: the database does not take the write; nothing has changed.
        """
        groups, execute = _opened(self._groups), _opened(self._writer).rows
        try:
            return await groups.run(lambda: work(execute))
        except Exception as error:
            meant = self._translation(error)
            if meant is None:
                raise
            raise meant from error

    def _translation(self, error: BaseException) -> StoreUnavailable | None:
        """Return what an error of the database means; None when it stands for itself."""
        if isinstance(error, IntegrityError | DataError | ProgrammingError):
            return None
        if isinstance(error, DatabaseError | sqlite3.Error | PoolTimeout | OSError):
            return StoreUnavailable(self._sentence(error))
        return None

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            meant = self._translation(error)
            if meant is None:
                raise
            raise meant from error

    def _sentence(self, error: BaseException) -> str:
        # The text of an SQLAlchemy error holds the statement; the driver's own is for people.
        cause = getattr(error, "orig", None) or error
        file = self._url.database
        said = str(getattr(cause, "strerror", None) or cause)
        if any(words in said for words in _DAMAGED):
            return (
                f"the database {file} is damaged ({said}); put a backup in its place, or move it "
                "away to begin with an empty one. Nothing of it was changed"
            )
        if isinstance(cause, PermissionError | IsADirectoryError) or "readonly" in said:
            return (
                f"the database {file} cannot be opened for writing ({said}); make it and its "
                "directory readable and writable for this user"
            )
        return (
            f"the database {file} did not answer ({said}); check that its disk has room and that "
            "no other program holds it"
        )


class _Write:
    """The block of one write, a class because a generator would cost each write a tenth more."""

    def __init__(
        self,
        groups: GroupCommit,
        connection: StoreConnection,
        translation: Callable[[BaseException], StoreUnavailable | None],
    ) -> None:
        self._groups = groups
        self._connection = connection
        self._translation = translation

    async def __aenter__(self) -> StoreConnection:
        try:
            self._member = await self._groups.enter()
        except sqlite3.Error as error:
            raise self._meaning(error) from error
        return self._connection

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await self._groups.leave(self._member, error)
        except sqlite3.Error as failure:
            raise self._meaning(failure) from failure
        if error is not None and (meaning := self._meaning(error)) is not error:
            raise meaning from error

    def _meaning(self, error: BaseException) -> BaseException:
        return self._translation(error) or error


def _opened(part: T | None) -> T:
    if part is None:
        raise StoreUnavailable("the store is closed; start the daemon again")
    return part


@contextmanager
def refusing(conflicts: Mapping[str, Callable[[], RoostError]]) -> Iterator[None]:
    """Turn a violated constraint into the error that is meant; any other passes through as itself.

    Args:
        conflicts: the error to raise, by name of the unique constraint or key.
    """
    try:
        yield
    except IntegrityError as error:
        meant = conflicts.get(sqlite.violated(error) or "")
        if meant is None:
            raise
        raise meant() from error
