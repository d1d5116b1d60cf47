"""Limits of the process, and the clock."""

from __future__ import annotations

import resource
import time

import psutil

from roost.doctor.findings import ok, problem, warning
from roost.doctor.surroundings import Surroundings
from roost.models.doctor import Finding

FEW_FILES = 1024
"""Descriptors; a bundle takes about six, a viewer one, and the database some."""

FEW_PROCESSES = 512

USED_SHARE = 0.8

BUILT_AFTER_S = 1_735_689_600
"""Epoch seconds of 2025-01-01: a clock before it has not been set."""

AHEAD_S = 300.0
"""Seconds by which a file may be newer than the clock."""


def check_limits(around: Surroundings) -> Finding:
    """Say whether enough files and processes may be opened."""
    name = "limits"
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    processes, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    used = psutil.Process().num_fds() if around.is_daemon else 0
    if files != resource.RLIM_INFINITY and used > files * USED_SHARE:
        return problem(
            name,
            f"the daemon has {used} of the {files} files open that it may have",
            f"stop some bundles, or restart it with more: {_raise_files(files)}",
        )
    if files != resource.RLIM_INFINITY and files < FEW_FILES:
        return warning(name, f"only {files} files may be open at once", _raise_files(files))
    if processes != resource.RLIM_INFINITY and processes < FEW_PROCESSES:
        return warning(
            name,
            f"this user may have only {processes} processes and threads",
            "raise it before the daemon starts: `ulimit -u 4096`, or TasksMax= in its unit",
        )
    shown = ["any number of" if n == resource.RLIM_INFINITY else n for n in (files, processes)]
    return ok(name, f"{shown[0]} open files, {shown[1]} processes")


def _raise_files(now: int) -> str:
    return (
        f"raise it before the daemon starts: `ulimit -n {max(4 * now, 4096)}`, or LimitNOFILE= in "
        "its unit"
    )


def check_clock(around: Surroundings) -> Finding:
    """Say whether the clock can be right: leases and records depend on it."""
    name, now = "clock", time.time()
    set_it = "set it, and let it be kept: `timedatectl set-ntp true`"
    if now < BUILT_AFTER_S:
        return problem(name, f"it shows {_date(now)}, so it was never set", set_it)
    newest = max((_changed_at(around, path) for path in ("roost.db", "daemon.lock")), default=0.0)
    if newest > now + AHEAD_S:
        return warning(
            name,
            f"it shows {_date(now)}, and the data directory was written at {_date(newest)}",
            set_it,
        )
    return ok(name, f"it shows {_date(now)}")


def _changed_at(around: Surroundings, name: str) -> float:
    try:
        return (around.data_dir / name).stat().st_mtime
    except OSError:
        return 0.0


def _date(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(at))
