"""Real MCP servers over HTTP on this machine, started and ended by tests."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import IO

from tests.support.ports import held_port
from tests.support.processes import PROGRAMS

SDK = PROGRAMS / "http_sdk.py"


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class HttpServer:
    """One server program on a port of its own, which it keeps over restarts."""

    def __init__(self, program: str, options: tuple[str, ...]) -> None:
        self._held = ExitStack()
        self.port = self._held.enter_context(held_port())
        self.url = f"http://127.0.0.1:{self.port}/mcp"
        self._argv = (sys.executable, program, str(self.port), *options)
        self._child: subprocess.Popen[str] | None = None
        self._next: subprocess.Popen[str] | None = None

    def prepare(self) -> None:
        """Load the one that is started next, so that it then listens at once on any machine."""
        self._next = self._spawn("--held")
        assert self._next.stdout is not None
        assert self._next.stdout.readline(), "it says that it has loaded"

    def start(self) -> None:
        """Start it and return once it listens."""
        self._child, self._next = self._next or self._spawn(), None
        assert self._child.stdin is not None
        self._child.stdin.close()
        assert self.output.readline(), "it says that it is about to listen"
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 0.2):
                return
            assert self._child.poll() is None, "it lives until it listens"

    @property
    def output(self) -> IO[str]:
        """What it prints."""
        assert self._child is not None and self._child.stdout is not None
        return self._child.stdout

    @property
    def pid(self) -> int:
        assert self._child is not None
        return self._child.pid

    @property
    def is_alive(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def kill(self) -> None:
        """End it at once."""
        if self._child is not None:
            _end(self._child)
            self._child = None

    def close(self) -> None:
        """End it and what was prepared."""
        self.kill()
        if self._next is not None:
            _end(self._next)
            self._next = None
        self._held.close()

    def _spawn(self, *options: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            (*self._argv, *options),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )


def _end(child: subprocess.Popen[str]) -> None:
    with child:
        child.kill()


@contextmanager
def http_server(*options: str, program: str = str(SDK)) -> Iterator[HttpServer]:
    """Give a server that listens, and end it."""
    server = HttpServer(program, options)
    try:
        server.start()
        yield server
    finally:
        server.close()
