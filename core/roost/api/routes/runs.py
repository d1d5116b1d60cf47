"""Runs, and the tools whose calls are runs."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated

from starlette.requests import Request
from starlette.responses import Response

from roost.api.closing import until_closed
from roost.api.declared import Depends, Header, Query, Router
from roost.api.frames import frame
from roost.api.reply import reply
from roost.api.routes.common import (
    BEGUN,
    CONFLICT,
    MAX_INT,
    STREAM,
    BundleName,
    RunId,
    WorkspaceId,
)
from roost.api.source import Engine, Source, Time
from roost.api.stream import EventStream
from roost.events import EventBus
from roost.models import (
    BeginRequest,
    CallRequest,
    Closing,
    ExecRequest,
    FinishRequest,
    RunDetail,
    RunEvent,
    RunKind,
    RunLease,
    RunQuery,
    RunReport,
    RunStatus,
    RunView,
    StopOutcome,
    SupersedeOutcome,
    ToolView,
)

router = Router(prefix="/v1", tags=("runs",))

_BUNDLE = "/workspaces/{workspace}/bundles/{name}"
_WORKSPACE = "/workspaces/{workspace}"
_RUN = "/workspaces/{workspace}/runs/{run_id}"


class Beginnings:
    """Answers a request that began a run: with its row, or with all that follows."""

    def __init__(self, request: Request, engine: Engine, source: Source, clock: Time) -> None:
        self._wants_stream = accepts_events(request.headers.get("accept", ""))
        self._engine = engine
        self._source = source
        self._clock = clock

    def answer(self, run: RunView) -> Response:
        """Return the answer; the stream holds every event, whenever the viewer begins to read."""
        return self.followed(run) or reply(run, 201)

    def followed(self, run: RunView, first: bytes | None = None) -> Response | None:
        """Return the stream of a run and its events; None where none was asked for.

        Args:
            first: the frame that begins it; None is one with the run.
        """
        if not self._wants_stream:
            return None
        followed = self._engine.run_events(run.workspace, run.id)
        frames = _begun_frames(first or frame("run", run), followed, self._source.bus)
        return EventStream(frames, self._clock, status=201)


async def _beginnings(request: Request, engine: Engine, source: Source, clock: Time) -> Beginnings:
    return Beginnings(request, engine, source, clock)


Begun = Annotated[Beginnings, Depends(_beginnings)]


def accepts_events(accept: str) -> bool:
    """Say whether an ``Accept`` header names event streams; a wildcard asks for the row alone."""
    kinds = (item.replace(" ", "").lower().split(";") for item in accept.split(","))
    return any(kind == "text/event-stream" and "q=0" not in rest for kind, *rest in kinds)


@router.get(_BUNDLE + "/tools", response_model=list[ToolView], responses=CONFLICT)
async def tools(engine: Engine, workspace: WorkspaceId, name: BundleName) -> Response:
    """List the tools of a running MCP bundle."""
    return reply(await engine.tools(workspace, name))


@router.post(_BUNDLE + "/calls", status_code=201, response_model=RunView, responses=BEGUN)
async def call_tool(
    engine: Engine, begun: Begun, workspace: WorkspaceId, name: BundleName, request: CallRequest
) -> Response:
    """Begin a tool call; answers with its run as soon as the row exists."""
    return begun.answer(await engine.call_tool(workspace, name, request))


@router.get("/runs", response_model=list[RunView])
async def runs(
    engine: Engine,
    workspace: str | None = None,
    bundle: str | None = None,
    scope: str | None = None,
    status: Annotated[list[RunStatus] | None, Query(description="Any of these")] = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 100,
    before: Annotated[str | None, Query(description="Only runs older than this one")] = None,
    kind: Annotated[list[RunKind] | None, Query(description="Any of these")] = None,
    since: Annotated[int | None, Query(ge=0, le=MAX_INT, description="Epoch milliseconds")] = None,
    parent: Annotated[str | None, Query(description="Only runs that this one began")] = None,
) -> Response:
    """List runs, newest first."""
    query = RunQuery(
        workspace=workspace,
        bundle=bundle,
        scope=scope,
        statuses=tuple(status or ()),
        limit=limit,
        before=before,
        kinds=tuple(kind or ()),
        since=since,
        parent=parent,
    )
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


@router.post(_WORKSPACE + "/exec", status_code=201, response_model=RunView, responses=BEGUN)
async def exec_command(
    engine: Engine, begun: Begun, workspace: WorkspaceId, request: ExecRequest
) -> Response:
    """Begin a command; answers with its run as soon as the row exists."""
    return begun.answer(await engine.exec_command(workspace, request))


@router.post(_WORKSPACE + "/runs", status_code=201, response_model=RunLease, responses=CONFLICT)
async def begin_run(engine: Engine, workspace: WorkspaceId, request: BeginRequest) -> Response:
    """Begin outside work and take its lease."""
    return reply(await engine.begin_run(workspace, request), 201)


@router.post(_RUN + "/report", response_model=RunLease, responses=CONFLICT)
async def report_run(
    engine: Engine, workspace: WorkspaceId, run_id: RunId, report: RunReport
) -> Response:
    """Store what outside work reports and renew its lease; an empty report is a heartbeat."""
    return reply(await engine.report_run(workspace, run_id, report))


@router.post(_RUN + "/finish", response_model=RunView, responses=CONFLICT)
async def finish_run(
    engine: Engine, workspace: WorkspaceId, run_id: RunId, end: FinishRequest
) -> Response:
    """Settle outside work; the first end stays."""
    return reply(await engine.finish_run(workspace, run_id, end))


@router.post(_RUN + "/retry", status_code=201, response_model=RunView, responses=CONFLICT)
async def retry_run(engine: Engine, workspace: WorkspaceId, run_id: RunId) -> Response:
    """Begin a new run with the input of a settled tool call or command."""
    return reply(await engine.retry_run(workspace, run_id), 201)


@dataclass(frozen=True, slots=True)
class Supersede:
    """The scope to make room in, the run that may be stopped for it, and the longest wait."""

    scope: str
    expected: str | None = None
    wait_s: float = 10.0


@router.post(_WORKSPACE + "/supersede", response_model=SupersedeOutcome)
async def supersede(engine: Engine, workspace: WorkspaceId, wish: Supersede) -> Response:
    """Stop the active run of a scope and wait until it has settled."""
    outcome = await engine.supersede(
        workspace, wish.scope, expected=wish.expected, wait_s=wish.wait_s
    )
    return reply(outcome)


def _sequence_number(text: str | None) -> int | None:
    # Longer texts are no numbers that a store could hold.
    if text and len(text) < len(str(MAX_INT)) and text.isascii() and text.isdigit():
        return int(text)
    return None


async def _begun_frames(
    first: bytes, followed: AsyncIterator[RunEvent], bus: EventBus
) -> AsyncGenerator[bytes, None]:
    yield first
    async with aclosing(_run_frames(followed, bus)) as frames:
        async for piece in frames:
            yield piece


async def _run_frames(
    followed: AsyncIterator[RunEvent], bus: EventBus
) -> AsyncGenerator[bytes, None]:
    async with aclosing(until_closed(followed, bus)) as events:
        async for event in events:
            if isinstance(event, Closing):
                yield frame("closing", event)
            else:
                yield frame(event.kind, event, str(event.seq))
