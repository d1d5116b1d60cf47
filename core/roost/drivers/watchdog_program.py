"""The watchdog's own program: ends the process trees of a daemon that died.

It reads lines of words from the daemon on its standard input: ``add PID START BOOT MARK``,
``remove`` with the same, and ``bye``. When the pipe closes without ``bye`` the daemon is gone,
however that happened: everything that was added and not removed is ended, and whatever carries a
mark that was ever added. Other marks of the same data directory are left alone, because the next
daemon may be using them already. Standard library only, and little of that, so that it is small and
starts fast: neither ``json`` nor ``typing``, which would be a third of its memory.
"""

from __future__ import annotations

import os
import signal
import sys
import time

from roost.drivers.proctable import Identity, ProcessTable
from roost.drivers.tree import ProcessTree

TYPE_CHECKING = False  # type checkers take it for true
if TYPE_CHECKING:
    from collections.abc import Iterator

TERM_GRACE_S = 1.0
"""From TERM to KILL: nobody waits for these processes any more."""

KILL_BOUND_S = 10.0
"""Processes that KILL does not end in this time hang in the kernel."""

LOOK_PAUSE_S = 0.02


class Watch:
    """What the daemon told: live leaders, and every mark it ever used."""

    def __init__(self) -> None:
        self.leaders: set[Identity] = set()
        self.marks: set[str] = set()
        self.is_dismissed = False

    def hear(self, line: bytes) -> None:
        """Take one message; one that makes no sense changes nothing."""
        try:
            match line.decode().split(" ", 4):
                case ["bye"]:
                    self.is_dismissed = True
                case ["add", pid, start, boot, mark]:
                    self.leaders.add(Identity(int(pid), int(start), boot))
                    self.marks.add(mark)
                case ["remove", pid, start, boot, _]:
                    self.leaders.discard(Identity(int(pid), int(start), boot))
        except ValueError:
            return

    def end_all(self) -> None:
        """End every tree that is known: TERM, then KILL until none is left."""
        table = ProcessTable()
        tree = ProcessTree(
            table,
            self.leaders,
            owns_mark=self.marks.__contains__,
            spared=lambda: {os.getpid()},
        )
        if _signal_until_gone(table, tree, signal.SIGTERM, TERM_GRACE_S):
            return
        _signal_until_gone(table, tree, signal.SIGKILL, KILL_BOUND_S)


def _signal_until_gone(table: ProcessTable, tree: ProcessTree, signum: int, bound_s: float) -> bool:
    gives_up_at = time.monotonic() + bound_s
    told: set[Identity] = set()
    while living := tree.living():
        if time.monotonic() >= gives_up_at:
            return False
        for entry in living:
            identity = table.identity(entry)
            if identity not in told:
                told.add(identity)
                table.signal(identity, signum)
            if entry.is_stopped:
                table.signal(identity, signal.SIGCONT)
        time.sleep(LOOK_PAUSE_S)
    return True


def _lines(descriptor: int) -> Iterator[bytes]:
    """Yield complete lines until the other end is closed."""
    rest = b""
    while chunk := os.read(descriptor, 65536):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines


def main() -> int:
    """Listen until the daemon says goodbye or dies."""
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    watch = Watch()
    for line in _lines(sys.stdin.fileno()):
        watch.hear(line)
    if not watch.is_dismissed:
        watch.end_all()
    return 0


if __name__ == "__main__":
    sys.exit(main())
