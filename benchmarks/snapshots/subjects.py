"""What is started: real servers from PyPI, and small programs around real libraries."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from roost.models import BundleKind, InstallRequest, SourceKind

PROGRAMS = Path(__file__).parent / "programs"

CACHE = Path(__file__).parents[2] / ".cache" / "snapshot-venv"

PACKAGES = ("mcp-server-time", "mcp-server-fetch", "mcp-server-git", "fastapi", "uvicorn", "pandas")


NODE_CACHE = CACHE.parent / "snapshot-node"

NODE_PACKAGES = (
    "@modelcontextprotocol/server-everything@2026.8.31",
    "@modelcontextprotocol/server-filesystem@2026.8.31",
    "@modelcontextprotocol/server-memory@2026.8.31",
    "express@5.1.0",
)

_MCP = BundleKind.MCP_STDIO


@dataclass(frozen=True, slots=True)
class Subject:
    """One program, and the request that installs it."""

    name: str
    request: InstallRequest


def python_subjects(directory: str) -> Iterator[Subject]:
    """Yield the Python subjects; a directory is where a repository is made for the git server."""
    python = _environment()
    programs = python.parent
    repository = _repository(Path(directory))
    for name, argv, kind in (
        ("mcp-server-time", (str(programs / "mcp-server-time"),), BundleKind.MCP_STDIO),
        ("mcp-server-fetch", (str(programs / "mcp-server-fetch"),), BundleKind.MCP_STDIO),
        (
            "mcp-server-git",
            (str(python), "-m", "mcp_server_git", "--repository", repository),
            BundleKind.MCP_STDIO,
        ),
        ("fastapi", (str(python), str(PROGRAMS / "fastapi_app.py")), BundleKind.WEB),
        ("pandas", (str(python), str(PROGRAMS / "pandas_script.py")), BundleKind.WEB),
    ):
        request = InstallRequest(
            source=SourceKind.COMMAND, name=name, kind=kind, command=argv, start=False
        )
        yield Subject(name, request)


def node_subjects(directory: str) -> Iterator[Subject]:
    """Yield the Node subjects; a directory is what one server serves."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return
    modules = _node_modules() / "node_modules"
    servers = modules / "@modelcontextprotocol"
    programs: tuple[tuple[str, tuple[str, ...], BundleKind], ...] = (
        *(
            (name, (str(servers / f"server-{name}" / "dist" / "index.js"), *more), _MCP)
            for name, more in (("everything", ()), ("filesystem", (directory,)), ("memory", ()))
        ),
        ("express", (str(modules.parent / "express_app.cjs"),), BundleKind.WEB),
    )
    for name, argv, kind in programs:
        request = InstallRequest(
            source=SourceKind.COMMAND, name=name, kind=kind, command=(node, *argv), start=False
        )
        yield Subject(name, request)


def _node_modules() -> Path:
    """Return a folder with every package of npm, made on first use, and the programs that use it.

    They are found from where a program lies, so the program lies beside them.
    """
    stamp = NODE_CACHE / ".installed"
    NODE_CACHE.mkdir(parents=True, exist_ok=True)
    if not stamp.exists():
        command = ("npm", "install", "--prefix", str(NODE_CACHE), "--no-audit", "--no-fund")
        subprocess.run([*command, *NODE_PACKAGES], check=True)
        stamp.touch()
    shutil.copy(PROGRAMS / "express_app.cjs", NODE_CACHE)
    return NODE_CACHE


def _environment() -> Path:
    """Return the interpreter of an environment with every package, made on first use."""
    python = CACHE / "bin" / "python"
    stamp = CACHE / ".installed"
    if not stamp.exists():
        subprocess.run([sys.executable, "-m", "venv", str(CACHE)], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
        stamp.touch()
    return python


def _repository(directory: Path) -> str:
    path = directory / "repository"
    subprocess.run(["git", "init", "--quiet", str(path)], check=True)
    return str(path)
