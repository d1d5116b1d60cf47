"""Daemons of tests, from a process that has loaded all a daemon needs.

Such a daemon is a process of its own with everything a daemon has, except that it begins behind its
imports: they are most of what a test with a daemon would cost. Its command line and the environment
that others can read are those of the process it was copied from.
"""

from __future__ import annotations

import atexit
import json
import os
import resource
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

PROGRAM = Path(__file__).parent / "programs" / "warm_daemons.py"

ENVIRON = dict(os.environ)
"""What the process is started with that daemons are copied from."""

READ_LATER = ("PYTHONPATH", "PYTHON_KEYRING_BACKEND")
"""What the copy can still follow: it looks for more modules there, and loads no keyring before."""

BOUND_S = 100.0
"""For the imports of the first daemon, on a machine that is busy with other tests."""


class WarmProcess:
    """One of them, with what of `subprocess.Popen` tests use."""

    def __init__(self, told: socket.socket) -> None:
        self._told = told
        told.settimeout(BOUND_S)
        try:
            self.pid = int(told.recv(100))
        except BaseException:
            told.close()
            raise
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return its exit status, or None while it runs."""
        try:
            return self._read(0.0)
        except BlockingIOError:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and return its exit status.

        Raises:
            subprocess.TimeoutExpired: it has not ended within so many seconds.
        """
        try:
            return self._read(timeout)
        except TimeoutError:
            raise subprocess.TimeoutExpired("a copy", timeout or 0.0) from None

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended, which is told a moment later."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to stop."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it with -9."""
        self.send_signal(signal.SIGKILL)

    def close(self) -> None:
        """Learn nothing more of it; it goes on as it is."""
        self._told.close()

    def _read(self, timeout: float | None) -> int:
        if self.returncode is None:
            self._told.settimeout(timeout)
            told = self._told.recv(100)
            assert told, "the process that all daemons are copied from has ended"
            self.returncode = int(told)
            self._told.close()
        return self.returncode


def warm_daemon(data_dir: Path, log: Path) -> WarmProcess | None:
    """Begin the daemon of a data directory; None where it takes a new interpreter.

    Args:
        data_dir: its data directory.
        log: where what it writes to its standard streams is added.
    """
    if not _can_be_copied(dict(os.environ)):
        return None
    return _copied(["daemon", "--data-dir", str(data_dir)], None, log, dict(os.environ))


def warm_program(
    program: Path, *arguments: str, log: Path, environ: dict[str, str] | None = None
) -> WarmProcess | subprocess.Popen[bytes]:
    """Begin a script that does what a daemon does, in a new interpreter where it takes one.

    Args:
        program: the script.
        arguments: its arguments.
        log: where what it writes to its standard streams is added.
        environ: its environment; that of the tests by default.
    """
    environ = dict(os.environ) if environ is None else environ
    if _can_be_copied(environ):
        return _copied([str(program), *arguments], program, log, environ)
    with log.open("ab") as stream:
        return subprocess.Popen(
            [sys.executable, str(program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            cwd="/",
            start_new_session=True,
            env=environ,
        )


def _copied(
    argv: list[str], program: Path | None, log: Path, environ: dict[str, str]
) -> WarmProcess:
    asked = {
        "program": program and str(program),
        "argv": argv,
        "environ": environ,
        "open_files": resource.getrlimit(resource.RLIMIT_NOFILE),
    }
    told, teller = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with teller, open(log, "ab", opener=_private) as stream:
        message = json.dumps(asked).encode()
        socket.send_fds(_template(), [message], [stream.fileno(), teller.fileno()])
    return WarmProcess(told)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _can_be_copied(environ: dict[str, str]) -> bool:
    return sys.platform == "linux" and _of_interpreter(environ) == _of_interpreter(ENVIRON)


def _of_interpreter(environ: dict[str, str]) -> dict[str, str]:
    """Return what the interpreter and the loader read before any of our code runs."""
    return {
        name: value
        for name, value in environ.items()
        if name.startswith(("PYTHON", "LD_", "LC_", "LANG")) and name not in READ_LATER
    }


@cache
def _template() -> socket.socket:
    """Start the process that daemons are copied from; it ends with the tests."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, str(PROGRAM)], stdin=theirs.fileno(), cwd="/", env=ENVIRON
        )

    def end() -> None:
        ours.close()
        process.wait(BOUND_S)

    atexit.register(end)
    return ours
