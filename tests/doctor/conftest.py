"""A data directory as a daemon leaves it, looked at from outside."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.data_dirs import ENVIRON, fill
from tests.support.socket_dir import socket_dir

from roost.doctor import Surroundings


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """An empty private directory whose path is short enough for a socket."""
    with socket_dir() as path:
        yield Path(path)


@pytest.fixture
def around(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Surroundings:
    """The surroundings of a directory with everything a daemon makes in it."""
    for name in [name for name in os.environ if name.startswith("ROOST_")]:
        monkeypatch.delenv(name)
    fill(data_dir)
    return Surroundings(data_dir, ENVIRON)
