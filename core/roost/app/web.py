"""`WebServer`: serves an app's ASGI application on a port that is bound here.

The server's code is loaded with the app, so a snapshot holds it; the port is bound in `listen` and
free again before the close goes on. Signals stay with the app.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import TYPE_CHECKING, Any

from roost.app.environment import Environment
from roost.app.stop_request import StopRequest
from roost.errors import CannotListen, WebStartFailed
from roost.models.port import parse_port

if TYPE_CHECKING:
    import uvicorn

logger = logging.getLogger(__name__)

PORT = "PORT"
"""The variable that wins over the port in the code; Roost sets it."""

_BACKLOG = 512

_DATE_S = 1.0
"""How often the date that answers carry is renewed; it counts in seconds."""


class WebServer:
    """A component that serves one application.

    Args:
        app: the app's name, for logs and errors.
        application: speaks ASGI.
        host: the address to listen on.
        port: what is used when the environment names no port; 0 takes any free one.
        environment: read at `config_did_load`.
        stopping: asked for before anything is closed.
        drain_s: how long answers under way may take after that, in seconds.

    Raises:
        BadPort: `port` is none.
    """

    def __init__(
        self,
        app: str,
        application: Any,
        host: str,
        port: int,
        environment: Environment,
        stopping: StopRequest,
        *,
        drain_s: float,
    ) -> None:
        self._app = app
        self._application = application
        self._environment = environment
        self._stopping = stopping
        self._drain_s = drain_s
        self._default = parse_port(str(port), 0)
        self._server: uvicorn.Server | None = None
        self._socket: socket.socket | None = None
        self._tick: asyncio.Task[None] | None = None
        self.host = host
        self.wanted_port = port
        """What it will try to listen on."""
        self.port: int | None = None
        """The port it listens on; None while it does not."""

    @property
    def url(self) -> str | None:
        """Where it listens; None while it does not."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return None if self.port is None else f"http://{host}:{self.port}"

    def waiting_for(self) -> tuple[str, ...]:
        """Name it as people know it."""
        return ("web server",)

    def config_did_load(self) -> None:
        """Take the port from the environment.

        Raises:
            BadPort: it is no port.
        """
        self.wanted_port = parse_port(self._environment.variables.get(PORT), self._default)

    def load(self) -> None:
        """Load the server's code; nothing of it runs."""
        self._configure().load()

    async def listen(self) -> None:
        """Bind the port and serve.

        Raises:
            CannotListen: the port cannot be had.
            WebStartFailed: the application refused in its lifespan.
        """
        config = self._configure()
        config.load()
        self._socket = self._bind()
        self._server = _new_server(config)
        try:
            await self._server.startup(sockets=[self._socket])
        except SystemExit as error:  # the server's way to say that the lifespan failed
            raise WebStartFailed(self._app) from error
        self._tick = asyncio.get_running_loop().create_task(self._renew_date(self._server))
        self.port = self._socket.getsockname()[1]
        logger.info("%s listens on %s", self._app, self.url)

    async def before_close(self) -> None:
        """Accept nothing more, let answers under way finish, cut what is left, free the port."""
        loop = asyncio.get_running_loop()
        if self._tick is not None:
            self._tick.cancel()
        try:
            if self._server is not None and self._server.started:
                await self._drain(self._server, loop)
        finally:
            self._let_go(loop)

    def _let_go(self, loop: asyncio.AbstractEventLoop) -> None:
        sock, self._socket = self._socket, None
        self._server = self._tick = self.port = None
        if sock is not None and sock.fileno() >= 0:
            loop.remove_reader(sock)  # a start that was cancelled may have begun to accept
            sock.close()

    async def _drain(self, server: uvicorn.Server, loop: asyncio.AbstractEventLoop) -> None:
        ending = loop.create_task(server.shutdown(), name="web server")
        _, late = await asyncio.wait({ending}, timeout=self._stopping.grace_left(self._drain_s))
        if late:
            logger.warning("%s cuts answers that did not end", self._app)
            for task in list(server.server_state.tasks):
                task.cancel()
            for connection in list(server.server_state.connections):
                connection.transport.abort()
        await ending

    async def _renew_date(self, server: uvicorn.Server) -> None:
        while True:
            await server.on_tick(0)
            await asyncio.sleep(_DATE_S)

    def _configure(self) -> uvicorn.Config:
        import uvicorn  # deferred: apps without a web server do without

        return uvicorn.Config(
            self._application,
            log_config=None,
            log_level=logging.WARNING,
            access_log=False,
            backlog=_BACKLOG,
        )

    def _bind(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((self.host, self.wanted_port))
            sock.listen(_BACKLOG)
        except OSError as error:
            sock.close()
            reason = error.strerror or str(error)
            raise CannotListen(self._app, self.host, self.wanted_port, reason) from error
        return sock


def _new_server(config: uvicorn.Config) -> uvicorn.Server:
    import uvicorn  # deferred, as above

    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)  # `serve` would, and take the signals too
    return server
