"""`Wire`: a small HTTP/1.1 client over a Unix socket, for clients that must start fast.

It stands on the C parts of the standard library alone, so that a verb such as ``roost ps`` costs
little more than the interpreter itself. Each request has a connection of its own; every wait is
bounded.
"""

from __future__ import annotations

import errno
import os
import time

try:
    import _socket as sockets  # what `socket` wraps, without the enums that double the start-up
except ImportError:
    import socket as sockets  # type: ignore[no-redef]

from roost.client.answer import Answer
from roost.client.json_text import parse

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs more than a whole request
    from collections.abc import Iterator, Mapping
    from typing import Any, NoReturn

    from roost.client.sse import ServerEvent

CONNECT_TIMEOUT_S = 5.0
"""A live daemon accepts at once; this much covers a machine under heavy load."""

READ_TIMEOUT_S = 30.0
"""Reads are answered from memory or by one query."""

ACTION_TIMEOUT_S = 900.0
"""Actions wait for processes: a start may install packages first, and budgets are settable."""

IDLE_TIMEOUT_S = 60.0
"""An open stream carries a keep-alive comment every 25 s; two missed ones mean a dead daemon."""

NOBODY_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ECONNREFUSED)
"""What connecting says when no process listens: no socket, or one that a dead daemon left."""

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_~")


def quote(text: str) -> str:
    """Percent-encode one path segment or query value; dots too, for ``..`` is resolved away."""
    return "".join(
        chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in os.fsencode(text)
    )


def target(path: str, query: Mapping[str, object]) -> str:
    """Append a query to a path; None values are left out, tuples repeat their name."""
    pairs = [
        f"{name}={quote(str(item))}"
        for name, value in query.items()
        for item in (value if isinstance(value, tuple) else (value,))
        if item is not None
    ]
    return f"{path}?{'&'.join(pairs)}" if pairs else path


class Wire:
    """A daemon behind one socket.

    Every method raises `DaemonUnreachable` when nobody answers in time, and the daemon's own
    error, rebuilt, when it answers with one.

    Args:
        socket_path: the daemon's Unix socket.
    """

    def __init__(self, socket_path: str) -> None:
        self.socket_path = socket_path

    def is_listening(self) -> bool:
        """Say whether a daemon accepts connections on the socket.

        Raises:
            DaemonUnreachable: there is a socket that must not or cannot be used.
        """
        try:
            _connected(self.socket_path).close()
        except OSError as error:
            if error.errno in NOBODY_THERE:
                return False
            from roost.client.failures import unreachable

            raise unreachable(self.socket_path, error) from error
        return True

    def check_listening(self) -> None:
        """Raise `DaemonUnreachable`, with the reason, unless a daemon accepts connections."""
        self._connect().close()

    def get(self, path: str, **query: object) -> Any:
        """Read a resource as plain values; query values that are None are left out."""
        return self._parsed(self.get_raw(path, **query))

    def get_raw(self, path: str, **query: object) -> bytes:
        """Read a resource as the JSON text it was sent as."""
        return self._request("GET", target(path, query), None, READ_TIMEOUT_S)

    def send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        timeout_s: float = ACTION_TIMEOUT_S,
        **query: object,
    ) -> Any:
        """Send a request that changes something and return the answer as plain values.

        Args:
            method: ``POST``, ``PUT`` or ``DELETE``.
            path: path below the socket.
            body: JSON text.
            timeout_s: how long the answer may take, in seconds.
            query: query parameters; None values are left out.
        """
        answer = self._request(method, target(path, query), body, timeout_s)
        return self._parsed(answer) if answer.strip() else None

    def follow(self, path: str, **query: object) -> Iterator[ServerEvent]:
        """Yield the events of a stream until the daemon ends it or says that it is closing."""
        return self._events("GET", target(path, query), None)

    def begin_and_follow(self, path: str, body: bytes) -> Iterator[ServerEvent]:
        """Begin a run and yield the event ``run`` with its row, and then its events as `follow`.

        Args:
            path: path below the socket.
            body: JSON text.
        """
        return self._events("POST", path, body)

    def _events(self, method: str, path: str, body: bytes | None) -> Iterator[ServerEvent]:
        from roost.client.sse import SseDecoder

        decoder = SseDecoder()
        answer = self._ask(method, path, body, IDLE_TIMEOUT_S, accept="text/event-stream")
        try:
            for chunk in answer.body():
                for event in decoder.feed(chunk):
                    if event.name == "closing":
                        return
                    if event.name == "error":
                        _raise_refusal(answer.status, event.data.encode())
                    yield event
        finally:
            answer.close()

    def _request(self, method: str, path: str, body: bytes | None, timeout_s: float) -> bytes:
        answer = self._ask(method, path, body, timeout_s, deadline=time.monotonic() + timeout_s)
        try:
            return b"".join(answer.body())
        finally:
            answer.close()

    def _ask(
        self,
        method: str,
        path: str,
        body: bytes | None,
        timeout_s: float,
        deadline: float | None = None,
        accept: str = "application/json",
    ) -> Answer:
        connection = self._connect()
        try:
            connection.settimeout(timeout_s)
            connection.sendall(_request_bytes(method, path, body, accept))
            answer = Answer(connection, self.socket_path, deadline)
            _raise_for_status(answer)
            return answer
        except BaseException as error:
            connection.close()
            if not isinstance(error, OSError):
                raise
            from roost.client.failures import lost

            raise lost(self.socket_path, error) from error

    def _connect(self) -> sockets.socket:
        try:
            return _connected(self.socket_path)
        except OSError as error:
            from roost.client.failures import unreachable

            raise unreachable(self.socket_path, error) from error

    def _parsed(self, answer: bytes) -> Any:
        try:
            return parse(answer)
        except ValueError as error:
            from roost.client.failures import not_roost

            raise not_roost(self.socket_path) from error


def _raise_for_status(answer: Answer) -> None:
    if not 200 <= answer.status < 300:
        _raise_refusal(answer.status, b"".join(answer.body()))


def _raise_refusal(status: int, body: bytes) -> NoReturn:
    from roost.client.failures import error_from_answer

    raise error_from_answer(status, body)


def _request_bytes(method: str, path: str, body: bytes | None, accept: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: roost", "Connection: close", f"Accept: {accept}"]
    if body is not None:
        lines.append("Content-Type: application/json")
    if method != "GET":
        lines.append(f"Content-Length: {len(body or b'')}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii") + (body or b"")


def _connected(socket_path: str) -> sockets.socket:
    _check_owner(socket_path)
    connection = sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM)
    try:
        connection.settimeout(CONNECT_TIMEOUT_S)
        connection.connect(socket_path)
    except BaseException:
        connection.close()
        raise
    return connection


def _check_owner(socket_path: str) -> None:
    """Refuse a socket that somebody else put there: secrets are about to be sent over it."""
    me = os.geteuid()
    owner = os.stat(socket_path).st_uid
    if me != 0 and owner not in (me, 0):
        raise PermissionError(errno.EPERM, f"it belongs to the user with id {owner}")
