"""`Database`: transactions on the one database of a data directory, and what its errors mean."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager

from sqlalchemy import URL, make_url
from sqlalchemy.exc import DatabaseError, DataError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from roost.errors import RoostError, StoreUnavailable
from roost.store import sqlite
from roost.store.migrate import migrate

POOL_SIZE = 5
"""One connection writes and the others read; each has a thread of its own."""

_DAMAGED = ("malformed", "not a database", "disk image")
"""Words of SQLite about a file that is broken or is something else."""


class Database:
    """Opens transactions. Writers of one process queue here instead of polling for the lock.

    Args:
        url: SQLAlchemy address, such as ``sqlite+aiosqlite:///PATH``.
    """

    def __init__(self, url: str | URL) -> None:
        self._url: URL = make_url(url)
        self._engine: AsyncEngine | None = None
        self._write_lock = asyncio.Lock()
        """Guards the one write transaction; the database's own lock would be waited for by polling
        with growing pauses."""

    async def open(self) -> None:
        """Migrate and connect.

        Raises:
            StoreUnavailable: the database cannot be opened, or a newer version made it.
        """
        with self._translated():
            await asyncio.to_thread(migrate, self._url)
        engine = create_async_engine(
            self._url, pool_size=POOL_SIZE, max_overflow=0, hide_parameters=True
        )
        sqlite.install_hooks(engine.sync_engine)
        self._engine = engine

    async def close(self) -> None:
        """Close every connection; safe to call twice."""
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.dispose()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that only reads: everything in it sees one state.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        with self._translated():
            async with self._opened().connect() as connection, connection.begin():
                yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that writes, committed at the end unless an error leaves it.

        Raises:
            StoreUnavailable: the database does not take the write; nothing has changed.
        """
        with self._translated():
            async with self._write_lock:
                writer = self._opened().execution_options(**{sqlite.WRITES: True})
                async with writer.begin() as connection:
                    yield connection

    def _opened(self) -> AsyncEngine:
        if self._engine is None:
            raise StoreUnavailable("the store is closed; start the daemon again")
        return self._engine

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (IntegrityError, DataError, ProgrammingError):
            raise
        except (DatabaseError, PoolTimeout, OSError) as error:
            raise StoreUnavailable(self._sentence(error)) from error

    def _sentence(self, error: Exception) -> str:
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
