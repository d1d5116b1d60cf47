"""The children that are supervised, and how they tell that they run."""

from __future__ import annotations

import os
import select
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LINE_BOUND_S = 120.0
"""Longer than the slowest supervisor took for 200 children on two cores."""


@dataclass(frozen=True, slots=True)
class FirstLine:
    """A child said that it runs."""

    child: str
    pid: int
    at: float
    """On the clock of `time.perf_counter`, in seconds."""


class Bell:
    """A named pipe into which every child writes one line when it starts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path, 0o600)
        # Opened for both, so that a writer never waits for a reader and the end is never seen.
        self._descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self._rest = b""

    def idle_child(self, name: str) -> tuple[str, ...]:
        """Return the command of a child that tells its start and then does nothing."""
        return ("/bin/sh", "-c", f'echo "{name} $$" > {self.path}; exec sleep 1000000')

    def lines(self, count: int) -> list[FirstLine]:
        """Wait for the next lines and return them in the order of arrival."""
        taken: list[FirstLine] = []
        deadline = time.monotonic() + LINE_BOUND_S
        while len(taken) < count:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._descriptor], [], [], left)[0]:
                raise SystemExit(f"only {len(taken)} of {count} children told that they run")
            at = time.perf_counter()
            *whole, self._rest = (self._rest + os.read(self._descriptor, 65536)).split(b"\n")
            for line in whole:
                name, pid = line.decode().split()
                taken.append(FirstLine(name, int(pid), at))
        return taken

    def next_of(self, child: str) -> FirstLine:
        """Wait for the next line of one child."""
        while True:
            [line] = self.lines(1)
            if line.child == child:
                return line

    def forget(self) -> None:
        """Drop what was told so far."""
        self._rest = b""
        while select.select([self._descriptor], [], [], 0)[0]:
            os.read(self._descriptor, 65536)

    def close(self) -> None:
        """Close the pipe."""
        os.close(self._descriptor)


@contextmanager
def bell() -> Iterator[Bell]:
    """Give a bell in a directory of its own."""
    with tempfile.TemporaryDirectory(prefix="roost-bell-", dir="/tmp") as directory:
        opened = Bell(Path(directory) / "bell")
        try:
            yield opened
        finally:
            opened.close()
