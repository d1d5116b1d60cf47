"""Tool calls and commands of the fake; the test decides when they end."""

from __future__ import annotations

from tests.support.fake.recorded_runs import FakeRuns

from roost.errors import BadArguments, BadInput, CommandNotFound, ToolNotFound
from roost.models import CallRequest, ExecRequest, RunKind, RunView

ABSENT = "no-such-program"
"""The one command that cannot be found."""


class FakeCommands(FakeRuns):
    """Begins what is done for a caller."""

    async def call_tool(self, workspace: str, name: str, request: CallRequest) -> RunView:
        self._begin("call_tool", workspace=workspace, name=name, request=request)
        self._refuse_when_stopping()
        bundle = self._require_running(workspace, name)
        tool = bundle.tools.get(request.tool)
        if tool is None:
            raise ToolNotFound(name, request.tool, tuple(bundle.tools))
        if absent := set(tool.input_schema.get("required", ())) - set(request.arguments):
            raise BadArguments(request.tool, f"{', '.join(sorted(absent))} is required")
        work = (RunKind.TOOL_CALL, name, request.tool, request.arguments)
        if earlier := self._earlier(workspace, request.idempotency_key, work):
            return earlier.view
        self._refuse_taken_scope(workspace, request.scope)
        run = self._begin_run(
            workspace,
            RunKind.TOOL_CALL,
            f"{name}.{request.tool}",
            dict(request.arguments),
            bundle=name,
            tool=request.tool,
            scope=request.scope,
            generation=bundle.generations[0].number if bundle.generations else None,
            idempotency_key=request.idempotency_key,
        )
        begun = run.view
        if request.tool in bundle.results:
            self.settle_run(begun.id, result=bundle.results[request.tool])
        return begun

    async def exec_command(self, workspace: str, request: ExecRequest) -> RunView:
        self._begin("exec_command", workspace=workspace, request=request)
        self._refuse_when_stopping()
        self.world.require_workspace(workspace)
        if not request.command:
            raise BadInput("a command needs at least the name of a program; nothing was begun")
        if request.command[0] == ABSENT:
            raise CommandNotFound(ABSENT)
        work = {"command": list(request.command), "directory": request.directory}
        same = (RunKind.COMMAND, None, None, work)
        if earlier := self._earlier(workspace, request.idempotency_key, same):
            return earlier.view
        self._refuse_taken_scope(workspace, request.scope)
        title = request.title or f"exec {request.command[0]}"
        run = self._begin_run(
            workspace,
            RunKind.COMMAND,
            title,
            work,
            scope=request.scope,
            parent=request.parent,
            idempotency_key=request.idempotency_key,
        )
        return run.view
