"""Seeing a child's end, once and without losing its status.

On Linux one pidfd in the event loop per child, elsewhere one thread. The child is not reaped when
it ends but by `release`: until then it stays a zombie, so its number, which is also the number of
its session and group, cannot pass to somebody else while the rest of its tree is being ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import sys
import threading
from collections.abc import Callable
from typing import Protocol

from roost.drivers.base import ProcessExit

_log = logging.getLogger(__name__)

_NO_PIDFD = (errno.ENOSYS, errno.EPERM)
"""How old kernels and sandboxes refuse the system call."""

LOST_STATUS = ProcessExit(code=255, signal=None)
"""What is reported when another part of the program took the status; asyncio reports the same."""


OnExit = Callable[[ProcessExit], None]
"""Called once, on the loop."""


class OwnChild(Protocol):
    """A child of this process, as far as its end is concerned; `subprocess.Popen` is one."""

    @property
    def pid(self) -> int: ...

    def wait(self) -> int:
        """Reap it and return its code, negative for a signal."""
        ...


class ExitWatch(Protocol):
    """Watches one child until `release`."""

    def release(self) -> None:
        """Reap the ended child and free what watched it."""
        ...


def watch_exit(
    child: OwnChild,
    loop: asyncio.AbstractEventLoop,
    on_exit: OnExit,
) -> ExitWatch:
    """Call `on_exit` on the loop once when `child` has ended.

    Raises:
        OSError: there is no descriptor or thread left to watch it with.
    """
    if sys.platform == "linux":
        with contextlib.suppress(NotImplementedError):
            return PidfdWatch(child, loop, on_exit)
    return ThreadWatch(child, loop, on_exit)


class PidfdWatch:
    """Watches through a pidfd: one descriptor, no thread."""

    def __init__(
        self,
        child: OwnChild,
        loop: asyncio.AbstractEventLoop,
        on_exit: OnExit,
    ) -> None:
        self._child = child
        self._loop = loop
        self._on_exit = on_exit
        self._pidfd = _open_pidfd(child.pid)
        loop.add_reader(self._pidfd, self._look)

    def release(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._child.wait()

    def _look(self) -> None:
        exit = _peek(os.P_PIDFD, self._pidfd, os.WNOHANG)
        if exit is None:
            return
        self._loop.remove_reader(self._pidfd)
        self._on_exit(exit)


class ThreadWatch:
    """Watches from a thread of its own that ends with the child."""

    def __init__(
        self,
        child: OwnChild,
        loop: asyncio.AbstractEventLoop,
        on_exit: OnExit,
    ) -> None:
        self._child = child
        self._loop = loop
        self._on_exit = on_exit
        self._thread = threading.Thread(target=self._wait, name=f"exit-of-{child.pid}", daemon=True)
        self._thread.start()

    def release(self) -> None:
        self._thread.join()
        self._child.wait()

    def _wait(self) -> None:
        exit = self._block()
        # The loop may be closed when the program ends with children left.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._on_exit, exit)

    def _block(self) -> ProcessExit:
        if hasattr(os, "waitid"):
            return _peek(os.P_PID, self._child.pid, 0) or LOST_STATUS
        # Without waitid a child cannot be watched without being reaped.
        return from_returncode(self._child.wait())


def _open_pidfd(pid: int) -> int:
    try:
        return os.pidfd_open(pid)
    except OSError as error:
        if error.errno in _NO_PIDFD:
            raise NotImplementedError from error
        raise


def _peek(kind: int, number: int, flags: int) -> ProcessExit | None:
    """Read how a child ended and leave it a zombie."""
    try:
        result = os.waitid(kind, number, os.WEXITED | os.WNOWAIT | flags)
    except ChildProcessError:
        _log.error("the exit status of a child was taken by another part of the program")
        return LOST_STATUS
    return from_result(result)


def from_result(result: os.waitid_result | None) -> ProcessExit | None:
    """Return what `os.waitid` told; None when it told of no end."""
    if result is None:
        return None
    if result.si_code == os.CLD_EXITED:
        return ProcessExit(code=result.si_status, signal=None)
    return ProcessExit(code=None, signal=result.si_status)


def from_returncode(returncode: int) -> ProcessExit:
    """Return how a process ended whose code is negative for a signal."""
    if returncode < 0:
        return ProcessExit(code=None, signal=-returncode)
    return ProcessExit(code=returncode, signal=None)
