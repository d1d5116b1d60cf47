"""Real servers packed by the official tool for MCPB; kept in the folder `.cache`."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.support.bundle_files import manifest
from tests.support.cache_lock import cache_lock

CACHE = Path(__file__).parents[2] / ".cache" / "mcpb"

TOOL = "@anthropic-ai/mcpb@2.1.2"
INSTALL_BOUND_S = 180.0

SERVERS = {
    "everything": "@modelcontextprotocol/server-everything@2026.8.31",
    "filesystem": "@modelcontextprotocol/server-filesystem@2026.8.31",
    "time": "mcp-server-time==2026.10.19",
}
"""What is packed, by the name of the bundle."""

NODE_ENTRY = "node_modules/@modelcontextprotocol/server-{}/dist/index.js"


def packed(name: str, version: str, **changes: Any) -> Path:
    """Return an archive of a real server, packed by the official tool; skips when it is not had.

    Args:
        name: key of `SERVERS`.
        version: for its manifest.
        changes: of its manifest.
    """
    tool = _tool()
    folder = _server(name)
    if tool is None or folder is None:
        pytest.skip("Node is missing or a package registry is not reached")
    text = json.dumps(manifest(name=name, version=version, **changes))
    digest = hashlib.sha256(f"{TOOL} {SERVERS[name]} {text}".encode()).hexdigest()[:12]
    archive = CACHE / f"{name}-{version}-{digest}.mcpb"
    with cache_lock(folder):
        if not archive.exists():
            (folder / "manifest.json").write_text(text)
            made = archive.with_suffix(".part")
            made.unlink(missing_ok=True)
            _run(str(tool), "pack", str(folder), str(made))
            made.rename(archive)
    return archive


def unpacked(name: str) -> Path:
    """Return the folder of a real server as its package manager made it; skips when not had.

    Args:
        name: key of `SERVERS`.
    """
    folder = _server(name)
    if folder is None:
        pytest.skip("Node is missing or a package registry is not reached")
    return folder


def sign(archive: Path) -> None:
    """Sign an archive by the official tool, with a certificate of its own."""
    _run(str(_tool()), "sign", "--self-signed", str(archive))


def _run(*argv: str) -> None:
    done = subprocess.run(
        argv, capture_output=True, text=True, timeout=INSTALL_BOUND_S, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


@cache
def _tool() -> Path | None:
    found = CACHE / "tool" / "node_modules" / ".bin" / "mcpb"
    with cache_lock(CACHE / "tool"):
        return found if found.exists() or _npm_install(CACHE / "tool", TOOL) else None


@cache
def _server(name: str) -> Path | None:
    folder = CACHE / name
    with cache_lock(folder):
        if (folder / "complete").exists():
            return folder
        is_there = (_pip_install if name == "time" else _npm_install)(folder, SERVERS[name])
        if is_there:
            (folder / "complete").touch()
    return folder if is_there else None


def _npm_install(folder: Path, package: str) -> bool:
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        return False
    folder.mkdir(parents=True, exist_ok=True)
    argv = (npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", package)
    return _did(*argv)


def _pip_install(folder: Path, requirement: str) -> bool:
    library = folder / "server" / "lib"
    library.mkdir(parents=True, exist_ok=True)
    (folder / "server" / "main.py").write_text("from mcp_server_time import main\n\nmain()\n")
    argv = (sys.executable, "-m", "pip", "install", "--quiet", "--target", str(library))
    return _did(*argv, requirement)


def _did(*argv: str) -> bool:
    done = subprocess.run(argv, capture_output=True, timeout=INSTALL_BOUND_S, check=False)
    return done.returncode == 0
