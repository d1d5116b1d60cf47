"""Bounded waits, and looks at growing files."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

BOUND_S = 60.0


def until(is_so: Callable[[], object], bound_s: float = BOUND_S, *, every_s: float = 0.001) -> None:
    """Return as soon as it is so; end the benchmark when it never is."""
    deadline = time.monotonic() + bound_s
    while not is_so():
        if time.monotonic() > deadline:
            raise SystemExit(f"a supervisor did not do its part within {bound_s:g} s")
        time.sleep(every_s)


def last_bytes(file: Path, count: int) -> bytes:
    """Return the end of a file."""
    with file.open("rb") as opened:
        opened.seek(max(0, opened.seek(0, os.SEEK_END) - count))
        return opened.read()
