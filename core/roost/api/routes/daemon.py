"""The daemon, its workspaces and the one stream of changes."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Header
from starlette.responses import Response

from roost.api.reply import reply
from roost.api.routes.common import CONFLICT, STREAM, StrictRoute
from roost.api.source import Engine, Source, Time
from roost.api.stream import EventStream, frame
from roost.events import EventBus
from roost.models import (
    EVENT_NAMES,
    ActionResult,
    Change,
    Closing,
    DaemonView,
    EngineEvent,
    WorkspaceView,
)

router = APIRouter(prefix="/v1", tags=["daemon"], route_class=StrictRoute)

_LONGEST_ID = 128
"""Characters; a start id and a revision are far shorter, and longer digits are no number."""


@dataclass(frozen=True, slots=True)
class NewWorkspace:
    """A workspace to create; without a label its id is the label."""

    id: str
    label: str | None = None


@router.get("/status", response_model=DaemonView)
async def status(engine: Engine) -> Response:
    """Return the daemon's own view."""
    return reply(await engine.status())


@router.post("/shutdown", status_code=202, response_model=ActionResult)
async def shutdown(engine: Engine) -> Response:
    """Ask the daemon to stop; it answers before it does."""
    await engine.shutdown()
    return reply(ActionResult(True, "the daemon is shutting down"), 202)


@router.get("/workspaces", response_model=list[WorkspaceView])
async def workspaces(engine: Engine) -> Response:
    """List the workspaces by id."""
    return reply(await engine.workspaces())


@router.post("/workspaces", status_code=201, response_model=WorkspaceView, responses=CONFLICT)
async def create_workspace(engine: Engine, new: NewWorkspace) -> Response:
    """Create a workspace."""
    return reply(await engine.create_workspace(new.id, new.label), 201)


@router.get("/events", response_class=Response, responses=STREAM)
async def events(
    source: Source, clock: Time, last_event_id: Annotated[str | None, Header()] = None
) -> Response:
    """Stream one `snapshot`, then every later change under its name; `closing` is the last.

    A reader that comes back with the `Last-Event-ID` it saw gets the changes after it, or a fresh
    snapshot when they are not at hand any more.
    """
    is_plausible = last_event_id is not None and len(last_event_id) <= _LONGEST_ID
    return EventStream(_engine_frames(source.bus, last_event_id if is_plausible else None), clock)


async def _engine_frames(bus: EventBus, last_seen: str | None) -> AsyncGenerator[bytes, None]:
    async with bus.subscribe(last_seen) as subscription:
        while True:
            event = await subscription.next()
            yield _engine_frame(bus.start_id, event)
            if isinstance(event, Change) and isinstance(event.body, Closing):
                return


def _engine_frame(start_id: str, event: EngineEvent) -> bytes:
    id = f"{start_id}.{event.revision}"
    if isinstance(event, Change):
        return frame(EVENT_NAMES[type(event.body)], event.body, id)
    return frame("snapshot", event, id)
