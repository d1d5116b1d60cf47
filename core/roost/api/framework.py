"""The application as the framework makes it: it describes the API, and refuses or converts input.

Only `roost.api.operations` loads this, once it is needed.
"""

from __future__ import annotations

import contextlib
import inspect
import json
from collections.abc import Callable, Coroutine, Iterable
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import fastapi
from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.datastructures import State
from starlette.requests import Request
from starlette.responses import Response

import roost
from roost.api.declared import Body, Depends, Header, Operation, Path, Query
from roost.api.gate import Gate
from roost.api.invalid import install_error_handlers
from roost.api.refusals import announces_json
from roost.api.routes.common import EVERYWHERE
from roost.api.strict_json import decode, lax_problem

_TAGS = [
    {"name": "daemon", "description": "The daemon, its workspaces and the stream of changes"},
    {"name": "bundles", "description": "What is installed, and the actions on it"},
    {"name": "import", "description": "Servers that MCP clients of this machine have"},
    {"name": "credentials", "description": "Forms are read, values are only written"},
    {"name": "vault", "description": "The key that credentials are sealed with"},
    {"name": "runs", "description": "Records of work, and the tools whose calls are runs"},
    {"name": "tasks", "description": "Durable tasks, their workers and their schedules"},
    {"name": "snapshots", "description": "Prepared starts of bundles"},
    {"name": "logs", "description": "What the bundles wrote"},
]


class _App(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """Describe the API, once somebody asks for it."""
        if self.openapi_schema is None:
            self.openapi_schema = get_openapi(
                title=self.title,
                summary=self.summary,
                version=self.version,
                tags=self.openapi_tags,
                routes=[route.described() for route in self.state.routes],
            )
        return self.openapi_schema


def make_framework(operations: Iterable[Operation], state: State) -> FastAPI:
    """Build the application.

    Args:
        operations: what it offers.
        state: what the dependencies of the endpoints read.
    """
    app = _App(
        title="Roost",
        summary="The control plane for apps, over the daemon's own socket",
        version=roost.__version__,
        openapi_url="/v1/openapi.json",
        openapi_tags=_TAGS,
        docs_url=None,  # both pages load their scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state = State(dict(state._state))
    install_error_handlers(app)
    app.add_middleware(Gate)  # or the framework's own answer to a fault would be sent
    app.state.routes = _routes(operations)
    app.router.routes.extend(app.state.routes)  # including a router makes each route a second time
    return app


def _routes(operations: Iterable[Operation]) -> list[Any]:
    router = APIRouter(route_class=StrictRoute)
    for operation in operations:
        router.add_api_route(
            operation.path,
            _translated(operation.endpoint),
            methods=[operation.method],
            tags=list(operation.tags),
            **operation.options,
        )
    return router.routes


def _translated(function: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
    """Return the same function with the framework's own markers in its signature."""

    async def call(**arguments: Any) -> Any:
        return await function(**arguments)

    hints = get_type_hints(function, include_extras=True)
    signature = inspect.signature(function)
    parameters = [
        each.replace(annotation=_annotation(hints[name]), kind=inspect.Parameter.KEYWORD_ONLY)
        for name, each in signature.parameters.items()
    ]
    call.__name__, call.__doc__ = function.__name__, function.__doc__
    translated: Any = call
    translated.__signature__ = inspect.Signature(parameters, return_annotation=hints["return"])
    return call


def _annotation(hint: Any) -> Any:
    if get_origin(hint) is not Annotated:
        return hint
    kind, *extras = get_args(hint)
    return Annotated[(kind, *map(_marker, extras))]


def _marker(extra: Any) -> Any:
    match extra:
        case Path(description):
            return fastapi.Path(description=description)
        case Query(ge, le, description):
            return fastapi.Query(ge=ge, le=le, description=description)
        case Header():
            return fastapi.Header()
        case Body():
            return fastapi.Body()
        case Depends(call):
            return fastapi.Depends(_translated(call))
        case _:
            return extra


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
