"""What a token opens, and nothing else.

Runs of its own, to begin, report, finish and read. Tasks, to submit. And to a worker the runs that
it has claimed.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Protocol

from starlette.types import ASGIApp, Receive, Scope, Send

from roost.api.refusals import refusal
from roost.contract import EngineAPI
from roost.errors import NotFound, RunNotFound
from roost.models import (
    BeginRequest,
    ClaimedRun,
    ClaimRequest,
    FinishRequest,
    ReleaseRequest,
    RunDetail,
    RunEvent,
    RunLease,
    RunReport,
    RunView,
    SubmitOutcome,
    SubmitRequest,
    TaskEnd,
    TaskReport,
    WorkerHello,
    WorkerView,
)

GRANT = "roost.grant"
"""Where a request's scope holds what its token allows."""

_OPEN = (
    ("POST", re.compile(r"/v1/workspaces/([^/]+)/runs")),
    ("GET", re.compile(r"/v1/workspaces/([^/]+)/runs/[^/]+(?:/events)?")),
    ("POST", re.compile(r"/v1/workspaces/([^/]+)/runs/[^/]+/(?:report|finish)")),
    ("POST", re.compile(r"/v1/workspaces/([^/]+)/tasks/[^/]+/runs")),
    ("POST", re.compile(r"/v1/workspaces/([^/]+)/(?:workers|claims)")),
    ("POST", re.compile(r"/v1/workspaces/([^/]+)/runs/[^/]+/task/(?:report|end|release)")),
)


class Grant(Protocol):
    """What one token allows."""

    @property
    def workspace(self) -> str:
        """The workspace it is for."""
        ...

    @property
    def bundle(self) -> str:
        """The bundle in whose name it reports."""
        ...

    @property
    def generation_id(self) -> str:
        """The generation that was handed it."""
        ...

    def own(self, run_id: str) -> None:
        """Remember a run that was begun with it."""
        ...

    def owns(self, run_id: str) -> bool:
        """Say whether a run was begun with it."""
        ...

    def finished(self, run_id: str) -> None:
        """Remember that a run was finished with it."""
        ...

    def hold(self, run_id: str) -> None:
        """Remember a run that was claimed with it."""
        ...

    def holds(self, run_id: str) -> bool:
        """Say whether a run was claimed with it."""
        ...

    def follow(self, run_id: str) -> None:
        """Remember a run that was submitted with it."""
        ...

    def knows(self, run_id: str) -> bool:
        """Say whether a run was begun, claimed or submitted with it."""
        ...


class TokenSource(Protocol):
    """Knows the tokens."""

    def grant_of(self, token: str) -> Grant | None:
        """Return what a token allows; None for one that nobody has."""
        ...


class Bearer:
    """ASGI layer that lets a request with a token through to what tokens are for.

    Everything else is answered alike, as if it did not exist, whether it does or not and whether
    the token lives or not. A request without a token is the operator's: its peer was checked.

    Args:
        app: the application behind it.
        tokens: None knows no token.
    """

    def __init__(self, app: ASGIApp, tokens: TokenSource | None = None) -> None:
        self._app = app
        self._tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = _authorization(scope) if scope["type"] == "http" else None
        if given is None:
            await self._app(scope, receive, send)
            return
        grant = self._grant(given)
        if grant is None or not _is_open(scope["method"], scope["path"], grant.workspace):
            where = f"{scope['method']} {scope['path']}"
            error = NotFound(
                f"there is no {where} for this token; it reports runs and submits tasks of its own "
                "workspace while its program runs"
            )
            await refusal(error)(scope, receive, send)
            return
        await self._app({**scope, GRANT: grant}, receive, send)

    def _grant(self, given: str) -> Grant | None:
        kind, _, token = given.partition(" ")
        if self._tokens is None or kind.lower() != "bearer":
            return None
        return self._tokens.grant_of(token.strip())


