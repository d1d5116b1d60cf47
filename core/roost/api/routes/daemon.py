"""The daemon, its workspaces and the one stream of changes."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Annotated

from starlette.responses import Response

from roost.api.declared import Described, Header, Router
from roost.api.frames import EngineFrames
from roost.api.reply import reply
from roost.api.routes.common import CONFLICT, STREAM
from roost.api.source import Engine, Frames, Source, Time
from roost.api.stream import EventStream
from roost.events import EventBus
from roost.models import (
    ActionResult,
    Change,
    Closing,
    DaemonView,
    DoctorReport,
    WorkspaceView,
)
from roost.models.names import NAME_PATTERN

router = Router(prefix="/v1", tags=("daemon",))

_LONGEST_ID = 128
"""Characters; a start id and a revision are far shorter, and longer digits are no number."""


_BATCH = 64
"""Events sent in one piece: a burst costs one write, and a slow viewer is still noticed soon."""


@dataclass(frozen=True, slots=True)
class NewWorkspace:
    """A workspace to create; without a label its id is the label."""

    id: Annotated[str, Described({"type": "string", "pattern": f"^{NAME_PATTERN}$"})]
    label: str | None = None


@router.get("/status", response_model=DaemonView)
async def status(engine: Engine) -> Response:
    """Return the daemon's own view."""
    return reply(await engine.status())


@router.get("/doctor", response_model=DoctorReport)
async def doctor(engine: Engine) -> Response:
    """Check the daemon's surroundings as it sees them; takes seconds and changes nothing."""
    return reply(await engine.doctor())


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
    source: Source,
    frames: Frames,
    clock: Time,
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """Stream one `snapshot`, then every later change under its name; `closing` is the last.

    A reader that comes back with the `Last-Event-ID` it saw gets the changes after it, or a fresh
    snapshot when they are not at hand any more. A reader that falls behind gets a fresh snapshot
    too. Its `missed` tells how many changes were lost; it is 0 for a reader that begins anew.
    """
    is_plausible = last_event_id is not None and len(last_event_id) <= _LONGEST_ID
    last_seen = last_event_id if is_plausible else None
    return EventStream(_engine_frames(source.bus, frames, last_seen), clock)


async def _engine_frames(
    bus: EventBus, frames: EngineFrames, last_seen: str | None
) -> AsyncGenerator[bytes, None]:
    async with bus.subscribe(last_seen) as subscription:
        while True:
            events = await subscription.next_some(_BATCH)
            yield frames.joined(events)
            last = events[-1]
            if isinstance(last, Change) and isinstance(last.body, Closing):
                return
