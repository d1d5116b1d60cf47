"""A throw-away daemon for benchmarks."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from roost.client.discovery import ensure_daemon, find_daemon
from roost.client.wire import Wire
from roost.errors import RoostError
from roost.settings.locations import socket_path

STOP_BOUND_S = 30.0


@contextmanager
def running_daemon(settings: Mapping[str, str] | None = None) -> Iterator[tuple[str, Wire]]:
    """Yield the data directory and the client of a fresh daemon with one workspace ``bench``.

    Args:
        settings: environment variables that daemons of this block are started with.
    """
    data_dir = tempfile.mkdtemp(prefix="roost-bench-")
    before = {name: os.environ.get(name) for name in settings or {}}
    os.environ.update(settings or {})
    try:
        wire = Wire(ensure_daemon(data_dir))
        wire.send("POST", "/v1/workspaces", b'{"id": "bench", "label": "bench"}')
        yield data_dir, wire
    finally:
        with suppress(RoostError):
            Wire(socket_path(data_dir)).send("POST", "/v1/shutdown", b"{}")
        deadline = time.monotonic() + STOP_BOUND_S
        while find_daemon(data_dir) and time.monotonic() < deadline:
            time.sleep(0.05)
        shutil.rmtree(data_dir, ignore_errors=True)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def child_environment(data_dir: str) -> dict[str, str]:
    """Return the environment for a measured command."""
    return os.environ | {"ROOST_DATA_DIR": data_dir}
