"""A throw-away daemon for benchmarks."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from roost.client.discovery import ensure_daemon, find_daemon
from roost.client.wire import Wire
from roost.errors import RoostError

STOP_BOUND_S = 30.0


@contextmanager
def running_daemon() -> Iterator[tuple[str, Wire]]:
    """Yield the data directory and the client of a fresh daemon with one workspace ``bench``."""
    data_dir = tempfile.mkdtemp(prefix="roost-bench-")
    try:
        wire = Wire(ensure_daemon(data_dir))
        wire.send("POST", "/v1/workspaces", b'{"id": "bench", "label": "bench"}')
        yield data_dir, wire
    finally:
        with suppress(RoostError):
            wire.send("POST", "/v1/shutdown", b"{}")
        deadline = time.monotonic() + STOP_BOUND_S
        while find_daemon(data_dir) and time.monotonic() < deadline:
            time.sleep(0.05)
        shutil.rmtree(data_dir, ignore_errors=True)


def child_environment(data_dir: str) -> dict[str, str]:
    """Return the environment for a measured command."""
    return os.environ | {"ROOST_DATA_DIR": data_dir}
