"""Errors on the wire: one shape for all of them, the status from the kind of error."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from roost.api.reply import reply
from roost.errors import (
    BadInput,
    BundleProtected,
    Conflict,
    NotFound,
    Refused,
    RoostError,
    SnapshotFailed,
    Unavailable,
)

logger = logging.getLogger(__name__)

_STATUSES: tuple[tuple[type[RoostError], int], ...] = (
    (BundleProtected, 403),
    (BadInput, 422),
    (NotFound, 404),
    (Conflict, 409),
    (Refused, 409),
    (Unavailable, 503),
    (SnapshotFailed, 409),
)


@dataclass(frozen=True, slots=True)
class ErrorFacts:
    """One error: a stable code, a sentence for people, facts for programs."""

    code: str
    message: str
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """The body of every answer that is not 2xx."""

    error: ErrorFacts


def status_of(error: RoostError) -> int:
    """Return the HTTP status that fits an error's kind; 500 when it is of none."""
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)


def answer_of(error: RoostError) -> ErrorAnswer:
    """Return an error as it goes over the wire."""
    return ErrorAnswer(ErrorFacts(error.code, error.message, error.details))


def refusal(
    error: RoostError, status: int | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """Return an error as a response; `status` overrides the one of its kind."""
    return reply(answer_of(error), status or status_of(error), headers)


def internal_error() -> RoostError:
    """Return what callers hear of a fault of ours, which is in the log."""
    return RoostError(
        "the daemon met an error of its own and did not finish this; daemon.log in its data "
        "directory tells which"
    )


def refusal_of(error: RoostError, method: str, path: str) -> Response:
    """Return an error that a request met as a response; a fault of ours is logged."""
    if status_of(error) == 500:
        logger.error("%s %s failed: %s", method, path, error, exc_info=error)
    return refusal(error, headers=_headers_of(error))


def _headers_of(error: RoostError) -> dict[str, str] | None:
    seconds = error.details.get("retry_after_s")
    return None if seconds is None else {"retry-after": str(seconds)}


def announces_json(request: Request) -> bool:
    """Say whether the body claims to be JSON, by the rule of the framework itself."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    main, _, sub = kind.partition("/")
    return main == "application" and "/" not in sub and (sub == "json" or sub.endswith("+json"))
