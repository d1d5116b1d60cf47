"""The processes that a template has forked, until the daemon lets go of them."""

from __future__ import annotations

import os
import select
import warnings


class Family:
    """Forks, and sees how the forked processes end without reaping them."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}
        """The start's number by pid."""
        self._pidfds: dict[int, int] = {}
        """Pid by descriptor."""

    def fork(self, number: int) -> int:
        """Fork; return 0 in the copy, which has none of this any more.

        Raises:
            OSError: the machine has no room for another process.
        """
        with warnings.catch_warnings():
            # It warns of threads; those that a template may have can be forked.
            warnings.simplefilter("ignore")
            pid = os.fork()
        if pid == 0:
            self._forget_all()
            return 0
        self._numbers[pid] = number
        return pid

    def watch(self, pid: int, poll: select.poll) -> int:
        """Watch for the end of one that was forked; return the descriptor to do it by."""
        pidfd = os.pidfd_open(pid)
        self._pidfds[pidfd] = pid
        poll.register(pidfd, select.POLLIN)
        return pidfd

    def ended(self, pidfd: int, poll: select.poll) -> tuple[int, int, int] | None:
        """Return number, pid and raw wait status of the one that has ended."""
        poll.unregister(pidfd)
        os.close(pidfd)
        pid = self._pidfds.pop(pidfd)
        result = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if result is None:
            return None
        return self._numbers[pid], pid, _raw_status(result)

    def reap(self, pid: int) -> None:
        """Let go of an ended one, so that its number may pass to somebody else."""
        if self._numbers.pop(pid, None) is not None:
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG)

    def _forget_all(self) -> None:
        for pidfd in self._pidfds:
            os.close(pidfd)
        self._pidfds.clear()
        self._numbers.clear()


def _raw_status(result: os.waitid_result) -> int:
    """Return a status as `os.wait` has it."""
    if result.si_code == os.CLD_EXITED:
        return (result.si_status & 0xFF) << 8
    return result.si_status | (0x80 if result.si_code == os.CLD_DUMPED else 0)
