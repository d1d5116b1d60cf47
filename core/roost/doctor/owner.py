"""Who owns the data directory: the lock, the socket, and daemons that should not be there."""

from __future__ import annotations

import errno
import json
import os
import socket
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from roost.doctor.findings import command, listed, ok, problem, warning
from roost.doctor.openers import Opener
from roost.doctor.surroundings import NOT_THERE, Surroundings
from roost.models.doctor import Finding
from roost.settings.locations import log_path, socket_path

CONNECT_S = 3.0
"""A live daemon accepts at once, even while it is busy: the kernel queues the connection."""

_DEAD = (errno.ECONNREFUSED, errno.ENOENT)


def check_lock(around: Surroundings) -> Finding:
    """Say who holds the lock, and whether the text in it still tells the truth."""
    name = "lock"
    holders = [opener for opener in around.openers() if opener.holds_lock]
    if len(holders) > 1:
        return warning(
            name,
            f"the processes {_pids(holders)} have {around.lock} open; one of them holds it",
            "the others should be gone within seconds; look again",
        )
    told = _read_holder(around.lock)
    if holders:
        pid = holders[0].pid
        if told.get("pid") != pid:
            return warning(
                name,
                f"the process {pid} ({holders[0].program}) has {around.lock} open, which names "
                f"{told.get('pid', 'nobody')}",
                f"if it is no daemon, end it with {command('kill', str(pid))}",
            )
        return ok(name, f"held by the daemon with pid {pid}")
    return _lock_without_opener(around, told)


def _lock_without_opener(around: Surroundings, told: dict[str, Any]) -> Finding:
    name, pid = "lock", told.get("pid")
    if not os.path.lexists(around.lock):
        return ok(name, "no daemon has owned this directory yet")
    if not around.lock.is_file():
        return problem(
            name,
            f"{around.lock} is in the way: it is no file",
            f"take it away with {command('mv', around.lock, f'{around.lock}.old')}",
        )
    if not os.access(around.lock, os.R_OK | os.W_OK):
        return problem(
            name,
            f"{around.lock} cannot be opened, so no daemon can own the directory",
            f"give yourself access with {command('chmod', '600', around.lock)}",
        )
    if isinstance(pid, int) and _is_same_process(told):
        return warning(
            name,
            f"it names the process {pid}, which lives, and cannot be seen to hold it",
            "run the doctor as the user that runs the daemon",
        )
    # Not "free": a process of another container may hold it unseen.
    last = f"; its last holder (pid {pid}) has ended" if pid else ""
    return ok(name, f"nobody is seen to hold it{last}")


def _read_holder(lock: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        holder = json.loads(lock.read_text(errors="replace")[:4096])
        return holder if isinstance(holder, dict) else {}
    return {}


def _is_same_process(told: dict[str, Any]) -> bool:
    """Say whether the process that the lock names is the one that has its pid now."""
    pid = told["pid"]
    if sys.platform != "linux":
        return bool(psutil.pid_exists(pid))
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return False
    state, start = fields[0], int(fields[19])
    has_ended = state in ("Z", "X")  # and nobody has asked how
    return not has_ended and told.get("boot") == boot and told.get("start") == start


def check_socket(around: Surroundings) -> Finding:
    """Say whether clients can reach the daemon, and only the right ones."""
    path = Path(socket_path(str(around.data_dir)))
    is_apart = path.parent.resolve() != around.data_dir.resolve()
    if is_apart and (trouble := _shared_directory(path.parent, around)):
        return trouble
    if not os.path.lexists(path):
        return _absent(path, around)
    mode = path.lstat().st_mode
    if not stat.S_ISSOCK(mode):
        return problem(
            "socket",
            f"{path} is no socket and keeps the daemon from making one",
            f"take it away with {command('mv', path, f'{path}.old')}",
        )
    if stat.S_IMODE(mode) & 0o077:
        return problem(
            "socket",
            f"{path} is open to other users (mode {stat.S_IMODE(mode):04o})",
            f"close it with {command('chmod', '600', path)}",
        )
    return _reached(path, around)


def _shared_directory(directory: Path, around: Surroundings) -> Finding | None:
    """Look at the directory in ``/tmp`` that holds the sockets of long paths."""
    try:
        found = directory.lstat()
    except NOT_THERE:
        return None
    if stat.S_ISDIR(found.st_mode) and found.st_uid == around.uid:
        return None
    return problem(
        "socket",
        f"{directory}, which holds the sockets of long paths, was made by the user with id "
        f"{found.st_uid}, so no daemon will use it",
        f"let that user or root remove it with {command('rm', '-r', directory)}, or choose a "
        "shorter data directory",
    )


def _absent(path: Path, around: Surroundings) -> Finding:
    holders = [opener for opener in around.openers() if opener.holds_lock and opener.is_daemon]
    if not holders:
        return ok("socket", "there is none, for no daemon is running")
    pid = holders[0].pid
    return problem(
        "socket",
        f"the daemon with pid {pid} runs, and its socket {path} is gone",
        "if it is not just starting or stopping, end it with "
        f"{command('kill', str(pid))} and run `roost` again",
    )


def _reached(path: Path, around: Surroundings) -> Finding:
    name = "socket"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(CONNECT_S)
            probe.connect(str(path))
    except OSError as error:
        if error.errno not in _DEAD:
            log = log_path(str(around.data_dir))
            return problem(
                name,
                f"{path} does not accept connections ({error.strerror or 'it timed out'})",
                f"read {log}; `roost down` and `roost` start the daemon again",
            )
        return _stale(path, around)
    return ok(name, f"{path} accepts connections of its owner")


def _stale(path: Path, around: Surroundings) -> Finding:
    holders = [opener for opener in around.openers() if opener.holds_lock]
    if not holders:
        return ok("socket", "left by a daemon that has ended; the next start replaces it")
    pid = str(holders[0].pid)
    return problem(
        "socket",
        f"the daemon with pid {pid} does not listen on {path} any more",
        f"end it with {command('kill', pid)} and run `roost` again",
    )


def check_daemons(around: Surroundings) -> Finding:
    """Say whether anybody else than the lock's holder works on the database."""
    name, found = "daemons", around.openers()
    owners = [opener for opener in found if opener.holds_lock]
    second = [opener for opener in found if not opener.holds_lock and opener.is_second_daemon]
    others = [
        opener
        for opener in found
        if opener.writes_database and not (opener.holds_lock or opener.is_daemon)
    ]
    if second:
        return problem(
            name,
            f"more than one daemon works on {around.data_dir}: the processes "
            f"{_pids([*owners, *second])}",
            f"end the extra one with {command('kill', *(str(o.pid) for o in second))}, then look "
            "again",
        )
    if others:
        programs = listed(f"{opener.program} (pid {opener.pid})" for opener in others)
        return warning(
            name,
            f"{programs} has {around.database.name} open for writing beside the daemon",
            "close it; a daemon cannot write while another program does",
        )
    if not owners:
        return ok(name, "no daemon is running on this directory")
    return ok(name, f"one daemon works on this directory (pid {owners[0].pid})")


def _pids(openers: list[Opener]) -> str:
    return listed(opener.pid for opener in openers)
