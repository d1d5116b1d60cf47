"""What all routes share: strict JSON, and how their refusals are described."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Body, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.responses import Response

from roost.api.refusals import ErrorAnswer, announces_json
from roost.api.strict_json import decode, lax_problem

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

BEGUN: Refusals = {
    **CONFLICT,
    201: {
        "description": "The run; a request that accepts `text/event-stream` gets the event `run` "
        "and then the run's events, as `GET .../events` gives them",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    },
}
"""A run was begun: its row, or all that follows on one stream."""

MAX_INT = 2**63 - 1
"""The largest number a store keeps."""

WorkspaceId = Annotated[str, Path(description="Id of the workspace")]
BundleName = Annotated[str, Path(description="Name of the bundle in its workspace")]
RunId = Annotated[str, Path(description="Id of the run")]
Position = Annotated[int | None, Query(ge=0, le=MAX_INT, description="Byte offset in the log")]


@dataclass(frozen=True, slots=True)
class Grounds:
    """Why an interrupting action is asked for; a protected bundle wants to know."""

    reason: str | None = None


GroundsBody = Annotated[Grounds | None, Body()]


def reason_of(grounds: Grounds | None) -> str | None:
    """Return the reason that came with an action."""
    return grounds.reason if grounds else None


def _name_of(route: APIRoute) -> str:
    return route.name


class _StrictRequest(Request):
    _value: Any = ...

    async def json(self) -> Any:
        """Decode the body, once."""
        if self._value is ...:
            self._value = decode(await self.body())
        return self._value


class StrictRoute(APIRoute):
    """A route whose body is standard JSON of just the kinds that are described.

    It answers without the schemas of its answers: only the description of the API needs them, and
    to make them for all routes would be a good part of the daemon's start.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        options["generate_unique_id_function"] = _name_of
        self._described = options | {"responses": EVERYWHERE | (options["responses"] or {})}
        super().__init__(path, endpoint, **options | {"response_model": None, "responses": None})

    def described(self) -> APIRoute:
        """Return the same route with the schemas of all that it answers."""
        return APIRoute(self.path, self.endpoint, **self._described)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        kind = self.body_field.field_info.annotation if self.body_field is not None else None

        async def handle_strictly(request: Request) -> Response:
            strict = _StrictRequest(request.scope, request.receive)
            if kind is not None and announces_json(strict):
                await _refuse_lax(strict, kind)
            return await handle(strict)

        return handle_strictly


async def _refuse_lax(request: Request, kind: Any) -> None:
    with contextlib.suppress(json.JSONDecodeError):  # the framework asks again, and says so
        if problem := lax_problem(await request.json(), kind):
            raise RequestValidationError([problem])
