"""circus, spoken to by its own client over ZeroMQ."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.supervision.rivals import Asker, python_program
from benchmarks.supervision.waiting import last_bytes, until

NAME = "circus"

_CLIENT = """
import json, sys
from circus.client import CircusClient
client = CircusClient(endpoint=sys.argv[1], timeout=60)
for line in sys.stdin:
    print(json.dumps(client.call(json.loads(line))), flush=True)
"""


def prepare() -> None:
    """Install it.

    Raises:
        NotInstalled: it cannot be had.
    """
    python_program("circusd")


class Up:
    """One circusd with its configuration in a directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._endpoint = f"ipc://{directory}/e"
        self._process: subprocess.Popen[bytes] | None = None
        self._asker: Asker | None = None

    def begin(self) -> None:
        self._process = subprocess.Popen(
            [python_program("circusd"), str(self._directory / "ini")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self._directory,
        )
        until((self._directory / "e").exists)

    def pids(self) -> tuple[int, ...]:
        assert self._process is not None
        return (self._process.pid,)

    def respawn_by_api(self, child: str) -> None:
        if self._asker is None:
            command = [python_program("python"), "-c", _CLIENT, self._endpoint]
            self._asker = Asker(command, dict(os.environ))
        self._asker.ask({"command": "restart", "properties": {"name": child, "waiting": True}})

    def respawn_by_command(self, child: str) -> None:
        subprocess.run(
            [python_program("circusctl"), "--endpoint", self._endpoint, "restart", child],
            capture_output=True,
            check=True,
        )

    def captured(self, child: str, last: int) -> bytes:
        return last_bytes(self._directory / f"{child}.out", last)

    def close(self) -> None:
        if self._asker is not None:
            self._asker.close()
        if self._process is not None:
            self._process.terminate()
            self._process.wait(90)


@contextmanager
def up(commands: dict[str, tuple[str, ...]]) -> Iterator[Up]:
    """Write a configuration with one watcher a child."""
    with tempfile.TemporaryDirectory(prefix="rival-", dir="/tmp") as name:
        directory = Path(name)
        (directory / "ini").write_text(_configuration(directory, commands))
        subject = Up(directory)
        try:
            yield subject
        finally:
            subject.close()


def _configuration(directory: Path, commands: dict[str, tuple[str, ...]]) -> str:
    head = (
        f"[circus]\nendpoint = ipc://{directory}/e\npubsub_endpoint = ipc://{directory}/p\n"
        "statsd = false\nwarmup_delay = 0\n"
    )
    watchers = [
        f"[watcher:{child}]\ncmd = {command[0]}\nargs = {shlex.join(command[1:])}\n"
        "numprocesses = 1\nwarmup_delay = 0\ncopy_env = true\n"
        f"stdout_stream.class = FileStream\nstdout_stream.filename = {directory}/{child}.out\n"
        for child, command in commands.items()
    ]
    return "\n".join([head, *watchers])
