"""The database, the disk below it, and the daemon's own log."""

from __future__ import annotations

import os
import re
import sqlite3
from pathlib import Path

from roost.doctor.database import has_pending_log, is_open_elsewhere, opened
from roost.doctor.findings import command, ok, problem, size, warning
from roost.doctor.surroundings import NOT_THERE, Surroundings
from roost.models.doctor import Finding
from roost.settings.daemon_settings import DaemonSettings
from roost.settings.locations import log_path

MIB = 1024 * 1024

CHECKED_WHOLE = 64 * MIB
"""Bytes of a database whose pages are all looked at; that takes a fraction of a second."""

READ_S = 4.0

LARGE_LOG = 64 * MIB
"""Bytes of write-ahead log; SQLite takes it over after a few MiB unless a reader is in the way."""

OLDEST_SQLITE = (3, 35, 0)

LOW_DISK, FULL_DISK = 1024 * MIB, 100 * MIB
LOW_SHARE = 0.05
LOW_FILES, FULL_FILES = 10_000, 200

MIGRATIONS = Path(__file__).parents[1] / "store" / "migrations" / "versions"
"""Read as a folder: the store itself belongs to the daemon and is slow to import."""


def check_database(around: Surroundings) -> Finding:
    """Say whether the database can be read and is of a version this Roost knows."""
    name, path = "database", around.database
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        return problem(
            name,
            f"this Python comes with SQLite {sqlite3.sqlite_version}, and 3.35 is needed",
            "install Roost with another Python",
        )
    try:
        count = path.stat().st_size
    except NOT_THERE:
        return ok(name, "there is none yet; the first start makes it")
    if has_pending_log(around) and not is_open_elsewhere(around):
        pending = size(around.write_ahead_log.stat().st_size)
        return ok(name, f"{size(count)}; the next start takes over {pending} of its log")
    try:
        return _read(around, count)
    except sqlite3.Error as error:
        return problem(
            name,
            f"{path} cannot be read ({type(error).__name__})",
            "`roost down`, then put a backup back; keep the file and what lies beside it",
        )


def _read(around: Surroundings, count: int) -> Finding:
    name = "database"
    with opened(around, seconds=READ_S) as connection:
        version = _schema_version(connection)
        damage = _damage(connection) if count <= CHECKED_WHOLE else ""
    if damage:
        return problem(
            name,
            f"{around.database} is damaged: {damage}",
            "`roost down`, then put a backup back; keep the file and what lies beside it",
        )
    known = schema_versions()
    if version is not None and version not in known:
        return problem(
            name,
            f"a newer Roost made it (schema {version}; this one knows {known[-1]})",
            "install that version again, or choose another place with --data-dir",
        )
    log_bytes = around.write_ahead_log.stat().st_size if has_pending_log(around) else 0
    if log_bytes > LARGE_LOG:
        return warning(
            name,
            f"its write-ahead log has grown to {size(log_bytes)}, so a reader is in the way",
            "close other programs that read roost.db, then `roost down` and `roost`",
        )
    looked = "its pages are sound" if count <= CHECKED_WHOLE else "too large to look at every page"
    return ok(name, f"{size(count)}, schema {version or 'none yet'}; {looked}")


def schema_versions() -> tuple[str, ...]:
    """Return the schema versions this Roost knows, oldest first."""
    names = (re.match(r"\d+", path.name) for path in MIGRATIONS.glob("*.py"))
    return tuple(sorted(match[0] for match in names if match))


def _schema_version(connection: sqlite3.Connection) -> str | None:
    table = "SELECT count(*) FROM sqlite_master WHERE name = 'alembic_version'"
    if not connection.execute(table).fetchone()[0]:
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(row[0]) if row else None


def _damage(connection: sqlite3.Connection) -> str:
    try:
        (first,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError:  # interrupted on a slow disk, or busy
        return ""
    return "" if first == "ok" else str(first)


def check_disk(around: Surroundings) -> Finding:
    """Say how much room is left for rows, logs and environments."""
    name, place = "disk", around.nearest()
    found = os.statvfs(place)
    free, total = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
    said = f"{size(free)} of {size(total)} are free"
    look = f"see what takes it with {command('du', '-xsh', place)}, and make room"
    if free < FULL_DISK:
        return problem(name, f"{said}, which is not enough to go on", look)
    if found.f_files and found.f_favail < FULL_FILES:
        return problem(name, f"{found.f_favail} more files can be made, which is not enough", look)
    if free < LOW_DISK or free < total * LOW_SHARE:
        return warning(name, said, look)
    if found.f_files and found.f_favail < LOW_FILES:
        return warning(name, f"{said}, and only {found.f_favail} more files can be made", look)
    return ok(name, said)


def check_log(around: Surroundings) -> Finding:
    """Say whether the daemon's own log can be written and stays within its bounds."""
    name, path = "log", Path(log_path(str(around.data_dir)))
    try:
        count = path.stat().st_size
    except NOT_THERE:
        return ok(name, "there is none yet; a daemon in the background writes it")
    if not path.is_file() or not os.access(path, os.W_OK):
        return problem(
            name,
            f"{path} cannot be written to, so no daemon can be started in the background",
            f"take it away with {command('mv', path, f'{path}.old')}",
        )
    limit = (around.used_settings() or DaemonSettings()).daemon_log_bytes
    if count > 2 * limit:
        return warning(
            name,
            f"{path} has {size(count)} and should be rotated at {size(limit)}",
            "restart the daemon with `roost down` and `roost`; its end says what fills it",
        )
    older = len(
        [entry for entry in path.parent.glob(f"{path.name}.*") if entry.suffix[1:].isdigit()]
    )
    kept = f", {older} older beside it" if older else ""
    return ok(name, f"{path} has {size(count)}{kept}")
