"""`ApiServer` serves the application on a Unix socket that we have bound."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import stat
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import uvicorn
from starlette.types import ASGIApp

from roost.api.protocol import PeerCheckedProtocol
from roost.errors import BadInput, DaemonAlreadyRunning

DRAIN_S = 0.8
"""Time for viewers to take their closing notice; on one machine a few milliseconds are enough."""

FORCE_S = 1.0
"""Time for what is left after the connections were cut; together the stop takes 2 s at most."""

_CANCEL_S = 1
"""When uvicorn cancels handlers that still run; it takes whole seconds."""

_CONNECT_S = 1.0
"""A live daemon accepts at once, even while it is busy: the kernel queues the connection."""

_IDLE_S = 30
"""How long an idle connection is kept; longer than clients reuse theirs."""

_BACKLOG = 512


def bind_socket(path: str) -> socket.socket:
    """Bind the daemon's socket, mode 0600 in a 0700 directory.

    A socket that nobody listens on is what an earlier daemon left behind, and is replaced. The
    caller holds the lock of the data directory, so nobody else replaces it at the same time.

    Args:
        path: where; the caller has made sure that it is short enough.

    Raises:
        DaemonAlreadyRunning: somebody listens there.
        BadInput: something else than a socket is in the way, or the directory is not ours.
    """
    _prepare_directory(os.path.dirname(path))
    _clear_way(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(path)
        os.chmod(path, 0o600)  # nobody connects before: it does not listen yet
        sock.listen(_BACKLOG)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def _prepare_directory(directory: str) -> None:
    os.makedirs(directory, mode=0o700, exist_ok=True)
    owner = os.stat(directory).st_uid
    if owner != os.geteuid():
        raise BadInput(
            f"{directory} belongs to the user with id {owner}; remove it or choose another data "
            "directory"
        )
    os.chmod(directory, 0o700)


def _clear_way(path: str) -> None:
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise BadInput(f"{path} is not a socket; move it away and start the daemon again")
    if _is_listening(path):
        raise DaemonAlreadyRunning(os.path.dirname(path), None)
    os.unlink(path)


def _is_listening(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_CONNECT_S)
        try:
            probe.connect(path)
        except OSError as error:
            # Anything else, such as a full queue, means a daemon that is alive and slow.
            return error.errno not in (errno.ECONNREFUSED, errno.ENOENT)
        return True


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers and without its ten wake-ups a second."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_serving = asyncio.Event()
        self.is_asked_to_exit = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def main_loop(self) -> None:
        self.is_serving.set()
        await self.on_tick(0)
        await self.is_asked_to_exit.wait()

    def cut_connections(self) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.abort()


class ApiServer:
    """Serves while its ``async with`` block runs.

    Event streams end when the engine closes its bus, which is to happen before `stop`: each viewer
    has its closing notice then.

    Args:
        app: the application.
        sock: a bound socket; closed and unlinked by `stop`.
    """

    def __init__(self, app: ASGIApp, sock: socket.socket) -> None:
        self._sock = sock
        self._path = sock.getsockname()
        self._server = _Server(
            uvicorn.Config(
                app,
                http=PeerCheckedProtocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                timeout_keep_alive=_IDLE_S,
                timeout_graceful_shutdown=_CANCEL_S,
                backlog=_BACKLOG,
            )
        )
        self._serving: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def start(self) -> None:
        """Accept connections from here on."""
        serving = asyncio.create_task(self._server.serve([self._sock]), name="api-server")
        ready = asyncio.create_task(self._server.is_serving.wait())
        await asyncio.wait({serving, ready}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if serving.done():
            serving.result()
        self._serving = serving

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Accept nothing more, let answers under way finish, and return within 2 s.

        Safe to call twice. Connections that do not finish are cut.
        """
        serving, self._serving = self._serving, None
        if serving is None:
            return
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)
        self._server.is_asked_to_exit.set()
        _, unfinished = await asyncio.wait({serving}, timeout=DRAIN_S)
        self._server.cut_connections()
        if unfinished:
            await asyncio.wait({serving}, timeout=FORCE_S)
        await self._end(serving)

    async def _end(self, serving: asyncio.Task[None]) -> None:
        left = {serving, *self._server.server_state.tasks}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
