"""A terminal of its own for the real program: keys in, the screen's text out."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

BOUND_S = 60.0
POLL_S = 0.05
POLL_GROWTH = 1.2
LONGEST_POLL_S = 0.3
"""Every look is a process of its own."""

needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


class Terminal:
    """One tmux session on a server of its own."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._status = socket.with_name("exit-status")

    def run(self, *command: str, size: tuple[int, int], env: dict[str, str]) -> None:
        """Run a command on a screen of `size` columns and rows; the pane outlives it."""
        width, height = (str(number) for number in size)
        settings = [item for pair in env.items() for item in ("-e", "=".join(pair))]
        # The shell keeps the exit status: tmux 3.3a now and then never reaps an ended pane.
        keep_status = ["sh", "-c", '"$@"; echo $? > "$0"', str(self._status), *command]
        # One call to tmux: a program that ends at once must find the option already set.
        self._tmux(
            *("start-server", ";", "set-option", "-g", "remain-on-exit", "on", ";"),
            *("new-session", "-d", "-x", width, "-y", height, *settings, *keep_status),
        )

    def press(self, *keys: str) -> None:
        """Press keys, by tmux's names."""
        self._tmux("send-keys", *keys)

    def type(self, text: str) -> None:
        """Type a text as it stands."""
        self._tmux("send-keys", "-l", text)

    def text(self) -> str:
        """Return what the screen shows."""
        return self._tmux("capture-pane", "-p")

    def until(self, *words: str, gone: tuple[str, ...] = ()) -> str:
        """Wait until all words are shown and others are not, and return the screen."""
        deadline, pause_s = time.monotonic() + BOUND_S, POLL_S
        while True:
            shown = self.text()
            if all(word in shown for word in words) and not any(word in shown for word in gone):
                return shown
            assert time.monotonic() < deadline, f"never {words} without {gone}:\n{shown}"
            time.sleep(pause_s)
            pause_s = min(pause_s * POLL_GROWTH, LONGEST_POLL_S)

    def wait_ended(self) -> int:
        """Wait until the program has ended and return its exit status."""
        deadline = time.monotonic() + BOUND_S
        while not (status := self._status.read_text() if self._status.exists() else ""):
            assert time.monotonic() < deadline, f"still running:\n{self.text()}"
            time.sleep(POLL_S)
        return int(status)

    def _tmux(self, *arguments: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", str(self._socket), "-f", os.devnull, *arguments],
            env={k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")},
            capture_output=True,
            text=True,
            timeout=BOUND_S,
            check=True,
        )
        return done.stdout


@contextmanager
def terminal() -> Iterator[Terminal]:
    """Give a terminal and end everything in it afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="roost-tmux-", dir="/tmp"))
    opened = Terminal(directory / "tmux")
    try:
        yield opened
    finally:
        subprocess.run(
            ["tmux", "-S", str(directory / "tmux"), "kill-server"], capture_output=True, check=False
        )
        shutil.rmtree(directory, ignore_errors=True)
