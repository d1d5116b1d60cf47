"""What all routes share: strict JSON, and how their refusals are described."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import msgspec
from fastapi import Path, Query, Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from roost.api.refusals import ErrorAnswer

Refusals = dict[int | str, dict[str, Any]]

EVERYWHERE: Refusals = {
    404: {"model": ErrorAnswer, "description": "It does not exist, as far as the caller may know"},
    413: {"model": ErrorAnswer, "description": "The body is too large"},
    422: {"model": ErrorAnswer, "description": "It cannot be done as asked; nothing has changed"},
    500: {"model": ErrorAnswer, "description": "A fault of the daemon; its log tells which"},
    503: {"model": ErrorAnswer, "description": "It cannot be answered now; try again later"},
}
"""Refusals that every operation may answer with."""

CONFLICT: Refusals = {
    409: {"model": ErrorAnswer, "description": "It collides with how things stand"},
}

PROTECTED: Refusals = {
    403: {"model": ErrorAnswer, "description": "The bundle is protected; give a reason"},
}

STREAM: Refusals = {
    200: {
        "description": "Server-sent events until the daemon or the viewer ends them",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    },
}

MAX_INT = 2**63 - 1
"""The largest number a store keeps."""

WorkspaceId = Annotated[str, Path(description="Id of the workspace")]
BundleName = Annotated[str, Path(description="Name of the bundle in its workspace")]
RunId = Annotated[str, Path(description="Id of the run")]
Position = Annotated[int | None, Query(ge=0, le=MAX_INT, description="Byte offset in the log")]


class _StrictRequest(Request):
    async def json(self) -> Any:
        """Decode the body; what standard JSON does not have (NaN, half a surrogate) is refused."""
        try:
            return msgspec.json.decode(await self.body())
        except msgspec.DecodeError as error:
            raise json.JSONDecodeError("not valid JSON", "", 0) from error


class StrictRoute(APIRoute):
    """A route whose body is standard JSON."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_strictly(request: Request) -> Response:
            return await handle(_StrictRequest(request.scope, request.receive))

        return handle_strictly
