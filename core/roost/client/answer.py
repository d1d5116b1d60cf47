"""`Answer`: reads one HTTP/1.1 answer from a socket."""

from __future__ import annotations

import errno
import time

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs more than a whole request
    from _socket import socket
    from collections.abc import Iterator

_HEAD_LIMIT = 64 * 1024
_CHUNK = 64 * 1024


class Answer:
    """The answer on a connection: status and headers at once, the body in pieces.

    Args:
        connection: connected socket on which the request was sent.
        socket_path: the socket's path, for error messages.
        deadline: monotonic time by which everything must have arrived; None leaves only the
            connection's own timeout between two pieces.

    Raises:
        DaemonUnreachable: no HTTP answer came, or not all of it in time. `body` raises it too.
    """

    def __init__(self, connection: socket, socket_path: str, deadline: float | None) -> None:
        self._connection = connection
        self._socket_path = socket_path
        self._deadline = deadline
        self._buffer = b""
        self.status, self._headers = self._read_head()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def body(self) -> Iterator[bytes]:
        """Yield the body as it arrives."""
        if "chunked" in self._headers.get("transfer-encoding", ""):
            return self._chunked()
        if "content-length" in self._headers:
            return self._sized(self._number(self._headers["content-length"], 10))
        return self._until_closed()

    def _read_head(self) -> tuple[int, dict[str, str]]:
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            if len(self._buffer) > _HEAD_LIMIT:
                raise self._not_roost()
            self._fill()
        first, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
        self._buffer = self._buffer[end + 4 :]
        version, _, rest = first.partition(" ")
        status = rest[:3]
        if not version.startswith("HTTP/1.") or not status.isdecimal():
            raise self._not_roost()
        pairs = (line.partition(":") for line in lines)
        return int(status), {name.strip().lower(): value.strip() for name, _, value in pairs}

    def _chunked(self) -> Iterator[bytes]:
        while size := self._number(self._line().partition(b";")[0], 16):
            yield from self._sized(size)
            self._line()
        while self._line():
            pass

    def _sized(self, size: int) -> Iterator[bytes]:
        while size:
            if not self._buffer:
                self._fill()
            piece, self._buffer = self._buffer[:size], self._buffer[size:]
            size -= len(piece)
            yield piece

    def _until_closed(self) -> Iterator[bytes]:
        if self._buffer:
            yield self._buffer
        while piece := self._receive():
            yield piece

    def _number(self, text: str | bytes, base: int) -> int:
        try:
            number = int(text, base)
        except ValueError:
            number = -1
        if number < 0:
            raise self._not_roost()
        return number

    def _line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0:
            self._fill()
        line, self._buffer = self._buffer[:end], self._buffer[end + 2 :]
        return line

    def _fill(self) -> None:
        piece = self._receive()
        if not piece:
            raise self._lost(ConnectionResetError(errno.ECONNRESET, "it closed the connection"))
        self._buffer += piece

    def _receive(self) -> bytes:
        try:
            if self._deadline is not None:
                self._connection.settimeout(_time_left(self._deadline))
            return self._connection.recv(_CHUNK)
        except OSError as error:
            raise self._lost(error) from error

    def _lost(self, error: OSError) -> Exception:
        from roost.client.failures import lost

        return lost(self._socket_path, error)

    def _not_roost(self) -> Exception:
        from roost.client.failures import not_roost

        return not_roost(self._socket_path)


def _time_left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError(errno.ETIMEDOUT, "it took too long")
    return left
