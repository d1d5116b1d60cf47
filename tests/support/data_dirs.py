"""Data directories as a daemon leaves them, made without one."""

from __future__ import annotations

import base64
import re
import shlex
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from roost.doctor import Surroundings
from roost.doctor.openers import Opener
from roost.models import Finding

ENVIRON = {"PATH": "/usr/bin:/bin", "HOME": "/"}

CHECK_NAMES = [
    "data_dir",
    "filesystem",
    "permissions",
    "settings",
    "lock",
    "socket",
    "daemons",
    "database",
    "keyring",
    "runtime_python",
    "runtime_uv",
    "runtime_node",
    "runtime_npx",
    "runtime_git",
    "disk",
    "log",
    "limits",
    "clock",
]
"""Every check that needs no daemon, in the order in which they are told."""


def fill(data_dir: Path) -> None:
    """Make every file of a data directory, as private as a daemon makes them."""
    for folder in ("keys", "logs", "logs/w", "crashes"):
        (data_dir / folder).mkdir(mode=0o700)
    make_database(data_dir / "roost.db")
    key = base64.b64encode(bytes(32))
    for name, content in {
        "keys/vault.key": key,
        "daemon.lock": b"",
        "daemon.log": b"a line\n",
        "daemon.log.1": b"an older line\n",
        "logs/w/1.log": b"",
        "crashes/cli.txt": b"",
    }.items():
        (data_dir / name).write_bytes(content)
        (data_dir / name).chmod(0o600)


def make_database(path: Path, version: str = "0001") -> None:
    """Make a database of some schema version with one stored credential."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "PRAGMA journal_mode = WAL;"
            "CREATE TABLE alembic_version (version_num TEXT);"
            "CREATE TABLE credentials (value BLOB);"
            "INSERT INTO credentials VALUES (x'00');"
        )
        connection.execute("INSERT INTO alembic_version VALUES (?)", (version,))
        connection.commit()
    path.chmod(0o600)


def opener(
    pid: int = 4100,
    *,
    program: str = "roost.daemon",
    holds_lock: bool = False,
    writes_database: bool = False,
    is_daemon: bool = True,
    age_s: float = 3600.0,
) -> Opener:
    """Return a process that has to do with a data directory."""
    return Opener(pid, program, holds_lock, writes_database, is_daemon, age_s)


def with_openers(around: Surroundings, *openers: Opener) -> Surroundings:
    """Let these be the processes that are found."""
    around.openers = lambda: openers  # type: ignore[assignment]
    return around


def do_what_it_says(finding: Finding) -> None:
    """Type every command of a finding's advice into a shell."""
    commands = re.findall("`([^`]*)`", finding.mend)
    assert commands, finding.mend
    for command in commands:
        assert shlex.split(command)
        subprocess.run(command, shell=True, check=True, timeout=30)
