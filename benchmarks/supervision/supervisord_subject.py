"""supervisord, spoken to by XML-RPC over its Unix socket."""

from __future__ import annotations

import http.client
import shlex
import socket
import subprocess
import tempfile
import xmlrpc.client
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.supervision.rivals import python_program
from benchmarks.supervision.waiting import last_bytes, until

NAME = "supervisord"


def prepare() -> None:
    """Install it.

    Raises:
        NotInstalled: it cannot be had.
    """
    python_program("supervisord")


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost")
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)


class Up:
    """One supervisord with its configuration in a directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._socket = directory / "s"
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        self._process = subprocess.Popen(
            [python_program("supervisord"), "-c", str(self._directory / "conf")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(self._socket.exists)

    def pids(self) -> tuple[int, ...]:
        assert self._process is not None
        return (self._process.pid,)

    def respawn_by_api(self, child: str) -> None:
        self._call("supervisor.stopProcess", child)
        self._call("supervisor.startProcess", child, False)

    def respawn_by_command(self, child: str) -> None:
        subprocess.run(
            [python_program("supervisorctl"), "-c", self._directory / "conf", "restart", child],
            capture_output=True,
            check=True,
        )

    def captured(self, child: str, last: int) -> bytes:
        return last_bytes(self._directory / f"{child}.out", last)

    def close(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)

    def _call(self, method: str, *given: object) -> None:
        connection = _Connection(self._socket)
        body = xmlrpc.client.dumps(given, method)  # type: ignore[arg-type]
        connection.request("POST", "/RPC2", body, {"Content-Type": "text/xml"})
        xmlrpc.client.loads(connection.getresponse().read())
        connection.close()


@contextmanager
def up(commands: dict[str, tuple[str, ...]]) -> Iterator[Up]:
    """Write a configuration with one program a child."""
    with tempfile.TemporaryDirectory(prefix="rival-", dir="/tmp") as name:
        directory = Path(name)
        (directory / "conf").write_text(_configuration(directory, commands))
        subject = Up(directory)
        try:
            yield subject
        finally:
            subject.close()


def _configuration(directory: Path, commands: dict[str, tuple[str, ...]]) -> str:
    parts = [
        f"[unix_http_server]\nfile={directory}/s\n",
        (
            f"[supervisord]\nnodaemon=true\nlogfile={directory}/log\npidfile={directory}/pid\n"
            f"childlogdir={directory}\nminfds=4096\n"
        ),
        (
            "[rpcinterface:supervisor]\n"
            "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n"
        ),
        f"[supervisorctl]\nserverurl=unix://{directory}/s\n",
    ]
    parts += [
        f"[program:{child}]\ncommand={shlex.join(command)}\nstartsecs=0\nautorestart=true\n"
        f"stdout_logfile={directory}/{child}.out\nstdout_logfile_maxbytes=0\n"
        f"stderr_logfile={directory}/{child}.err\n"
        for child, command in commands.items()
    ]
    return "\n".join(part.replace("%", "%%") if "command=" in part else part for part in parts)
