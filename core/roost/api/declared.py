"""How the operations of the API are declared, without the framework that describes them.

The markers stand in annotations, as in ``Annotated[int, Query(ge=1)]``. What has none is taken from
the path where its name stands there, from the body where it is a model, else from the query.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from starlette.responses import Response

Endpoint = Callable[..., Coroutine[Any, Any, Response]]

E = TypeVar("E", bound=Endpoint)


@dataclass(frozen=True, slots=True)
class Path:
    """A part of the path."""

    description: str


@dataclass(frozen=True, slots=True)
class Query:
    """A value of the query, at least `ge` and at most `le` where it is a number."""

    ge: int | None = None
    le: int | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Header:
    """A header, whose name has dashes where the parameter has underscores."""


@dataclass(frozen=True, slots=True)
class Body:
    """The whole body."""


@dataclass(frozen=True, slots=True)
class Depends:
    """What a coroutine function returns, whose own parameters are declared likewise."""

    call: Callable[..., Coroutine[Any, Any, Any]]


@dataclass(frozen=True, slots=True)
class Described:
    """Says in the description what else holds for a value; its model checks that itself."""

    schema: dict[str, Any]

    def __get_pydantic_json_schema__(self, _schema: object, _handler: object) -> dict[str, Any]:
        return self.schema


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: what answers it, and how it is described."""

    method: str
    path: str
    endpoint: Endpoint
    tags: tuple[str, ...]
    options: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Router:
    """Collects the operations of a module."""

    prefix: str
    tags: tuple[str, ...]
    operations: list[Operation] = field(default_factory=list)

    def get(self, path: str, **options: Any) -> Callable[[E], E]:
        """Declare what answers GET; the options are those of the framework's route."""
        return self._declare("GET", path, options)

    def post(self, path: str, **options: Any) -> Callable[[E], E]:
        """Declare what answers POST."""
        return self._declare("POST", path, options)

    def patch(self, path: str, **options: Any) -> Callable[[E], E]:
        """Declare what answers PATCH."""
        return self._declare("PATCH", path, options)

    def delete(self, path: str, **options: Any) -> Callable[[E], E]:
        """Declare what answers DELETE."""
        return self._declare("DELETE", path, options)

    def _declare(self, method: str, path: str, options: dict[str, Any]) -> Callable[[E], E]:
        def declare(endpoint: E) -> E:
            self.operations.append(
                Operation(method, self.prefix + path, endpoint, self.tags, options)
            )
            return endpoint

        return declare
