"""What a token opens: runs of its own, to begin, report, finish and read. Nothing else."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Protocol

from starlette.types import ASGIApp, Receive, Scope, Send

from roost.api.refusals import refusal
from roost.contract import EngineAPI
from roost.errors import NotFound, RunNotFound
from roost.models import BeginRequest, FinishRequest, RunDetail, RunLease, RunReport, RunView

GRANT = "roost.grant"
"""Where a request's scope holds what its token allows."""

_OPEN = (
    ("POST", re.compile(r"/v1/workspaces/([^/]+)/runs")),
    ("GET", re.compile(r"/v1/workspaces/([^/]+)/runs/[^/]+")),
    ("POST", re.compile(r"/v1/workspaces/([^/]+)/runs/[^/]+/(?:report|finish)")),
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

    def own(self, run_id: str) -> None:
        """Remember a run that was begun with it."""
        ...

    def owns(self, run_id: str) -> bool:
        """Say whether a run was begun with it."""
        ...

    def finished(self, run_id: str) -> None:
        """Remember that a run was finished with it."""
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
                f"there is no {where} for this token; it reports runs of its own workspace while "
                "its program runs"
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
            self._check(request.parent)
        bundle, key = self._grant.bundle, request.idempotency_key
        # Keys of its own, or it could take over what somebody else has begun under one.
        own_key = None if key is None else f"{bundle}:{key}"
        wanted = replace(request, bundle=bundle, idempotency_key=own_key)
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
        self._check(run_id)
        return await self._engine.run(workspace, run_id)

    def _check(self, run_id: str) -> None:
        if not self._grant.owns(run_id):
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
