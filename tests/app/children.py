"""Apps in processes of their own, started by hand and by Roost's launcher."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tests.app.running import LIMIT_S


class Child:
    """A started program; its stderr goes to a file, its stdout is read by line."""

    def __init__(self, process: subprocess.Popen[str], errors: Path) -> None:
        self.process = process
        self._errors = errors

    def line(self, start: str) -> str:
        """Read up to the line that begins so, and return it."""
        for line in self._stdout:
            if line.startswith(start):
                return line.strip()
        raise AssertionError(f"no line {start!r}; stderr: {self.stderr()}")

    def rest(self) -> list[str]:
        """Wait for the end, and return the lines that were not read yet."""
        lines = [line.strip() for line in self._stdout]
        self.process.wait(LIMIT_S)
        return lines

    def status(self) -> int:
        """Wait for the end, and return the exit status."""
        return self.process.wait(LIMIT_S)

    def stderr(self) -> str:
        return self._errors.read_text()

    @property
    def _stdout(self) -> IO[str]:
        assert self.process.stdout is not None
        return self.process.stdout


@contextmanager
def child(command: Sequence[str], directory: Path, **environ: str) -> Iterator[Child]:
    """Start a program in a directory; it is killed when the block ends before it does."""
    errors = directory / "stderr.txt"
    with errors.open("w") as stderr:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env={**_outer_environment(), **environ},
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    try:
        with process:
            try:
                yield Child(process, errors)
            finally:
                process.kill()
    finally:
        assert process.poll() is not None


def by_hand(script: str) -> list[str]:
    return [sys.executable, script]


def by_roost(entry: str) -> list[str]:
    return [sys.executable, "-m", "roost.app", entry]


def _outer_environment() -> dict[str, str]:
    """Return this process's variables, less what would reach into an app; lines come at once."""
    inner = ("PORT", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
    outer = {name: value for name, value in os.environ.items() if name not in inner}
    return outer | {"PYTHONUNBUFFERED": "1"}
