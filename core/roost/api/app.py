"""`create_app`: the application of one engine."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import State
from starlette.types import Receive, Scope, Send

from roost.api.bearer import Bearer, TokenSource
from roost.api.frames import EngineFrames
from roost.api.gate import Gate
from roost.api.operations import Operations
from roost.api.routes import (
    bundles,
    credentials,
    daemon,
    imports,
    logs,
    runs,
    snapshots,
    tasks,
    vault,
)
from roost.api.source import EngineSource
from roost.clock import Clock

_MODULES = (daemon, bundles, imports, credentials, vault, runs, tasks, snapshots, logs)


class App:
    """ASGI application: the operations behind the layers that every request passes."""

    def __init__(self, operations: Operations, layers: Gate) -> None:
        self._operations = operations
        self._layers = layers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._layers(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        """Describe the API."""
        return self._operations.framework().openapi()


def create_app(source: EngineSource, *, clock: Clock, tokens: TokenSource | None = None) -> App:
    """Build the application.

    Args:
        source: the engine it answers for.
        clock: measures the silence of event streams.
        tokens: knows what supervised programs show; None knows no token.
    """
    state = State({"source": source, "frames": EngineFrames(source.bus.start_id), "clock": clock})
    declared = (each for module in _MODULES for each in module.router.operations)
    operations = Operations(declared, state)
    return App(operations, Gate(Bearer(operations, tokens=tokens)))
