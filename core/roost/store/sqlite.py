"""What is special about SQLite; everything else in this package is plain SQLAlchemy Core."""

from __future__ import annotations

import os
import re
import sqlite3
from typing import Any

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    Index,
    PrimaryKeyConstraint,
    UniqueConstraint,
    event,
)
from sqlalchemy.exc import IntegrityError

from roost.errors import StoreUnavailable
from roost.store.tables import metadata

BUSY_TIMEOUT_MS = 5000
"""Writers of this process queue in front of the database, so only a backup or a shell can hold it
longer than an instant; five seconds outlast both."""

OLDEST_VERSION = (3, 35, 0)
"""The first SQLite with `RETURNING`."""

_PRIMARY_CODE = 0xFF
"""The bits of SQLite's extended error codes that hold the plain one."""

WRITES = "roost_writes"
"""Execution option of an engine whose transactions write."""


def prepare(url: URL) -> None:
    """Make the database file private to its user before anything opens it.

    SQLite gives the write-ahead log beside it the same mode.

    Raises:
        StoreUnavailable: this Python's SQLite is too old.
    """
    if sqlite3.sqlite_version_info < OLDEST_VERSION:
        raise StoreUnavailable(
            f"this Python comes with SQLite {sqlite3.sqlite_version} and Roost needs 3.35 or "
            "newer; run it with another Python"
        )
    path = _path(url)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    os.chmod(path, 0o600)


def sync_url(url: URL) -> URL:
    """Return the address of the same database for the plain driver, which migrations use."""
    return url.set(drivername="sqlite+pysqlite")


def install_hooks(engine: Engine) -> None:
    """Set every connection up and let transactions begin as their engine says."""
    event.listen(engine, "connect", lambda connection, _record: set_up(connection))
    event.listen(engine, "begin", _begin)


def set_up(connection: Any) -> None:
    """Make a new connection of the driver wait for locks, check keys and write durably."""
    # The driver begins transactions by its own rules, and never at a read, unless told not to.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout = {BUSY_TIMEOUT_MS}",
        "journal_mode = WAL",
        "foreign_keys = ON",
        # FULL, so that what a caller was told is kept (a cleared credential, a begun run) outlives
        # a power cut. It costs one fsync a transaction; NORMAL would lose the newest ones.
        "synchronous = FULL",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    # A transaction that reads first and writes later cannot wait for the lock, it fails at once;
    # so a writer takes the lock at its beginning.
    is_write = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")


def is_busy(error: sqlite3.Error) -> bool:
    """Say whether another connection holds the lock that was asked for."""
    return error.sqlite_errorcode & _PRIMARY_CODE == sqlite3.SQLITE_BUSY


def violated(error: IntegrityError) -> str | None:
    """Return the name of the unique constraint or key that was violated, if it was one."""
    match = re.match(r"UNIQUE constraint failed: (.+)", str(error.orig))
    return _NAME_OF_COLUMNS.get(match.group(1)) if match else None


def _names_by_columns() -> dict[str, str]:
    # SQLite reports the columns of a violated index, not its name.
    names: dict[str, str] = {}
    for table in metadata.sorted_tables:
        parts: list[Index | UniqueConstraint | PrimaryKeyConstraint] = [table.primary_key]
        parts += [index for index in table.indexes if index.unique]
        parts += [item for item in table.constraints if isinstance(item, UniqueConstraint)]
        for part in parts:
            columns = ", ".join(f"{table.name}.{column.name}" for column in part.columns)
            names[columns] = str(part.name)
    return names


_NAME_OF_COLUMNS = _names_by_columns()


def _path(url: URL) -> str:
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        raise StoreUnavailable(
            f"{url.render_as_string(hide_password=True)} is not the file of an SQLite database; "
            "give one as sqlite:///PATH"
        )
    return str(url.database)
