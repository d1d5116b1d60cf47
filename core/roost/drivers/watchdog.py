"""`Watchdog`: the daemon's side of the process that ends its children when it dies.

The watchdog holds the read end of a pipe whose only write end is in the daemon, so it sees the
daemon's end however that came about. See `roost.drivers.watchdog_program` for its own side.
"""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path

from roost.drivers.base import ProcessExit
from roost.drivers.exits import watch_exit
from roost.drivers.proctable import Identity

_log = logging.getLogger(__name__)

RESTART_PAUSE_S = 1.0
"""A watchdog that ends at once is not started more often than this."""

CLOSE_BOUND_S = 2.0
"""A dismissed watchdog ends within milliseconds; one that is stopped or stuck is killed."""

_PROGRAM = "roost.drivers.watchdog_program"

_IMPORT_ROOT = str(Path(__file__).resolve().parents[2])
"""Where `roost` is found: the watchdog runs without site packages and without our environment."""


class Watchdog:
    """Runs the watchdog process, tells it what lives, and replaces it when it is missing.

    Args:
        data_id: identity of the data directory, shown in its command line.
        python: interpreter to run it with.
        log_fd: descriptor for its standard error; None discards it.
    """

    def __init__(
        self, data_id: str, *, python: str = sys.executable, log_fd: int | None = None
    ) -> None:
        self._argv = [python, "-S", "-P", "-m", _PROGRAM, data_id]
        self._log_fd = log_fd
        self._alive: dict[Identity, str] = {}
        self._process: _WatchdogProcess | None = None
        self._started_at = float("-inf")
        self._restart: asyncio.TimerHandle | None = None
        self._is_closing = False

    @property
    def pid(self) -> int | None:
        """Pid of the watchdog process, None while it is missing."""
        return self._process.pid if self._process else None

    def open(self) -> None:
        """Start the watchdog process; needs a running loop."""
        self._is_closing = False
        self._start()

    def add(self, identity: Identity, mark: str) -> None:
        """Tell of a new leader. While the watchdog is missing its successor is told instead."""
        self._alive[identity] = mark
        self._send("add", identity, mark)

    def remove(self, identity: Identity) -> None:
        """Tell that nothing is left of this leader's tree."""
        if (mark := self._alive.pop(identity, None)) is not None:
            self._send("remove", identity, mark)

    async def close(self) -> None:
        """Dismiss the watchdog: it ends without touching anything. Safe to call twice."""
        self._is_closing = True
        if self._restart is not None:
            self._restart.cancel()
        if self._process is not None:
            await self._process.dismiss()

    def _start(self) -> None:
        loop = asyncio.get_running_loop()
        self._started_at = loop.time()
        try:
            self._process = _WatchdogProcess(self._argv, self._log_fd, loop, self._on_gone)
        except OSError as error:
            _log.error("the watchdog cannot be started (%s); trying again", error)
            self._restart = loop.call_later(RESTART_PAUSE_S, self._start)
            return
        for identity, mark in self._alive.items():
            self._send("add", identity, mark)

    def _on_gone(self, exit: ProcessExit) -> None:
        self._process = None
        if self._is_closing:
            return
        _log.warning("the watchdog is gone (%s); starting another one", exit)
        loop = asyncio.get_running_loop()
        due = max(loop.time(), self._started_at + RESTART_PAUSE_S)
        self._restart = loop.call_at(due, self._start)

    def _send(self, verb: str, identity: Identity, mark: str) -> None:
        if self._process is not None:
            told = f"{verb} {identity.pid} {identity.start} {identity.boot} {mark}"
            self._process.send(told)


class _WatchdogProcess:
    """One incarnation of the watchdog and the pipe to it.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(
        self,
        argv: list[str],
        log_fd: int | None,
        loop: asyncio.AbstractEventLoop,
        on_gone: Callable[[ProcessExit], None],
    ) -> None:
        self._loop = loop
        self._on_gone = on_gone
        self._gone = asyncio.Event()
        self._unsent: deque[bytes] = deque()
        self._pipe, self._child = _start(argv, log_fd)
        try:
            self._watch = watch_exit(self._child, loop, self._record_exit)
        except OSError:
            self._child.kill()
            self._child.wait()
            os.close(self._pipe)
            raise

    @property
    def pid(self) -> int:
        return self._child.pid

    def send(self, line: str) -> None:
        """Queue a message and write as much as the pipe takes, without ever blocking."""
        self._unsent.append(line.encode() + b"\n")
        self._flush()

    async def dismiss(self) -> None:
        """Say goodbye, close the pipe and wait for the end, a bounded time."""
        self.send("bye")
        self._close_pipe()
        try:
            async with asyncio.timeout(CLOSE_BOUND_S):
                await self._gone.wait()
        except TimeoutError:
            _log.warning("the watchdog did not end when it was dismissed; it is killed")
            self._child.kill()
            await self._gone.wait()

    def _flush(self) -> None:
        if self._pipe < 0:
            return
        try:
            while self._unsent:
                # A line is shorter than PIPE_BUF, so the pipe takes it whole or not at all.
                os.write(self._pipe, self._unsent[0])
                self._unsent.popleft()
        except BlockingIOError:
            self._loop.add_writer(self._pipe, self._flush)
            return
        except BrokenPipeError:
            # Its end is about to be seen; the successor gets the whole list.
            self._unsent.clear()
        self._loop.remove_writer(self._pipe)

    def _close_pipe(self) -> None:
        if self._pipe < 0:
            return
        self._loop.remove_writer(self._pipe)
        os.close(self._pipe)
        self._pipe = -1

    def _record_exit(self, exit: ProcessExit) -> None:
        self._close_pipe()
        self._watch.release()
        self._gone.set()
        self._on_gone(exit)


def _start(argv: list[str], log_fd: int | None) -> tuple[int, subprocess.Popen[bytes]]:
    """Start the watchdog in a session of its own; return our end of its pipe and its process."""
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    try:
        child = subprocess.Popen(
            argv,
            stdin=read_end,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL if log_fd is None else log_fd,
            env={"PYTHONPATH": _IMPORT_ROOT},
            cwd="/",
            start_new_session=True,
            close_fds=True,
        )
    except OSError:
        os.close(write_end)
        raise
    finally:
        os.close(read_end)
    return write_end, child
