"""``roost ps`` against a bare ``python -c pass`` of the same environment."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.daemon import child_environment, running_daemon
from benchmarks.pairs import Pairs, measure


def run() -> Iterator[Pairs]:
    """Yield the comparison as a whole process, start to exit."""
    roost = str(Path(sys.executable).with_name("roost"))
    with running_daemon() as (data_dir, _):
        env = child_environment(data_dir)

        def ps() -> None:
            subprocess.run([roost, "ps"], env=env, check=True, capture_output=True)

        def bare() -> None:
            subprocess.run([sys.executable, "-c", "pass"], env=env, check=True)

        yield measure("roost ps / python -c pass", ps, bare, count=21)
