"""Finding the daemon of a data directory, starting it in the background, and stopping it.

Everything here blocks; an async caller runs it in a thread.
"""

from __future__ import annotations

import os
import time

from roost.client.wire import Wire
from roost.settings.locations import log_path, socket_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from roost.errors import DaemonStartFailed

START_TIMEOUT_S = 20.0
"""A start imports the engine and migrates the store; a slow disk needs several seconds."""

OWNED_BY_ANOTHER = 4
"""Exit code of a daemon that found the data directory owned: the command line's for a conflict."""

STOP_TIMEOUT_S = 60.0
"""The daemon forces its own end after 30 s with default settings."""

_POLL_S = 0.03
_RETRY_S = 1.0
"""Pause before another start when the owner does not answer: it may be on its way out."""
_TAIL_BYTES = 4096


def find_daemon(data_dir: str) -> bool:
    """Say whether a daemon answers for this data directory.

    Raises:
        DaemonUnreachable: there is a socket that must not or cannot be used.
    """
    return Wire(socket_path(data_dir)).is_listening()


def daemon_socket(data_dir: str) -> str:
    """Return the socket of this data directory's daemon without starting one.

    Raises:
        DaemonUnreachable: nobody answers.
    """
    Wire(socket_path(data_dir)).check_listening()
    return socket_path(data_dir)


def ensure_daemon(data_dir: str, timeout_s: float = START_TIMEOUT_S) -> str:
    """Return the socket of this data directory's daemon, after starting one when none answers.

    Two callers at once end with one daemon: the second one cannot take the data directory's lock
    and exits, and both callers wait for the socket.

    Args:
        data_dir: the data directory.
        timeout_s: how long a start may take, in seconds.

    Raises:
        DaemonStartFailed: the daemon exited or did not answer in time.
        DaemonUnreachable: there is a socket that must not or cannot be used.
    """
    data_dir = os.path.realpath(data_dir)
    if not find_daemon(data_dir):
        _start(data_dir, time.monotonic() + timeout_s)
    return socket_path(data_dir)


def stop_daemon(
    data_dir: str,
    timeout_s: float = STOP_TIMEOUT_S,
    on_waiting: Callable[[str], None] | None = None,
) -> bool:
    """Ask the daemon to stop and wait until its process is gone.

    Args:
        data_dir: the data directory.
        timeout_s: how long to wait, in seconds.
        on_waiting: told what the shutdown waits for, each time that is something else.

    Returns:
        False when the daemon is still stopping after `timeout_s`.

    Raises:
        DaemonUnreachable: nobody answers.
    """
    wire = Wire(socket_path(data_dir))
    pid = wire.get("/v1/status")["pid"]
    wire.send("POST", "/v1/shutdown")
    deadline = time.monotonic() + timeout_s
    told = ""
    while wire.is_listening() or _is_alive(pid):
        if time.monotonic() > deadline:
            return False
        waiting = _waiting_for(wire)
        if waiting and waiting != told and on_waiting is not None:
            on_waiting(waiting)
        told = waiting
        time.sleep(_POLL_S)
    return True


def _waiting_for(wire: Wire) -> str:
    from roost.errors import DaemonUnreachable

    try:
        return ", ".join(wire.get("/v1/status")["waiting_for"])
    except DaemonUnreachable:
        return ""


def _is_alive(pid: int) -> bool:
    try:
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return False  # it was our own child, and is no zombie any more
    except ChildProcessError:
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """Say whether it has ended and only its parent has not looked: some containers never do."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return stat.read().rpartition(b")")[2].split()[0] in (b"Z", b"X")
    except OSError:
        return False  # a system without this file, or it has just gone


def _start(data_dir: str, deadline: float) -> None:
    attempt = _Attempt(data_dir)
    while not find_daemon(data_dir):
        exit_code = attempt.process.poll()
        if exit_code not in (None, OWNED_BY_ANOTHER) or time.monotonic() > deadline:
            attempt.reap_when_it_ends()
            raise _start_failed(data_dir, attempt)
        if exit_code is not None and attempt.is_older_than(_RETRY_S):
            attempt = _Attempt(data_dir)
        time.sleep(_POLL_S)
    attempt.reap_when_it_ends()


class _Attempt:
    """One daemon process that was started, and where its part of the log begins."""

    def __init__(self, data_dir: str) -> None:
        self.began_at = time.monotonic()
        self.log_begin, self.process = _spawn(data_dir)

    def is_older_than(self, seconds: float) -> bool:
        return time.monotonic() - self.began_at > seconds

    def reap_when_it_ends(self) -> None:
        """Leave no zombie behind in a client that outlives the daemon."""
        import threading

        threading.Thread(target=self.process.wait, name="daemon-reaper", daemon=True).start()


def _spawn(data_dir: str) -> tuple[int, subprocess.Popen[bytes]]:
    import subprocess
    import sys

    try:
        os.makedirs(data_dir, mode=0o700, exist_ok=True)
        log = os.open(log_path(data_dir), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    except OSError as error:
        from roost.errors import DaemonStartFailed

        raise DaemonStartFailed(
            f"no daemon can be started in {data_dir}: {error.strerror}; choose another place with "
            "--data-dir",
            data_dir=data_dir,
        ) from error
    begin = os.fstat(log).st_size
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "roost.daemon", "--data-dir", data_dir],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
        )
        return begin, process
    except OSError as error:
        from roost.errors import DaemonStartFailed

        raise DaemonStartFailed(
            f"no daemon can be started: {sys.executable} cannot be executed ({error.strerror}); "
            "make it executable for this user, or install Roost anew",
            data_dir=data_dir,
        ) from error
    finally:
        os.close(log)


def _start_failed(data_dir: str, attempt: _Attempt) -> DaemonStartFailed:
    from roost.errors import DaemonStartFailed

    log = log_path(data_dir)
    exit_code = attempt.process.poll()
    if exit_code is None:
        happened = f"the daemon (pid {attempt.process.pid}) does not answer yet"
    elif exit_code == OWNED_BY_ANOTHER:
        happened = "another daemon owns the data directory and does not answer"
    else:
        happened = f"the daemon exited with code {exit_code} while starting"
    said = _last_line(log, attempt.log_begin)
    return DaemonStartFailed(
        f"{happened}{': ' + said if said else ''}. Its log is {log}",
        data_dir=data_dir,
        log=log,
        exit_code=exit_code,
    )


def _last_line(path: str, begin: int) -> str:
    with open(path, "rb") as log:
        size = log.seek(0, os.SEEK_END)
        # A log that was rotated meanwhile is shorter than where this start began in the old one.
        log.seek(max(begin if begin <= size else 0, size - _TAIL_BYTES))
        lines = log.read(_TAIL_BYTES).decode(errors="replace").splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
