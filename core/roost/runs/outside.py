"""`OutsideWork`: runs that other programs do and report, under leases."""

from __future__ import annotations

import math

from roost.errors import BadInput
from roost.models import (
    BeginRequest,
    FinishRequest,
    LeasedRun,
    RunKind,
    RunLease,
    RunReport,
    RunTrigger,
    RunView,
)
from roost.runs.drafts import FIRST_EPOCH
from roost.runs.leases import lease_of
from roost.runs.recorder import RunRecorder
from roost.runs.values import Begun, RunRequest

MIN_LEASE_S = 5.0
"""The shortest lease: below it a busy machine alone makes programs late."""

MAX_LEASE_S = 86_400.0
"""The longest lease: a day without a word from a program that is gone."""

NAME_LIMIT = 200
"""Characters of a title, a scope and every other name of a run; they stand in every view."""

LINK_LIMIT = 2048
"""Characters of a link; browsers and proxies take no longer ones."""

STEPS_LIMIT = 1000
"""Steps in one report; each is an event, and all are stored in one transaction."""

OUTPUT_LIMIT = 256 * 1024
"""Characters of output in one report, for the same reason."""

_ENDS = ("succeeded", "failed", "aborted")


class OutsideWork:
    """Begins, reports and ends outside work; every write checks owner and epoch."""

    def __init__(self, recorder: RunRecorder) -> None:
        self._recorder = recorder

    async def begin(self, workspace: str, request: BeginRequest, *, actor: str) -> RunLease:
        """Begin outside work, or attach to what its idempotency key has begun.

        Args:
            actor: who asks, as it stands in the run.

        Raises:
            BadInput, AlreadyActive, IdempotencyConflict, ShuttingDown: no run was begun.
        """
        self._check(workspace, request)
        lease_ms = round(request.lease_s * 1000)
        begin = self._begin(_run_request(workspace, request, actor, lease_ms), lease_ms)
        return await self._recorder.shielded(begin)

    async def report(self, workspace: str, run_id: str, report: RunReport) -> RunLease:
        """Store a report and renew the lease; goes on when the caller is cancelled.

        Raises:
            RunNotFound: no such run in this workspace.
            BadInput: the report is too large; nothing was stored.
            LeaseLost: the run has settled, or another epoch holds it.
        """
        if len(report.steps) > STEPS_LIMIT or len(report.output or "") > OUTPUT_LIMIT:
            raise BadInput(
                f"a report holds {STEPS_LIMIT} steps and {OUTPUT_LIMIT} characters of output at "
                "most; send several"
            )
        _check_link(report.link)
        return await self._recorder.shielded(
            self._recorder.leases.report(workspace, run_id, report)
        )

    async def finish(self, workspace: str, run_id: str, end: FinishRequest) -> RunView:
        """Settle outside work; the first end stays.

        Raises:
            RunNotFound: no such run in this workspace.
            BadInput: what is given is no end; nothing was changed.
            LeaseLost: another epoch holds it.
        """
        if end.status.is_active:
            raise BadInput(f"{end.status} is no end of a run; give one of {', '.join(_ENDS)}")
        if end.error is not None:
            _check_name("error code", end.error.code)
        _check_link(end.link)
        return await self._recorder.shielded(self._recorder.leases.finish(workspace, run_id, end))

    async def _begin(self, request: RunRequest, lease_ms: int) -> RunLease:
        begun: Begun = await self._recorder.begin(request)
        if begun.is_new:
            return lease_of(LeasedRun(begun.run, "", FIRST_EPOCH))
        return await self._recorder.leases.attach(request.workspace, begun.run.id, lease_ms)

    def _check(self, workspace: str, request: BeginRequest) -> None:
        if not (math.isfinite(request.lease_s) and MIN_LEASE_S <= request.lease_s <= MAX_LEASE_S):
            raise BadInput(f"a lease holds {MIN_LEASE_S:g} to {MAX_LEASE_S:g} seconds")
        names = {
            "title": request.title,
            "scope": request.scope,
            "idempotency key": request.idempotency_key,
            "person it acts for": request.on_behalf_of,
            "bundle": request.bundle,
        }
        for what, name in names.items():
            if name is not None:
                _check_name(what, name)
                self._check_secret(workspace, request.bundle, what, name)

    def _check_secret(self, workspace: str, bundle: str | None, what: str, name: str) -> None:
        """Refuse a name that cannot be shown as it is: names are kept and never scrubbed."""
        if bundle is not None and self._recorder.holds_secret(workspace, bundle, name):
            raise BadInput(f"the {what} of outside work holds a secret of {bundle!r}; take it out")


def _check_name(what: str, name: str) -> None:
    if not (name.strip() and len(name) <= NAME_LIMIT and name.isprintable()):
        raise BadInput(
            f"the {what} of outside work must have 1 to {NAME_LIMIT} printable characters; nothing "
            "was changed"
        )


def _check_link(link: str | None) -> None:
    if link is not None and not (0 < len(link) <= LINK_LIMIT and link.isprintable()):
        raise BadInput(
            f"a link must have 1 to {LINK_LIMIT} printable characters; nothing was changed"
        )


def _run_request(workspace: str, request: BeginRequest, actor: str, lease_ms: int) -> RunRequest:
    asked = RunRequest(
        workspace=workspace,
        kind=RunKind.EXTERNAL,
        title=request.title,
        input=request.input,
        bundle=request.bundle,
        trigger=RunTrigger.API,
        scope=request.scope,
        created_by=actor,
        on_behalf_of=request.on_behalf_of,
        idempotency_key=request.idempotency_key,
        parent=request.parent,
        lease_ms=lease_ms,
    )
    try:
        _ = asked.input_hash
    except (RecursionError, TypeError, ValueError) as error:
        raise BadInput("the input is no JSON that can be kept; nothing was begun") from error
    return asked
