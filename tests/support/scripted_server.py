"""A server on a Unix socket that answers each connection with the next scripted bytes."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from tests.support.socket_dir import socket_dir

WAIT_S = 10.0


class ScriptedServer:
    """Serves one connection per script; a script is the pieces to send, one `sendall` each.

    Attributes:
        requests: head and body of each request, as they came.
        may_close: set to let the connection of a silent script end.
    """

    def __init__(self, path: str, scripts: Sequence[Sequence[bytes]]) -> None:
        self.path = path
        self.requests: list[bytes] = []
        self.may_close = threading.Event()
        self._scripts = list(scripts)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(path)
        self._listener.listen()
        self._listener.settimeout(WAIT_S)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self.may_close.set()
        self._thread.join(WAIT_S)
        self._listener.close()

    def _serve(self) -> None:
        for script in self._scripts:
            connection, _ = self._listener.accept()
            with (
                connection,
                suppress(BrokenPipeError, ConnectionResetError),
            ):  # a client may leave before the end
                connection.settimeout(WAIT_S)
                self.requests.append(_read_request(connection))
                for piece in script:
                    connection.sendall(piece)
                if not script:
                    self.may_close.wait(WAIT_S)


@contextmanager
def scripted_server(*scripts: Sequence[bytes]) -> Iterator[ScriptedServer]:
    """Serve the scripts, one per connection; an empty one says nothing until the test ends."""
    with socket_dir() as directory:
        server = ScriptedServer(os.path.join(directory, "roost.sock"), scripts)
        try:
            yield server
        finally:
            server.close()


def _read_request(connection: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(4096)
    head, _, body = received.partition(b"\r\n\r\n")
    length = next(
        (int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:")), 0
    )
    while len(body) < length:
        body += connection.recv(4096)
    return head + b"\r\n\r\n" + body
