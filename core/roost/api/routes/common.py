"""What all operations share, and how their refusals are described."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from roost.api.declared import Body, Path, Query
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
