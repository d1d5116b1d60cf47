"""Reading the database without changing anything, beside a daemon that writes it.

The file is only ever opened through SQLite: closing a plain descriptor of it would drop the locks
that the daemon, if it is this process, holds on it.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import quote

from roost.doctor.surroundings import Surroundings

BUSY_S = 2.0
"""A reader waits for nobody in this journal mode, except while the file is taken over."""

STEPS_BETWEEN_LOOKS = 10_000
"""Steps of SQLite's machine between two looks at the clock."""


def is_open_elsewhere(around: Surroundings) -> bool:
    """Say whether a daemon has the database open, this process included."""
    return around.is_daemon or any(
        opener.holds_lock or opener.writes_database for opener in around.openers()
    )


def has_pending_log(around: Surroundings) -> bool:
    """Say whether an ended daemon left writes that only the log beside the database holds."""
    try:
        return around.write_ahead_log.stat().st_size > 0
    except OSError:
        return False


@contextmanager
def opened(around: Surroundings, *, seconds: float) -> Iterator[sqlite3.Connection]:
    """Give a connection that only reads; statements are interrupted after `seconds`.

    Beside a daemon it reads what the daemon committed. Without one it must not make the shared
    memory that a normal reader makes, so it reads the file alone.
    """
    mode = "mode=ro" if is_open_elsewhere(around) else "immutable=1"
    address = f"file:{quote(str(around.database))}?{mode}"
    deadline = time.monotonic() + seconds
    with closing(sqlite3.connect(address, uri=True, timeout=BUSY_S)) as connection:
        connection.set_progress_handler(
            lambda: int(time.monotonic() > deadline), STEPS_BETWEEN_LOOKS
        )
        yield connection


def count_rows(around: Surroundings, table: str) -> int:
    """Return how many rows a table has; 0 when it cannot be told."""
    if not around.database.exists():
        return 0
    try:
        with opened(around, seconds=3.0) as connection:
            # The caller names a table of ours; names cannot be parameters.
            (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    except sqlite3.Error:
        return 0
    return int(count)
