"""Where a data directory keeps its parts, computed from its path alone."""

from __future__ import annotations

import os
import sys

SOCKET_PATH_LIMIT = 100
"""Bytes; Unix socket addresses end at 104 (macOS) to 108 (Linux)."""


def default_data_dir() -> str:
    """Return `ROOST_DATA_DIR`, or the platform's place for user data."""
    if given := os.environ.get("ROOST_DATA_DIR"):
        return os.path.abspath(os.path.expanduser(given))
    if sys.platform == "linux":  # the rule of platformdirs, without its import time
        base = os.environ.get("XDG_DATA_HOME", "")
        return os.path.join(base if os.path.isabs(base) else _home(".local/share"), "roost")
    import platformdirs

    return platformdirs.user_data_dir("roost", appauthor=False)


def default_demo_dir() -> str:
    """Return where the throw-away data of the demo lives."""
    return default_data_dir() + "-demo"


def _home(below: str) -> str:
    return os.path.join(os.path.expanduser("~"), below)


def socket_path(data_dir: str) -> str:
    """Return the daemon's socket: a pure function of the data directory.

    A path past `SOCKET_PATH_LIMIT` bytes is replaced by a hashed one in a private directory that
    depends on the user only, never on the login session.
    """
    plain = os.path.join(os.path.realpath(data_dir), "roost.sock")
    if len(os.fsencode(plain)) <= SOCKET_PATH_LIMIT:
        return plain
    import hashlib

    digest = hashlib.sha256(os.fsencode(plain)).hexdigest()[:20]
    return os.path.join(f"/tmp/roost-{os.getuid()}", f"{digest}.sock")


def log_path(data_dir: str) -> str:
    """Return the daemon's own log."""
    return os.path.join(data_dir, "daemon.log")
