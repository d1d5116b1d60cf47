"""Runs, and the tools whose calls are runs."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Header, Query
from starlette.responses import Response

from roost.api.closing import until_closed
from roost.api.frames import frame
from roost.api.reply import reply
from roost.api.routes.common import (
    CONFLICT,
    MAX_INT,
    STREAM,
    BundleName,
    RunId,
    StrictRoute,
    WorkspaceId,
)
from roost.api.source import Engine, Source, Time
from roost.api.stream import EventStream
from roost.events import EventBus
from roost.models import (
    CallRequest,
    Closing,
    RunDetail,
    RunEvent,
    RunQuery,
    RunStatus,
    RunView,
    StopOutcome,
    ToolView,
)

router = APIRouter(prefix="/v1", tags=["runs"], route_class=StrictRoute)

_BUNDLE = "/workspaces/{workspace}/bundles/{name}"
_RUN = "/workspaces/{workspace}/runs/{run_id}"


@router.get(_BUNDLE + "/tools", response_model=list[ToolView], responses=CONFLICT)
async def tools(engine: Engine, workspace: WorkspaceId, name: BundleName) -> Response:
    """List the tools of a running MCP bundle."""
    return reply(await engine.tools(workspace, name))


@router.post(_BUNDLE + "/calls", status_code=201, response_model=RunView, responses=CONFLICT)
async def call_tool(
    engine: Engine, workspace: WorkspaceId, name: BundleName, request: CallRequest
) -> Response:
    """Begin a tool call; answers with its run as soon as the row exists."""
    return reply(await engine.call_tool(workspace, name, request), 201)


@router.get("/runs", response_model=list[RunView])
async def runs(
    engine: Engine,
    workspace: str | None = None,
    bundle: str | None = None,
    scope: str | None = None,
    status: Annotated[list[RunStatus] | None, Query(description="Any of these")] = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 100,
    before: Annotated[str | None, Query(description="Only runs older than this one")] = None,
) -> Response:
    """List runs, newest first."""
    statuses = tuple(status or ())
    query = RunQuery(workspace, bundle, scope, statuses, limit, before)
    return reply(await engine.runs(query))


@router.get(_RUN, response_model=RunDetail)
async def run(engine: Engine, workspace: WorkspaceId, run_id: RunId) -> Response:
    """Return a run with its input, result and stored events."""
    return reply(await engine.run(workspace, run_id))


@router.post(_RUN + "/stop", response_model=StopOutcome)
async def stop_run(engine: Engine, workspace: WorkspaceId, run_id: RunId) -> Response:
    """Stop a run and wait until it has settled, 10 s at most."""
    return reply(await engine.stop_run(workspace, run_id))


@router.get(_RUN + "/events", response_class=Response, responses=STREAM)
async def run_events(
    engine: Engine,
    source: Source,
    clock: Time,
    workspace: WorkspaceId,
    run_id: RunId,
    after: Annotated[str | None, Query(description="Sequence number seen last")] = None,
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """Stream the events of a run under the name of their kind; ends when the run has settled.

    Resumes behind the sequence number in `Last-Event-ID`, or else in `after`; one that is not a
    number counts as absent.
    """
    if source.bus.closing is None:
        await engine.run(workspace, run_id)  # a missing run is a 404, not a stream that breaks
    seen = _sequence_number(last_event_id) or _sequence_number(after) or 0
    followed = engine.run_events(workspace, run_id, after=seen)
    return EventStream(_run_frames(followed, source.bus), clock)


def _sequence_number(text: str | None) -> int | None:
    # Longer texts are no numbers that a store could hold.
    if text and len(text) < len(str(MAX_INT)) and text.isascii() and text.isdigit():
        return int(text)
    return None


async def _run_frames(
    followed: AsyncIterator[RunEvent], bus: EventBus
) -> AsyncGenerator[bytes, None]:
    async with aclosing(until_closed(followed, bus)) as events:
        async for event in events:
            if isinstance(event, Closing):
                yield frame("closing", event)
            else:
                yield frame(event.kind, event, str(event.seq))
