"""Which processes have a data directory's lock or database open, or claim to be its daemon.

Looking is all that is done: trying the lock, even for an instant, could refuse a daemon that starts
in that instant.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

DAEMON_MODULE = "roost.daemon"

YOUNG_S = 60.0
"""A second daemon that finds the directory owned is gone again within this time."""


@dataclass(frozen=True, slots=True)
class Opener:
    """One process that has to do with the data directory."""

    pid: int
    program: str
    holds_lock: bool
    writes_database: bool
    is_daemon: bool
    """Whether its command line says that it is this directory's daemon."""
    age_s: float

    @property
    def is_second_daemon(self) -> bool:
        """Whether it would be one too many beside the lock's holder."""
        return self.is_daemon and (self.writes_database or self.age_s > YOUNG_S)


def find_openers(data_dir: Path) -> tuple[Opener, ...]:
    """Return the processes that hold the lock, write the database, or run as the daemon.

    Processes of other users are seen by root only.
    """
    here = os.path.realpath(data_dir)
    found = (_opener(process, here) for process in psutil.process_iter())
    return tuple(opener for opener in found if opener is not None)


def _opener(process: psutil.Process, here: str) -> Opener | None:
    try:
        files = tuple(process.open_files())
        argv = tuple(process.cmdline())
        is_daemon = _is_daemon(process, argv, here)
        opener = Opener(
            pid=process.pid,
            program=_program(process, argv),
            holds_lock=any(file.path == f"{here}/daemon.lock" for file in files),
            writes_database=any(_is_written(file, f"{here}/roost.db") for file in files),
            is_daemon=is_daemon,
            age_s=time.time() - process.create_time(),
        )
    except (psutil.Error, OSError):  # gone meanwhile, or not ours to see
        return None
    return opener if opener.holds_lock or opener.writes_database or is_daemon else None


def _is_written(file: object, path: str) -> bool:
    """Say whether a file is open for writing; where that is not known, it is taken to be."""
    return getattr(file, "path", "") == path and getattr(file, "mode", "w") != "r"


def _program(process: psutil.Process, argv: Sequence[str]) -> str:
    name: str = process.name()
    return DAEMON_MODULE if DAEMON_MODULE in argv else name


def _is_daemon(process: psutil.Process, argv: Sequence[str], here: str) -> bool:
    if DAEMON_MODULE not in argv:
        return False
    named = next(_option_values(argv, "--data-dir"), None)
    if named is None:
        named = process.environ().get("ROOST_DATA_DIR")
    return named is not None and os.path.realpath(os.path.expanduser(named)) == here


def _option_values(argv: Sequence[str], option: str) -> Iterator[str]:
    for index, word in enumerate(argv):
        if word == option and index + 1 < len(argv):
            yield argv[index + 1]
        elif word.startswith(f"{option}="):
            yield word.partition("=")[2]
