"""pm2, spoken to by its own Node API."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.supervision.rivals import Asker, node_folder
from benchmarks.supervision.waiting import last_bytes

NAME = "pm2"

_CLIENT = """
const pm2 = require(process.argv[1]);
pm2.connect(() => {
  require('readline').createInterface({input: process.stdin}).on('line', (line) => {
    pm2.restart(JSON.parse(line), (error) => console.log(JSON.stringify(String(error))));
  });
});
"""


def prepare() -> None:
    """Install it.

    Raises:
        NotInstalled: it cannot be had.
    """
    node_folder()


class Up:
    """One pm2 daemon with a home of its own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        modules = node_folder() / "node_modules"
        self._program = str(modules / ".bin" / "pm2")
        self._module = str(modules / "pm2")
        self._env = os.environ | {"PM2_HOME": str(directory / "home")}
        self._asker: Asker | None = None

    def begin(self) -> None:
        self._pm2("start", str(self._directory / "apps.json"))

    def pids(self) -> tuple[int, ...]:
        return (int((self._directory / "home" / "pm2.pid").read_text()),)

    def respawn_by_api(self, child: str) -> None:
        if self._asker is None:
            command = [shutil.which("node") or "node", "-e", _CLIENT, self._module]
            self._asker = Asker(command, self._env)
        self._asker.ask(child)

    def respawn_by_command(self, child: str) -> None:
        self._pm2("restart", child)

    def captured(self, child: str, last: int) -> bytes:
        return last_bytes(self._directory / f"{child}.out", last)

    def close(self) -> None:
        if self._asker is not None:
            self._asker.close()
        self._pm2("kill")

    def _pm2(self, *arguments: str) -> None:
        subprocess.run([self._program, *arguments], env=self._env, capture_output=True, check=True)


@contextmanager
def up(commands: dict[str, tuple[str, ...]]) -> Iterator[Up]:
    """Write a list of apps."""
    with tempfile.TemporaryDirectory(prefix="rival-", dir="/tmp") as name:
        directory = Path(name)
        apps = [_app(directory, child, command) for child, command in commands.items()]
        (directory / "apps.json").write_text(json.dumps({"apps": apps}))
        subject = Up(directory)
        try:
            yield subject
        finally:
            subject.close()


def _app(directory: Path, child: str, command: tuple[str, ...]) -> dict[str, object]:
    return {
        "name": child,
        "script": command[0],
        "args": list(command[1:]),
        "interpreter": "none",
        "out_file": f"{directory}/{child}.out",
        "error_file": f"{directory}/{child}.err",
    }
