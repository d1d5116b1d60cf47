"""`Post`: sends one JSON request after another to the daemon's socket."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from roost.errors import BadInput, NotFound, RoostError, Unavailable, error_from_wire
from roost.sdk.connections import Connections
from roost.sdk.place import Place

TIMEOUT_S = 10.0
"""Reports are answered by one write; this much covers a machine under heavy load."""


IN_LOOP_BYTES = 32 * 1024
"""A request of this size fits into the buffers of a socket, so that sending it waits for nobody."""


class NotInLoop(Exception):
    """A request cannot be made without waiting; nothing of it was sent."""


class Unheard(Exception):
    """No answer came.

    Args:
        why: what the system says.
        may_have_arrived: whether the daemon may have carried the request out.
    """

    def __init__(self, why: Exception, *, may_have_arrived: bool) -> None:
        super().__init__(getattr(why, "strerror", None) or str(why) or type(why).__name__)
        self.may_have_arrived = may_have_arrived


class Line:
    """The connection of one request that waits long; another thread may cut it."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        """Guards the two below: a cut may come before the connection."""
        self._socket: socket.socket | None = None
        self._is_cut = False

    def cut(self) -> None:
        """Let the request end unheard, now or as soon as it is made."""
        with self._guard:
            self._is_cut = True
            self._end()

    def hold(self, connected: socket.socket) -> None:
        """Take the connection of the request."""
        with self._guard:
            self._socket = connected
            if self._is_cut:
                self._end()

    def let_go(self) -> None:
        """Leave the connection alone from here on: its request has ended."""
        with self._guard:
            self._socket = None

    def _end(self) -> None:
        if self._socket is not None:
            with suppress(OSError):  # it is closed already
                self._socket.shutdown(socket.SHUT_RDWR)


class Post:
    """Speaks to one workspace of a daemon, from any number of threads; see `Connections`.

    Every method raises `Unheard` when nobody answers, and the daemon's own error, rebuilt, when it
    answers with one: `Unavailable` where the same request may succeed later.

    Args:
        place: where, and with which token.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._workspace = place.workspace
        self._connections = Connections(place.socket)
        self._headers = ""
        if place.token is not None:
            self._headers = f"Authorization: Bearer {place.token}\r\n"

    def begin(self, body: dict[str, Any]) -> dict[str, Any]:
        """Begin a run and return its lease."""
        begun: dict[str, Any] = self.send("/runs", body)
        return begun

    def report(self, run_id: str, body: dict[str, Any]) -> dict[str, Any]:
        """Report and return the renewed lease."""
        lease: dict[str, Any] = self.send(f"/runs/{segment(run_id)}/report", body)
        return lease

    def finish(self, run_id: str, body: dict[str, Any]) -> object:
        """Settle a run."""
        return self.send(f"/runs/{segment(run_id)}/finish", body)

    def send(
        self,
        path: str,
        body: dict[str, Any],
        *,
        timeout_s: float = TIMEOUT_S,
        line: Line | None = None,
    ) -> Any:
        """Post to a path of the workspace and return the answer.

        Args:
            path: begins with a slash; see `segment` for names in it.
            body: of the request.
            timeout_s: how long the daemon may be silent.
            line: by which another thread may end the request.
        """
        text = json.dumps(body).encode()
        return self._ask("POST", self._where(path), text, timeout_s, line)

    def fetch(self, path: str) -> Any:
        """Get what a path of the workspace holds."""
        return self._ask("GET", self._where(path))

    def _where(self, path: str) -> str:
        if self._workspace is None:
            self._workspace = _only_one(self._ask("GET", "/v1/workspaces"))
        return f"/v1/workspaces/{segment(self._workspace)}{path}"

    def _ask(
        self,
        method: str,
        where: str,
        text: bytes | None = None,
        timeout_s: float = TIMEOUT_S,
        line: Line | None = None,
    ) -> Any:
        try:
            connection = self._connections.take(timeout_s)
        except OSError as error:
            raise Unheard(error, may_have_arrived=False) from error
        try:
            if line is not None:
                line.hold(connection.socket)
            connection.send(self._request(method, where, text), timeout_s)
            status, told = connection.receive(method)
        except (OSError, http.client.HTTPException) as error:
            raise Unheard(error, may_have_arrived=True) from error
        finally:
            # Before somebody else is given the connection: a cut that comes late must not end it.
            if line is not None:
                line.let_go()
            self._connections.give_back(connection)
        return _answered(status, told)

    async def send_in_loop(self, path: str, body: dict[str, Any]) -> Any:
        """Post to a path as `send` does, from an event loop, which goes on meanwhile.

        It takes no thread, whose waking takes about as long as the daemon's answer.

        Raises:
            NotInLoop: it has to be sent from a thread; nothing was sent.
        """
        text = json.dumps(body).encode()
        is_small = len(text) <= IN_LOOP_BYTES and self._workspace is not None
        connection = self._connections.take_kept() if is_small else None
        if connection is None:
            raise NotInLoop
        try:
            connection.send(self._request("POST", self._where(path), text), TIMEOUT_S)
            await _readable(connection.socket)
            status, told = connection.receive("POST")
        except (OSError, http.client.HTTPException) as error:
            raise Unheard(error, may_have_arrived=True) from error
        finally:
            self._connections.give_back(connection)
        return _answered(status, told)

    def _request(self, method: str, where: str, text: bytes | None) -> bytes:
        head = f"{method} {where} HTTP/1.1\r\nHost: roost\r\n{self._headers}"
        if text is None:
            return f"{head}\r\n".encode("ascii")
        typed = "Content-Type: application/json\r\n"
        return f"{head}{typed}Content-Length: {len(text)}\r\n\r\n".encode("ascii") + text


async def _readable(connected: socket.socket) -> None:
    """Wait until something has come; the daemon writes a short answer in one piece.

    Raises:
        TimeoutError: nothing came within `TIMEOUT_S`.
    """
    loop = asyncio.get_running_loop()
    came = asyncio.Event()
    loop.add_reader(connected, came.set)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await came.wait()
    finally:
        loop.remove_reader(connected)


def _answered(status: int, body: bytes) -> Any:
    try:
        answer = json.loads(body)
        if 200 <= status < 300:
            return answer
        error = answer["error"]
        found = error_from_wire(error["code"], error["message"], error.get("details") or {})
    except (ValueError, TypeError, KeyError):
        raise Unavailable(
            f"the daemon answered with status {status} and nothing that can be read; is it of "
            "another version?"
        ) from None
    raise _retried_if_internal(found, status)


def _retried_if_internal(error: RoostError, status: int) -> RoostError:
    if status < 500 or isinstance(error, Unavailable):
        return error
    return Unavailable(error.message)


def _only_one(workspaces: list[dict[str, Any]]) -> str:
    names = [str(view["id"]) for view in workspaces]
    if not names:
        raise NotFound("there is no workspace yet; make one with `roost workspace create NAME`")
    if len(names) > 1:
        raise BadInput(
            f"there are the workspaces {', '.join(names)}; choose one by `workspace=` or by "
            "ROOST_WORKSPACE"
        )
    return names[0]


def segment(text: str) -> str:
    """Quote one path segment; dots too, because ``..`` would be resolved away."""
    return quote(text, safe="").replace(".", "%2E")
