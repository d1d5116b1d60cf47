"""`Connections`: to the daemon's socket, each kept for the next request once one is answered.

A connection serves one request at a time, of whichever thread takes it. It is used again only
while nothing has come on it since its last answer: a daemon that has closed it, because it stopped
or found it idle, is seen before a byte is sent, and the request goes over a new one. What breaks
later than that may have been carried out, exactly as on a new connection.
"""

from __future__ import annotations

import errno
import http.client
import os
import select
import socket
import time
from collections import deque
from contextlib import suppress

KEPT_S = 10.0
"""Idle for longer it is not used again; the daemon closes it after 30 s."""

KEPT_MOST = 32
"""Idle ones at most: a worker that did so much at once may have little to tell for hours."""


class Connection:
    """One connection; raises `OSError` or `http.client.HTTPException` when it fails."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._path = path
        self.idle_since = 0.0
        self.is_reusable = False
        """Whether its last request was answered to the end and the daemon keeps it open."""

    def __del__(self) -> None:
        self.close()  # its program has let go of it and closes nothing by itself

    @property
    def socket(self) -> socket.socket:
        """Its socket."""
        return self._socket

    def open(self, timeout_s: float) -> None:
        """Connect."""
        _check_owner(self._path)
        self._socket.settimeout(timeout_s)
        self._socket.connect(self._path)

    def close(self) -> None:
        """Close it in this process; safe to call twice."""
        self._socket.close()

    def is_quiet(self) -> bool:
        """Say whether nothing has come on it: neither its end nor what nobody asked for."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return not poll.poll(0)

    def send(self, request: bytes, timeout_s: float) -> None:
        """Send a request; `receive` its answer next.

        Args:
            request: head and body in one, so that the daemon is woken once for it.
            timeout_s: how long the daemon may be silent, here and in `receive`.
        """
        self.is_reusable = False
        self._socket.settimeout(timeout_s)
        self._socket.sendall(request)

    def receive(self, method: str) -> tuple[int, bytes]:
        """Return the status and the body of an answer.

        Args:
            method: of the request, by which its answer is read.
        """
        with http.client.HTTPResponse(self._socket, method=method) as answer:
            answer.begin()
            told = answer.read()
            self.is_reusable = not answer.will_close
        return answer.status, told


class Connections:
    """The connections of one process; a child that it forks makes its own.

    Args:
        path: of the socket.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._idle: deque[Connection] = deque()
        """The one that was used last is at the right. No lock guards it: each step on a deque is
        whole by itself, and a lock that another thread held during a fork would stay locked."""
        self._process = os.getpid()

    def take(self, timeout_s: float) -> Connection:
        """Return a connection for one request; `give_back` it once that is answered.

        Raises:
            OSError: nobody listens.
        """
        if (kept := self.take_kept()) is not None:
            return kept
        made = Connection(self._path)
        try:
            made.open(timeout_s)
        except BaseException:
            made.close()
            raise
        return made

    def take_kept(self) -> Connection | None:
        """Return a connection that is kept and can be used at once; None when there is none."""
        self._leave_those_of_parent()
        while (kept := self._newest()) is not None:
            if time.monotonic() - kept.idle_since < KEPT_S and kept.is_quiet():
                return kept
            kept.close()
        return None

    def give_back(self, used: Connection) -> None:
        """Keep a connection for later, or close it when it cannot be used again."""
        is_ours = os.getpid() == self._process
        if not (is_ours and used.is_reusable) or len(self._idle) >= KEPT_MOST:
            used.close()
            return
        used.idle_since = time.monotonic()
        self._idle.append(used)
        self._close_old(used.idle_since - KEPT_S)

    def _newest(self) -> Connection | None:
        try:
            return self._idle.pop()
        except IndexError:  # another thread was quicker
            return None

    def _close_old(self, until: float) -> None:
        with suppress(IndexError):  # another thread was quicker
            while self._idle[0].idle_since <= until:
                self._idle.popleft().close()

    def _leave_those_of_parent(self) -> None:
        """Close the copies that a fork has made; the parent's own stay open."""
        if os.getpid() == self._process:
            return
        inherited, self._idle, self._process = self._idle, deque(), os.getpid()
        for connection in inherited:
            connection.close()


def _check_owner(path: str) -> None:
    """Refuse a socket that somebody else put there."""
    me, owner = os.geteuid(), os.stat(path).st_uid
    if me != 0 and owner not in (me, 0):
        raise PermissionError(errno.EPERM, f"it belongs to the user with id {owner}")
