"""Logs: pages of what is kept, and the live end."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Annotated

from starlette.responses import Response

from roost.api.closing import until_closed
from roost.api.declared import Query, Router
from roost.api.frames import frame
from roost.api.reply import reply
from roost.api.routes.common import STREAM, BundleName, Position, WorkspaceId
from roost.api.source import Engine, Source, Time
from roost.api.stream import EventStream
from roost.events import EventBus
from roost.models import Closing, LogPage

router = Router(prefix="/v1/workspaces/{workspace}/bundles/{name}/log", tags=("logs",))

PAGE_LIMIT = 10_000
"""Lines; at the 8 KiB a line may have this is still a body that a client can hold."""

_NEWEST = 2**31 - 1


@router.get("", response_model=LogPage)
async def log_page(
    engine: Engine,
    workspace: WorkspaceId,
    name: BundleName,
    generation: Annotated[
        int | None,
        Query(ge=-_NEWEST, le=_NEWEST, description="-1 is the one before the newest"),
    ] = None,
    before: Position = None,
    after: Position = None,
    limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT)] = 500,
) -> Response:
    """Read lines of one generation's log.

    With `after`, the lines behind that byte offset; otherwise the last ones before `before`, or
    before the end.
    """
    page = await engine.log_page(
        workspace, name, generation=generation, before=before, after=after, limit=limit
    )
    return reply(page)


@router.get("/events", response_class=Response, responses=STREAM)
async def follow_log(
    engine: Engine,
    source: Source,
    clock: Time,
    workspace: WorkspaceId,
    name: BundleName,
    tail: Annotated[int, Query(ge=0, le=PAGE_LIMIT)] = 200,
) -> Response:
    """Stream the last lines, then new ones as they are written, as events named `page`."""
    if source.bus.closing is None:
        await engine.bundle(workspace, name)  # a missing bundle is a 404, not a stream that breaks
    followed = engine.follow_log(workspace, name, tail=tail)
    return EventStream(_log_frames(followed, source.bus), clock)


async def _log_frames(
    followed: AsyncIterator[LogPage], bus: EventBus
) -> AsyncGenerator[bytes, None]:
    async with aclosing(until_closed(followed, bus)) as pages:
        async for page in pages:
            yield frame("closing" if isinstance(page, Closing) else "page", page)
