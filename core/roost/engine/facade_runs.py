"""`RunVerbs`: tools, runs and logs, bound to the one who asks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from roost.engine.facade_base import FacadeBase
from roost.models import (
    BeginRequest,
    CallRequest,
    ExecRequest,
    FinishRequest,
    LogPage,
    RunDetail,
    RunEvent,
    RunLease,
    RunQuery,
    RunReport,
    RunView,
    StopOutcome,
    SupersedeOutcome,
    ToolView,
)


class RunVerbs(FacadeBase):
    """The verbs of `EngineAPI` about tools, runs and logs."""

    # Tools and runs ----------------------------------------------------------------------------

    async def tools(self, workspace: str, name: str) -> tuple[ToolView, ...]:
        return self._engine.supervisor.tools(workspace, name)

    async def call_tool(self, workspace: str, name: str, request: CallRequest) -> RunView:
        self._refuse_when_stopping()
        self._engine.supervisor.slot(workspace, name)
        run = await self._engine.calls.begin(workspace, name, request, actor=self._actor)
        await self._audit("bundle.call", workspace, f"{name}.{request.tool}", "ok", run.id)
        return run

    async def runs(self, query: RunQuery) -> tuple[RunView, ...]:
        if query.workspace is not None:
            self._check_workspace(query.workspace)
        return await self._engine.store.runs.list(query)

    async def run(self, workspace: str, run_id: str) -> RunDetail:
        return await self._engine.recorder.detail(workspace, run_id)

    def run_events(self, workspace: str, run_id: str, *, after: int = 0) -> AsyncIterator[RunEvent]:
        return self._engine.recorder.events(workspace, run_id, after=after)

    async def stop_run(self, workspace: str, run_id: str) -> StopOutcome:
        outcome = await self._engine.run_control.stop(workspace, run_id, by=self._actor)
        await self._audit("run.stop", workspace, run_id, "ok" if outcome.stopped else "settled")
        return outcome

    async def exec_command(self, workspace: str, request: ExecRequest) -> RunView:
        self._refuse_when_stopping()
        self._check_workspace(workspace)
        run = await self._engine.commands.begin(workspace, request, actor=self._actor)
        await self._audit("run.exec", workspace, run.title, "ok", run.id)
        return run

    async def begin_run(self, workspace: str, request: BeginRequest) -> RunLease:
        self._refuse_when_stopping()
        self._check_workspace(workspace)
        lease = await self._engine.outside.begin(workspace, request, actor=self._actor)
        await self._audit("run.begin", workspace, request.title, "ok", lease.run.id)
        return lease

    async def report_run(self, workspace: str, run_id: str, report: RunReport) -> RunLease:
        return await self._engine.outside.report(workspace, run_id, report)

    async def finish_run(self, workspace: str, run_id: str, end: FinishRequest) -> RunView:
        return await self._engine.whole(self._engine.outside.finish(workspace, run_id, end))

    async def retry_run(self, workspace: str, run_id: str) -> RunView:
        self._refuse_when_stopping()
        run = await self._engine.run_control.retry(workspace, run_id, actor=self._actor)
        await self._audit("run.retry", workspace, run_id, "ok", run.id)
        return run

    async def supersede(
        self, workspace: str, scope: str, *, expected: str | None = None, wait_s: float = 10.0
    ) -> SupersedeOutcome:
        self._refuse_when_stopping()
        self._check_workspace(workspace)
        outcome = await self._engine.run_control.supersede(
            workspace, scope, expected=expected, wait_s=wait_s, by=self._actor
        )
        await self._audit("run.replace", workspace, scope, outcome.state)
        return outcome

    # Logs --------------------------------------------------------------------------------------

    async def log_page(
        self,
        workspace: str,
        name: str,
        *,
        generation: int | None = None,
        before: int | None = None,
        after: int | None = None,
        limit: int = 500,
    ) -> LogPage:
        self._engine.supervisor.slot(workspace, name)
        return await asyncio.to_thread(
            self._engine.logs.page,
            workspace,
            name,
            generation=generation,
            before=before,
            after=after,
            limit=limit,
        )

    async def follow_log(
        self, workspace: str, name: str, *, tail: int = 200
    ) -> AsyncIterator[LogPage]:
        self._engine.supervisor.slot(workspace, name)
        async for page in self._engine.logs.follow(workspace, name, tail=tail):
            yield page
