"""`Operations`: answers requests that are in order, and leaves the rest to the framework.

The framework with its models takes 15 MiB, half a second to load, and longer over most requests
than the engine does. It is loaded for the first request that has to be refused, or converted, or
that asks for the description of the API.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from starlette.datastructures import State
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from roost.api.declared import Operation
from roost.api.plain import NotPlain, PlainCall
from roost.api.refusals import refusal_of
from roost.errors import RoostError

if TYPE_CHECKING:
    from fastapi import FastAPI

_PARAMETER = re.compile(r"\{([a-z_]+)\}")


class Operations:
    """ASGI application.

    Args:
        operations: all there are; the first one that fits a request answers it.
        state: what the dependencies of the endpoints read.
    """

    def __init__(self, operations: Iterable[Operation], state: State) -> None:
        self.state = state
        self._operations = tuple(operations)
        self._served: dict[str, list[_Served]] = {}
        for operation in self._operations:
            self._served.setdefault(operation.method, []).append(_Served(operation))
        self._framework: FastAPI | None = None
        self._loading: asyncio.Task[FastAPI] | None = None

    def framework(self) -> FastAPI:
        """Return the same application made with the framework; the first time it may block."""
        if self._framework is None:
            # Loaded here for its memory: most daemons never need it.
            from roost.api.framework import make_framework

            self._framework = make_framework(self._operations, self.state)
        return self._framework

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._find(scope)
        if found is None:
            await self._leave(scope, receive, send)
            return
        served, names = found
        request = Request({**scope, "app": self, "path_params": names}, receive)
        body = await request.body()
        try:
            response = await served.call(request, body)
        except NotPlain:
            await self._leave(scope, _Again(body, receive), send)
            return
        except RoostError as error:
            response = refusal_of(error, scope["method"], scope["path"])
        await response(request.scope, receive, send)

    def _find(self, scope: Scope) -> tuple[_Served, dict[str, str]] | None:
        for served in self._served.get(scope.get("method", ""), ()):
            if (match := served.pattern.match(scope["path"])) is not None:
                return served, match.groupdict()
        return None

    async def _leave(self, scope: Scope, receive: Receive, send: Send) -> None:
        framework = self._framework or await self._loaded()
        await framework(scope, receive, send)

    async def _loaded(self) -> FastAPI:
        """Load the framework, once for all who wait; who does not wait any more stops nothing."""
        if self._loading is None:
            self._loading = asyncio.create_task(asyncio.to_thread(self.framework))
            self._loading.add_done_callback(self._end_loading)
        return await asyncio.shield(self._loading)

    def _end_loading(self, loading: asyncio.Task[FastAPI]) -> None:
        self._loading = None  # the next request tries again where this one failed
        if not loading.cancelled():
            loading.exception()  # who waited has raised it; perhaps nobody waits any more


class _Served:
    """One operation; its parameters are looked at when it is first asked for."""

    def __init__(self, operation: Operation) -> None:
        self._endpoint = operation.endpoint
        self.pattern = _pattern(operation.path)
        self._names = frozenset(self.pattern.groupindex)
        self._call: PlainCall | None = None

    @property
    def call(self) -> PlainCall:
        if self._call is None:
            self._call = PlainCall(self._endpoint, self._names)
        return self._call


def _pattern(path: str) -> re.Pattern[str]:
    """Return what fits a path whose parts in braces are parameters, as the framework does it.

    Its own routing would do too, and load four modules for this.
    """
    pieces = enumerate(_PARAMETER.split(path))  # what is literal, a name, what is literal, ...
    parts = (f"(?P<{piece}>[^/]+)" if at % 2 else re.escape(piece) for at, piece in pieces)
    return re.compile("^" + "".join(parts) + "$")


class _Again:
    """Hands out a body that was read already, then what the connection says."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        body, self._body = self._body, None
        if body is None:
            return await self._receive()
        return {"type": "http.request", "body": body, "more_body": False}