class ReportingEngine:
    """The engine as the holder of a token sees it.

    Args:
        engine: bound to the bundle's name.
        grant: what the token allows.
    """

    def __init__(self, engine: EngineAPI, grant: Grant) -> None:
        self._engine = engine
        self._grant = grant

    async def begin_run(self, workspace: str, request: BeginRequest) -> RunLease:
        """Begin a run of the bundle, or of one of its runs."""
        if request.parent is not None:
            self._check_parent(request.parent)
        wanted = replace(
            request,
            bundle=self._grant.bundle,
            idempotency_key=self._own_key(request.idempotency_key),
        )
        lease = await self._engine.begin_run(workspace, wanted)
        self._grant.own(lease.run.id)
        return lease

    async def report_run(self, workspace: str, run_id: str, report: RunReport) -> RunLease:
        """Report for an own run."""
        self._check(run_id)
        return await self._engine.report_run(workspace, run_id, report)

    async def finish_run(self, workspace: str, run_id: str, end: FinishRequest) -> RunView:
        """Finish an own run."""
        self._check(run_id)
        view = await self._engine.finish_run(workspace, run_id, end)
        self._grant.finished(run_id)
        return view

    async def run(self, workspace: str, run_id: str) -> RunDetail:
        """Read an own run."""
        self._check_known(run_id)
        return await self._engine.run(workspace, run_id)

    def run_events(self, workspace: str, run_id: str, *, after: int = 0) -> AsyncIterator[RunEvent]:
        """Follow an own run."""
        self._check_known(run_id)
        return self._engine.run_events(workspace, run_id, after=after)

    async def submit_task(self, workspace: str, task: str, request: SubmitRequest) -> SubmitOutcome:
        """Submit a task, perhaps as a child of an own run."""
        if request.parent is not None:
            self._check_parent(request.parent)
        wanted = replace(request, idempotency_key=self._own_key(request.idempotency_key))
        outcome = await self._engine.submit_task(workspace, task, wanted)
        self._grant.follow(outcome.run.id)
        return outcome

    async def register_worker(self, workspace: str, hello: WorkerHello) -> WorkerView:
        """Register the bundle as a worker."""
        return await self._engine.register_worker(workspace, hello)

    async def claim_runs(self, workspace: str, request: ClaimRequest) -> tuple[ClaimedRun, ...]:
        """Claim runs, which are its own from then on."""
        claimed = await self._engine.claim_runs(workspace, request)
        for found in claimed:
            self._grant.hold(found.run.id)
        return claimed

    async def report_task(self, workspace: str, run_id: str, report: TaskReport) -> RunLease:
        """Report for a claimed run."""
        self._check_held(run_id)
        return await self._engine.report_task(workspace, run_id, report)

    async def end_task(self, workspace: str, run_id: str, end: TaskEnd) -> RunView:
        """End an attempt at a claimed run."""
        self._check_held(run_id)
        return await self._engine.end_task(workspace, run_id, end)

    async def release_task(self, workspace: str, run_id: str, release: ReleaseRequest) -> RunView:
        """Give a claimed run back."""
        self._check_held(run_id)
        return await self._engine.release_task(workspace, run_id, release)

    def _own_key(self, key: str | None) -> str | None:
        """Return a key of its own, or it could take over what somebody else has begun under one."""
        return None if key is None else f"{self._grant.bundle}:{key}"

    def _check(self, run_id: str) -> None:
        if not self._grant.owns(run_id):
            raise RunNotFound(run_id)

    def _check_held(self, run_id: str) -> None:
        if not self._grant.holds(run_id):
            raise RunNotFound(run_id)

    def _check_parent(self, run_id: str) -> None:
        if not self._grant.owns(run_id) and not self._grant.holds(run_id):
            raise RunNotFound(run_id)

    def _check_known(self, run_id: str) -> None:
        if not self._grant.knows(run_id):
            raise RunNotFound(run_id)


def _authorization(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"authorization":
            return str(value.decode("latin-1"))
    return None


def _is_open(method: str, path: str, workspace: str) -> bool:
    for verb, pattern in _OPEN:
        found = pattern.fullmatch(path)
        if found is not None and method == verb and found[1] == workspace:
            return True
    return False
