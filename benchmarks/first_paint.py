"""First paint of the screen against a bare Textual app, both as whole processes."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.daemon import running_daemon
from benchmarks.pairs import Pairs, measure

BARE = """
from textual.app import App
from textual.widgets import Static
class Bare(App):
    def compose(self):
        yield Static("painted")
Bare().run()
"""

BOUND_S = 30.0


def run() -> Iterator[Pairs]:
    """Yield the comparison: from exec until a word of the screen has reached the terminal."""
    roost = str(Path(sys.executable).with_name("roost"))
    with running_daemon() as (data_dir, _):
        yield measure(
            "first paint / bare Textual app",
            lambda: _until_painted([roost, "--data-dir", data_dir], b"roost"),
            lambda: _until_painted([sys.executable, "-c", BARE], b"painted"),
        )


def _until_painted(argv: list[str], word: bytes) -> None:
    """Run on a terminal of its own until `word` is drawn, then end it."""
    leader, follower = pty.openpty()
    env = os.environ | {"TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}
    process = subprocess.Popen(
        argv, stdin=follower, stdout=follower, stderr=follower, env=env, start_new_session=True
    )
    os.close(follower)
    try:
        _read_until(leader, word)
    finally:
        process.kill()
        process.wait()
        os.close(leader)


def _read_until(leader: int, word: bytes) -> None:
    drawn, deadline = b"", time.monotonic() + BOUND_S
    while word not in drawn:
        if not select.select([leader], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise SystemExit(f"{word!r} was not drawn within {BOUND_S:.0f} s")
        drawn += os.read(leader, 65536)
