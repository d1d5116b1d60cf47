"""The programs that bundles run on: found where, and new enough."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import re
import shutil
import sys
from pathlib import Path

from roost.doctor.ask_program import ask
from roost.doctor.findings import command, ok, problem, warning
from roost.doctor.surroundings import Surroundings
from roost.models.doctor import Finding

OLDEST_NODE = (20,)
"""The first line with start-up snapshots that hold user code and still has support."""

_NODE_HINT = (
    "install it from https://nodejs.org, or with `apt install nodejs` or `brew install node`"
)


def check_python(around: Surroundings) -> Finding:
    """Look at the interpreter that runs Roost, which Python bundles get too."""
    name, version = "runtime_python", platform.python_version()
    if not os.access(sys.executable, os.X_OK):
        return problem(
            name,
            f"{sys.executable} is gone, so nothing more can be started with it",
            "Python or Roost was moved or upgraded: `roost down`, then `roost`",
        )
    modules = [module for module in ("venv", "ensurepip") if not importlib.util.find_spec(module)]
    if modules and not _found(around, "uv"):
        return warning(
            name,
            f"python {version} is {sys.executable} and lacks {' and '.join(modules)}, so no "
            "environment can be made for a bundle",
            "install uv, or the rest of Python with `apt install python3-venv`",
        )
    return ok(name, f"python {version} is {sys.executable}")


def check_uv(around: Surroundings) -> Finding:
    """Look for uv, which makes environments fast and fetches other Pythons."""
    return _look(
        around,
        "uv",
        "it is missing; venv and pip are used, which is slower and fetches no other Python",
        "install it with `curl -LsSf https://astral.sh/uv/install.sh | sh` or `brew install uv`",
    )


def check_node(around: Surroundings) -> Finding:
    """Look for Node.js, and whether it is new enough."""
    return _look(around, "node", "it is missing; bundles for Node.js cannot start", _NODE_HINT)


def check_git(around: Surroundings) -> Finding:
    """Look for git, which installers and many servers call."""
    return _look(
        around,
        "git",
        "it is missing; requirements from repositories cannot be installed",
        "install it with `apt install git` or `brew install git`",
    )


def check_npx(around: Surroundings) -> Finding:
    """Look for npx without running it: it takes a second, and writes a log below the home."""
    name, path = "runtime_npx", _found(around, "npx")
    if path is None:
        return warning(
            name,
            "it is missing; servers that are started with npx cannot start",
            f"it comes with Node.js: {_NODE_HINT}",
        )
    version = _npm_version(Path(path))
    return ok(name, f"npx {version + ' ' if version else ''}is {path}")


def _npm_version(npx: Path) -> str:
    """Return what the package beside the program says, or nothing for a wrapper."""
    try:
        package = json.loads((npx.resolve().parent.parent / "package.json").read_text())
        return str(package["version"]) if package.get("name") == "npm" else ""
    except (OSError, ValueError, KeyError, AttributeError):
        return ""


def _look(around: Surroundings, program: str, missing: str, hint: str) -> Finding:
    name, path = f"runtime_{program}", _found(around, program)
    if path is None:
        return warning(name, missing, hint)
    answer = ask([path, "--version"], around.program_environ)
    if answer.trouble:
        return warning(
            name,
            f"{path} does not tell its version: {answer.trouble}",
            f"see what it says to {command(path, '--version')}, or install it again",
        )
    version = re.search(r"\d+(?:\.\d+)+", answer.text)
    if version is None:
        return warning(
            name,
            f"{path} answers {command('--version')} with something else than a version",
            f"another program has the name of {program}: look at PATH",
        )
    if program == "node" and _is_older(version[0], OLDEST_NODE):
        return warning(
            name,
            f"node {version[0]} is {path}, and {OLDEST_NODE[0]} or newer is needed",
            _NODE_HINT,
        )
    return ok(name, f"{program} {version[0]} is {path}")


def _found(around: Surroundings, program: str) -> str | None:
    return shutil.which(program, path=around.search_path)


def _is_older(version: str, wanted: tuple[int, ...]) -> bool:
    return tuple(int(part) for part in version.split(".")) < wanted
