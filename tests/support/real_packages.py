"""Package managers and registries for tests of real packages; kept in the folder `.cache`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from tests.support.cache_lock import cache_lock

CACHE = Path(__file__).parents[2] / ".cache" / "wrappers"

INSTALL_BOUND_S = 120.0


@cache
def uv_folder() -> str | None:
    """Return a folder with `uv` and `uvx`, installed from PyPI once; None when it is not had."""
    found = shutil.which("uv")
    if found and shutil.which("uvx"):
        return str(Path(found).parent)
    venv = CACHE / "venv"
    with cache_lock(venv):
        if not (venv / "bin" / "uvx").exists() and not _install_uv(venv):
            return None
    return str(venv / "bin")


def _install_uv(venv: Path) -> bool:
    steps = (
        (sys.executable, "-m", "venv", str(venv)),
        (str(venv / "bin" / "pip"), "install", "--quiet", "uv"),
    )
    return all(
        subprocess.run(step, capture_output=True, timeout=INSTALL_BOUND_S, check=False).returncode
        == 0
        for step in steps
    )


@cache
def npm_answers() -> bool:
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        return False
    ask = (npm, "view", "@modelcontextprotocol/server-memory", "version")
    answer = subprocess.run(ask, capture_output=True, timeout=INSTALL_BOUND_S, check=False)
    return answer.returncode == 0


def use_package_managers(monkeypatch: pytest.MonkeyPatch, *, npm: bool, uv: bool) -> None:
    """Put package managers on the PATH of this process, or skip where they are not to be had."""
    if npm and not npm_answers():
        pytest.skip("npm is not installed or does not reach its registry")
    if uv:
        folder = uv_folder()
        if folder is None:
            pytest.skip("uv is not installed and PyPI is not reached to install it")
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(CACHE / "xdg"))
