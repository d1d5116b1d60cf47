"""Answers in the wire form of the models."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from roost.models.codec import to_json


def reply(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a model as JSON; nothing here may be kept by a cache."""
    return Response(
        to_json(value),
        status,
        {**(headers or {}), "cache-control": "no-store"},
        media_type="application/json",
    )
