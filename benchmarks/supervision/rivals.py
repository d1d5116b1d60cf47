"""Installs the other supervisors into an ignored folder, once."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

CACHE = Path(__file__).parents[2] / ".cache" / "rivals"

PYTHON_PACKAGES = ("supervisor==4.3.0", "circus==0.19.0", "setuptools==80.9.0")
NODE_PACKAGE = "pm2@6.0.13"

INSTALL_BOUND_S = 300


class NotInstalled(Exception):
    """It cannot be had on this machine; the text says why."""


def python_program(name: str) -> str:
    """Return a program of the Python packages, installing them first.

    Raises:
        NotInstalled: they cannot be installed.
    """
    program = CACHE / "bin" / name
    if not program.exists():
        _run([sys.executable, "-m", "venv", str(CACHE)])
        _run([str(CACHE / "bin" / "python"), "-m", "pip", "install", "--quiet", *PYTHON_PACKAGES])
    return str(program)


def node_folder() -> Path:
    """Return the folder whose `node_modules` holds pm2, installing it first.

    Raises:
        NotInstalled: there is no npm, or it cannot install it.
    """
    folder = CACHE / "npm"
    if not (folder / "node_modules" / "pm2").exists():
        npm = shutil.which("npm")
        if npm is None:
            raise NotInstalled("npm is not installed")
        folder.mkdir(parents=True, exist_ok=True)
        _run([npm, "install", "--silent", "--prefix", str(folder), NODE_PACKAGE])
    return folder


def _run(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=INSTALL_BOUND_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstalled(str(error)) from error
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
        raise NotInstalled(words[-1])


class Asker:
    """A process in a supervisor's own language that holds a connection to it.

    One JSON value a line goes in, one comes back: the connection is warm, as a client's would be.
    """

    def __init__(self, command: Sequence[str], env: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env
        )

    def ask(self, value: Any) -> Any:
        """Send one value and wait for the answer."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(value) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit("a supervisor's client has ended")
        return json.loads(answer)

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()
