"""A daemon at rest has not loaded what it does not need: its memory is that of its libraries."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from roost.client.discovery import find_daemon, stop_daemon
from roost.client.wire import Wire
from roost.settings.locations import socket_path

BOUND_S = 60.0

NEEDLESS = (
    "aiosqlite",
    "alembic",
    "cronsim",
    "fastapi",
    "httpx",
    "jsonschema",
    "mcp",
    "psutil",
    "pydantic",
    "pydantic_settings",
    "rich",
    "roost.api.framework",
    "roost.bundles.archive",
    "roost.bundles.clients",
    "roost.doctor.examination",
    "roost.engine.why",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.orm",
    "starlette.routing",
    "textual",
    "zoneinfo",
)


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="roost-", dir="/tmp") as short:
        yield Path(short)


def test_a_daemon_at_rest_has_loaded_nothing_that_it_does_not_need(data_dir: Path) -> None:
    told = data_dir / "imports.txt"
    command = [sys.executable, "-X", "importtime", "-m", "roost.daemon", "--foreground"]
    with told.open("wb") as file:
        daemon = subprocess.Popen([*command, "--data-dir", str(data_dir)], stderr=file)
    try:
        deadline = time.monotonic() + BOUND_S
        while not find_daemon(str(data_dir)):
            assert daemon.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        wire = Wire(socket_path(str(data_dir)))
        wire.send("POST", "/v1/workspaces", b'{"id": "w", "label": "W"}')
        assert [each["id"] for each in wire.get("/v1/workspaces")] == ["w"]
        assert stop_daemon(str(data_dir))
    finally:
        daemon.kill()
        daemon.wait()
    lines = told.read_text().splitlines()
    loaded = {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}
    assert {"roost.api.operations", "roost.engine.engine"} <= loaded
    assert not sorted(filter(_is_needless, loaded))


def _is_needless(name: str) -> bool:
    return any(name == needless or name.startswith(f"{needless}.") for needless in NEEDLESS)
