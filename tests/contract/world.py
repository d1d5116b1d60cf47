"""What the contract suite needs from an implementation, and the implementations it runs over."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Protocol

from tests.support.fake_engine import FakeEngine
from tests.support.real_daemon import MINI, PYTHON
from tests.support.socket_dir import socket_dir

from roost.api import ApiServer, bind_socket, create_app
from roost.client.http_engine import HttpEngine
from roost.clock import SystemClock
from roost.contract import EngineAPI
from roost.engine import Engine
from roost.engine.tokens import Tokens
from roost.events.bus import QUEUE_LIMIT as REAL_QUEUE_LIMIT
from roost.lifecycle import Lifecycle
from roost.models import (
    BundleKind,
    BundleSettings,
    Figures,
    InstallRequest,
    SourceKind,
    WorkspaceView,
)
from roost.models.event import WorkspaceChanged
from roost.settings.daemon_settings import DaemonSettings

QUEUE_LIMIT = 50
"""Changes a reader may be behind in these tests."""


class ContractWorld(Protocol):
    """A daemon with one workspace ``w`` and nothing in it, and what a test can do to it."""

    @property
    def engine(self) -> EngineAPI:
        """The implementation under test."""
        ...

    def request(
        self, name: str, *, env: dict[str, str] | None = None, protected: bool = False
    ) -> InstallRequest:
        """Return a request for an MCP bundle.

        It offers the tools ``echo``, which answers at once, and ``wait``, which goes on until it
        is stopped. Each of `env` becomes a sensitive field.
        """
        ...

    async def write_log(self, name: str, text: str) -> None:
        """Let the running bundle `name` write one line to its output."""
        ...

    async def measure(self, name: str) -> None:
        """Let the daemon take figures of the running bundle `name`."""
        ...

    def flood(self) -> None:
        """Publish more changes than a reader may be behind, in one synchronous step."""
        ...

    async def worker(self, bundle: str) -> EngineAPI:
        """Return the engine as a worker process of a bundle sees it, by a token of its own."""
        ...

    async def close(self) -> None:
        """Let the daemon send its closing notice."""
        ...

    async def vanish(self) -> None:
        """Let the daemon go away without a closing notice."""
        ...


class FakeWorld:
    """The fake engine, called directly."""

    def __init__(self) -> None:
        self.fake = FakeEngine(workspaces=("w",), queue_limit=QUEUE_LIMIT)

    @property
    def engine(self) -> EngineAPI:
        return self.fake

    def request(
        self, name: str, *, env: dict[str, str] | None = None, protected: bool = False
    ) -> InstallRequest:
        return InstallRequest(
            SourceKind.COMMAND,
            name=name,
            command=("python3", "-m", name),
            env=env or {},
            kind=BundleKind.MCP_STDIO,
            settings=BundleSettings(protected=protected),
        )

    async def write_log(self, name: str, text: str) -> None:
        self.fake.append_log("w", name, text)

    async def measure(self, name: str) -> None:
        self.fake.measure("w", name, Figures(1.5, 2**25, 2, threads=3, descriptors=12))

    def flood(self) -> None:
        for number in range(QUEUE_LIMIT + 1):
            self.fake.push(WorkspaceChanged(WorkspaceView("w", f"w{number}", 0)))

    async def worker(self, bundle: str) -> EngineAPI:
        return self.fake.facade(bundle, f"generation of {bundle}")

    async def close(self) -> None:
        self.fake.close()

    async def vanish(self) -> None:
        self.fake.disconnect()


class Workers:
    """Clients of one socket that show tokens."""

    def __init__(self, path: str, tokens: Tokens, stack: AsyncExitStack) -> None:
        self._path = path
        self._tokens = tokens
        self._stack = stack

    async def of(self, bundle: str) -> EngineAPI:
        """Return a client with a new token of a bundle of ``w``."""
        handed = self._tokens.hand_over("w", bundle, f"generation of {bundle}")
        client = await self._stack.enter_async_context(HttpEngine(self._path))
        headers = {"Authorization": f"Bearer {json.loads(handed)['token']}"}
        client._socket._http.headers.update(headers)  # no client but a worker shows one
        return client


class HttpWorld(FakeWorld):
    """The HTTP client, a real socket and the API in front of the fake engine."""

    def __init__(
        self, client: HttpEngine, fake: FakeEngine, server: ApiServer, workers: Workers
    ) -> None:
        self._client = client
        self.fake = fake
        self._server = server
        self._workers = workers

    @property
    def engine(self) -> EngineAPI:
        return self._client

    async def worker(self, bundle: str) -> EngineAPI:
        return await self._workers.of(bundle)

    async def vanish(self) -> None:
        await self._server.stop()


class RealWorld:
    """The HTTP client, a real socket, the API, and the real engine with real children."""

    def __init__(
        self, client: HttpEngine, engine: Engine, server: ApiServer, workers: Workers
    ) -> None:
        self._client = client
        self._engine = engine
        self._server = server
        self._workers = workers

    @property
    def engine(self) -> EngineAPI:
        return self._client

    async def worker(self, bundle: str) -> EngineAPI:
        return await self._workers.of(bundle)

    def request(
        self, name: str, *, env: dict[str, str] | None = None, protected: bool = False
    ) -> InstallRequest:
        return InstallRequest(
            SourceKind.COMMAND,
            name=name,
            command=(PYTHON, "-S", str(MINI)),
            env=env or {},
            kind=BundleKind.MCP_STDIO,
            settings=BundleSettings(protected=protected, stop_grace_s=1.0),
        )

    async def write_log(self, name: str, text: str) -> None:
        await self._engine.supervisor.call("w", name, "say", {"text": text}, lambda _: None)

    async def measure(self, name: str) -> None:
        await self._engine.measurer.measure()

    def flood(self) -> None:
        for number in range(REAL_QUEUE_LIMIT + 1):
            self._engine.bus.publish(WorkspaceChanged(WorkspaceView("w", f"w{number}", 0)))

    async def close(self) -> None:
        self._engine.announce_stop()

    async def vanish(self) -> None:
        await self._server.stop()


@asynccontextmanager
async def real_engine(
    directory: str | None = None, *, has_workspace: bool = False
) -> AsyncIterator[Engine]:
    """Give a real engine with the workspace ``w``, in a directory of its own unless given one.

    Args:
        directory: data directory.
        has_workspace: whether an earlier engine has made the workspace there.
    """
    with socket_dir() as own:
        settings = DaemonSettings(data_dir=Path(directory or own))
        lifecycle = Lifecycle("engine")
        engine = Engine(settings, os.environ, SystemClock(), lifecycle)
        engine.register()
        await lifecycle.boot()
        try:
            if not has_workspace:
                await engine.add_workspace("w", "w")
            yield engine
        finally:
            await lifecycle.close()


@asynccontextmanager
async def real_world() -> AsyncIterator[ContractWorld]:
    with socket_dir() as directory:
        path = f"{directory}/roost.sock"
        async with real_engine(directory) as engine:
            app = create_app(engine, clock=engine.clock, tokens=engine.tokens)
            async with (
                ApiServer(app, bind_socket(path)) as server,
                AsyncExitStack() as stack,
                HttpEngine(path) as client,
            ):
                workers = Workers(path, engine.tokens, stack)
                yield RealWorld(client, engine, server, workers)
                engine.announce_stop()


@asynccontextmanager
async def fake_world() -> AsyncIterator[ContractWorld]:
    yield FakeWorld()


@asynccontextmanager
async def http_world() -> AsyncIterator[ContractWorld]:
    fake = FakeEngine(workspaces=("w",), queue_limit=QUEUE_LIMIT)
    with socket_dir() as directory:
        path = f"{directory}/roost.sock"
        tokens = Tokens(path)
        app = create_app(fake, clock=fake.clock, tokens=tokens)
        async with (
            ApiServer(app, bind_socket(path)) as server,
            AsyncExitStack() as stack,
            HttpEngine(path) as client,
        ):
            yield HttpWorld(client, fake, server, Workers(path, tokens, stack))
            fake.close()


IMPLEMENTATIONS: dict[str, Callable[[], AbstractAsyncContextManager[ContractWorld]]] = {
    "fake": fake_world,
    "http": http_world,
    "real": real_world,
}
"""Everything that claims to be an `EngineAPI`, by the name its tests carry."""
