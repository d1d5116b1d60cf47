"""Short directories for sockets, whose paths end near 104 bytes."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def socket_dir() -> Iterator[str]:
    """Give a fresh directory with a short path and remove it afterwards."""
    path = tempfile.mkdtemp(prefix="roost-", dir="/tmp")
    try:
        yield path
    finally:
        shutil.rmtree(path)
