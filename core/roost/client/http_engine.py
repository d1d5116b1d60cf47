"""`HttpEngine`: the `EngineAPI` over the daemon's Unix socket."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import quote

from roost.client.http_socket import HttpSocket
from roost.client.sse import ServerEvent
from roost.errors import DaemonUnreachable
from roost.models import (
    CHANGE_BODIES,
    ActionResult,
    BeginRequest,
    BundleDetail,
    BundleView,
    CallRequest,
    Change,
    ClaimedRun,
    ClaimRequest,
    Closing,
    CredentialForm,
    CredentialOutcome,
    CredentialWrite,
    DaemonView,
    DoctorReport,
    EngineEvent,
    ExecRequest,
    FigureSample,
    FinishRequest,
    Impact,
    ImportOutcome,
    ImportPlan,
    ImportRequest,
    ImportScan,
    InstalledVersion,
    InstallPlan,
    InstallRequest,
    LogPage,
    ReleaseRequest,
    RespawnResult,
    RunDetail,
    RunEvent,
    RunLease,
    RunQuery,
    RunReport,
    RunView,
    ScheduleSpec,
    ScheduleView,
    SettingsChange,
    SettingsOutcome,
    Snapshot,
    SnapshotDetail,
    SnapshotPolicy,
    SnapshotView,
    StopOutcome,
    SubmitOutcome,
    SubmitRequest,
    SupersedeOutcome,
    TaskEnd,
    TaskReport,
    TaskRunDetail,
    TaskView,
    ToolView,
    UpgradeOutcome,
    UpgradeRequest,
    VaultView,
    WhyReport,
    WorkerHello,
    WorkerView,
    WorkspaceView,
)

T = TypeVar("T")


class HttpEngine:
    """A daemon behind one socket; use it with ``async with``.

    Every method raises `DaemonUnreachable` when nobody answers, and the daemon's own error,
    rebuilt, when it answers with one.

    Args:
        socket_path: the daemon's Unix socket.
    """

    def __init__(self, socket_path: str) -> None:
        self._socket = HttpSocket(socket_path)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; safe to call twice."""
        await self._socket.close()

    # Streams

    async def events(self) -> AsyncIterator[EngineEvent]:
        async with aclosing(self._socket.stream("/v1/events", {})) as stream:
            async for sent in stream:
                event = self._engine_event(sent)
                if event is None:
                    continue
                yield event
                if isinstance(event, Change) and isinstance(event.body, Closing):
                    return
        raise DaemonUnreachable("the daemon went away without saying so; run `roost` to restart it")

    async def run_events(
        self, workspace: str, run_id: str, *, after: int = 0
    ) -> AsyncIterator[RunEvent]:
        path = f"{_run_path(workspace, run_id)}/events"
        async with aclosing(self._socket.stream(path, {"after": after})) as stream:
            async for sent in stream:
                if sent.name == "closing":
                    return
                yield self._socket.decoded(sent.data, RunEvent)

    def call_and_follow(
        self, workspace: str, name: str, request: CallRequest
    ) -> AsyncGenerator[RunView | RunEvent, None]:
        """Begin a tool call and follow it in one request: its run first, then all its events.

        A viewer that leaves does not stop the run.

        Raises:
            RoostError: what `call_tool` raises; no run was begun.
        """
        return self._begin_and_follow(f"{_bundle_path(workspace, name)}/calls", request, RunView)

    def exec_and_follow(
        self, workspace: str, request: ExecRequest
    ) -> AsyncGenerator[RunView | RunEvent, None]:
        """Begin a command and follow it in one request, see `call_and_follow`."""
        return self._begin_and_follow(f"{_workspace_path(workspace)}/exec", request, RunView)

    async def _begin_and_follow(
        self, path: str, request: object, first: type[T]
    ) -> AsyncGenerator[T | RunEvent, None]:
        async with aclosing(self._socket.stream(path, {}, body=request)) as stream:
            async for sent in stream:
                if sent.name == "closing":
                    return
                if sent.name in ("run", "submitted"):
                    yield self._socket.decoded(sent.data, first)
                else:
                    yield self._socket.decoded(sent.data, RunEvent)

    async def follow_log(
        self, workspace: str, name: str, *, tail: int = 200
    ) -> AsyncIterator[LogPage]:
        path = f"{_bundle_path(workspace, name)}/log/events"
        async with aclosing(self._socket.stream(path, {"tail": tail})) as stream:
            async for sent in stream:
                if sent.name == "closing":
                    return
                yield self._socket.decoded(sent.data, LogPage)

    # Daemon and workspaces

    async def status(self) -> DaemonView:
        return await self._socket.get("/v1/status", DaemonView)

    async def doctor(self) -> DoctorReport:
        return await self._socket.get("/v1/doctor", DoctorReport)

    async def shutdown(self) -> None:
        await self._socket.act("POST", "/v1/shutdown", ActionResult)

    async def workspaces(self) -> tuple[WorkspaceView, ...]:
        return await self._socket.get("/v1/workspaces", tuple[WorkspaceView, ...])

    async def create_workspace(self, workspace: str, label: str | None = None) -> WorkspaceView:
        body = {"id": workspace, "label": label}
        return await self._socket.act("POST", "/v1/workspaces", WorkspaceView, body)

    # Bundles

    async def bundles(self, workspace: str | None = None) -> tuple[BundleView, ...]:
        path = "/v1/bundles" if workspace is None else f"{_workspace_path(workspace)}/bundles"
        return await self._socket.get(path, tuple[BundleView, ...])

    async def bundle(self, workspace: str, name: str) -> BundleDetail:
        return await self._socket.get(_bundle_path(workspace, name), BundleDetail)

    async def install(self, workspace: str, request: InstallRequest) -> BundleView:
        path = f"{_workspace_path(workspace)}/bundles"
        return await self._socket.act("POST", path, BundleView, request)

    async def plan_install(self, workspace: str, request: InstallRequest) -> InstallPlan:
        path = f"{_workspace_path(workspace)}/plan"
        return await self._socket.act("POST", path, InstallPlan, request)

    async def versions(self, workspace: str, name: str) -> tuple[InstalledVersion, ...]:
        path = f"{_bundle_path(workspace, name)}/versions"
        return await self._socket.get(path, tuple[InstalledVersion, ...])

    async def upgrade(self, workspace: str, name: str, request: UpgradeRequest) -> UpgradeOutcome:
        path = f"{_bundle_path(workspace, name)}/upgrade"
        return await self._socket.act("POST", path, UpgradeOutcome, request)

    async def rollback(
        self, workspace: str, name: str, *, number: int | None = None, reason: str | None = None
    ) -> UpgradeOutcome:
        path = f"{_bundle_path(workspace, name)}/rollback"
        body = {"number": number, "reason": reason}
        return await self._socket.act("POST", path, UpgradeOutcome, body)

    async def pin(self, workspace: str, name: str, *, reason: str | None = None) -> UpgradeOutcome:
        path = f"{_bundle_path(workspace, name)}/pin"
        return await self._socket.act("POST", path, UpgradeOutcome, {"reason": reason})

    async def plan_import(self, workspace: str, scan: ImportScan) -> ImportPlan:
        path = f"{_workspace_path(workspace)}/import/plan"
        return await self._socket.act("POST", path, ImportPlan, scan)

    async def import_bundles(self, workspace: str, request: ImportRequest) -> ImportOutcome:
        path = f"{_workspace_path(workspace)}/import"
        return await self._socket.act("POST", path, ImportOutcome, request)

    async def remove(
        self, workspace: str, name: str, *, delete_data: bool = False, reason: str | None = None
    ) -> ActionResult:
        query = {"delete_data": delete_data, "reason": reason}
        return await self._socket.act(
            "DELETE", _bundle_path(workspace, name), ActionResult, query=query
        )

    async def start(self, workspace: str, name: str) -> ActionResult:
        return await self._socket.act(
            "POST", f"{_bundle_path(workspace, name)}/start", ActionResult
        )

    async def stop(self, workspace: str, name: str, *, reason: str | None = None) -> ActionResult:
        path = f"{_bundle_path(workspace, name)}/stop"
        return await self._socket.act("POST", path, ActionResult, {"reason": reason})

    async def respawn(
        self, workspace: str, name: str, *, reason: str | None = None
    ) -> RespawnResult:
        path = f"{_bundle_path(workspace, name)}/respawn"
        return await self._socket.act("POST", path, RespawnResult, {"reason": reason})

    async def impact(self, workspace: str, name: str, *, action: str = "bundle.stop") -> Impact:
        path = f"{_bundle_path(workspace, name)}/impact"
        return await self._socket.get(path, Impact, {"action": action})

    async def figures_history(self, workspace: str, name: str) -> tuple[FigureSample, ...]:
        path = f"{_bundle_path(workspace, name)}/figures"
        return await self._socket.get(path, tuple[FigureSample, ...])

    async def why(self, workspace: str, name: str) -> WhyReport:
        return await self._socket.get(f"{_bundle_path(workspace, name)}/why", WhyReport)

    async def change_settings(
        self, workspace: str, name: str, change: SettingsChange
    ) -> SettingsOutcome:
        path = f"{_bundle_path(workspace, name)}/settings"
        return await self._socket.act("PATCH", path, SettingsOutcome, change)

    # Credentials

    async def credential_form(self, workspace: str, name: str) -> CredentialForm:
        return await self._socket.get(
            f"{_bundle_path(workspace, name)}/credentials", CredentialForm
        )

    async def write_credentials(
        self, workspace: str, name: str, write: CredentialWrite
    ) -> CredentialOutcome:
        path = f"{_bundle_path(workspace, name)}/credentials"
        return await self._socket.act("PATCH", path, CredentialOutcome, write)

    async def restore_credentials(
        self, workspace: str, name: str, *, reason: str | None = None
    ) -> CredentialOutcome:
        path = f"{_bundle_path(workspace, name)}/credentials/restore"
        return await self._socket.act("POST", path, CredentialOutcome, {"reason": reason})

    async def vault(self) -> VaultView:
        return await self._socket.get("/v1/vault", VaultView)

    async def rotate_vault_key(self) -> VaultView:
        return await self._socket.act("POST", "/v1/vault/rotate", VaultView)

    # Tools and runs

    async def tools(self, workspace: str, name: str) -> tuple[ToolView, ...]:
        return await self._socket.get(
            f"{_bundle_path(workspace, name)}/tools", tuple[ToolView, ...]
        )

    async def call_tool(self, workspace: str, name: str, request: CallRequest) -> RunView:
        path = f"{_bundle_path(workspace, name)}/calls"
        return await self._socket.act("POST", path, RunView, request)

    async def runs(self, query: RunQuery) -> tuple[RunView, ...]:
        wanted = {
            "workspace": query.workspace,
            "bundle": query.bundle,
            "scope": query.scope,
            "status": list(query.statuses),
            "limit": query.limit,
            "before": query.before,
            "kind": list(query.kinds),
            "since": query.since,
            "parent": query.parent,
        }
        return await self._socket.get("/v1/runs", tuple[RunView, ...], wanted)

    async def run(self, workspace: str, run_id: str) -> RunDetail:
        return await self._socket.get(_run_path(workspace, run_id), RunDetail)

    async def stop_run(self, workspace: str, run_id: str) -> StopOutcome:
        return await self._socket.act("POST", f"{_run_path(workspace, run_id)}/stop", StopOutcome)

    async def exec_command(self, workspace: str, request: ExecRequest) -> RunView:
        path = f"{_workspace_path(workspace)}/exec"
        return await self._socket.act("POST", path, RunView, request)

    async def begin_run(self, workspace: str, request: BeginRequest) -> RunLease:
        path = f"{_workspace_path(workspace)}/runs"
        return await self._socket.act("POST", path, RunLease, request)

    async def report_run(self, workspace: str, run_id: str, report: RunReport) -> RunLease:
        path = f"{_run_path(workspace, run_id)}/report"
        return await self._socket.act("POST", path, RunLease, report)

    async def finish_run(self, workspace: str, run_id: str, end: FinishRequest) -> RunView:
        path = f"{_run_path(workspace, run_id)}/finish"
        return await self._socket.act("POST", path, RunView, end)

    async def retry_run(self, workspace: str, run_id: str) -> RunView:
        return await self._socket.act("POST", f"{_run_path(workspace, run_id)}/retry", RunView)

    async def supersede(
        self, workspace: str, scope: str, *, expected: str | None = None, wait_s: float = 10.0
    ) -> SupersedeOutcome:
        path = f"{_workspace_path(workspace)}/supersede"
        body = {"scope": scope, "expected": expected, "wait_s": wait_s}
        return await self._socket.act("POST", path, SupersedeOutcome, body)

    # Tasks

    async def tasks(self, workspace: str | None = None) -> tuple[TaskView, ...]:
        return await self._socket.get("/v1/tasks", tuple[TaskView, ...], {"workspace": workspace})

    async def submit_task(self, workspace: str, task: str, request: SubmitRequest) -> SubmitOutcome:
        path = f"{_workspace_path(workspace)}/tasks/{_segment(task)}/runs"
        return await self._socket.act("POST", path, SubmitOutcome, request)

    def submit_and_follow(
        self, workspace: str, task: str, request: SubmitRequest
    ) -> AsyncGenerator[SubmitOutcome | RunEvent, None]:
        """Submit a task and follow its run in one request: the outcome first, then all events."""
        path = f"{_workspace_path(workspace)}/tasks/{_segment(task)}/runs"
        return self._begin_and_follow(path, request, SubmitOutcome)

    async def task_run(self, workspace: str, run_id: str) -> TaskRunDetail:
        return await self._socket.get(f"{_run_path(workspace, run_id)}/task", TaskRunDetail)

    async def resume_run(self, workspace: str, run_id: str) -> RunView:
        return await self._socket.act("POST", f"{_run_path(workspace, run_id)}/resume", RunView)

    async def register_worker(self, workspace: str, hello: WorkerHello) -> WorkerView:
        path = f"{_workspace_path(workspace)}/workers"
        return await self._socket.act("POST", path, WorkerView, hello)

    async def claim_runs(self, workspace: str, request: ClaimRequest) -> tuple[ClaimedRun, ...]:
        path = f"{_workspace_path(workspace)}/claims"
        return await self._socket.act("POST", path, tuple[ClaimedRun, ...], request)

    async def report_task(self, workspace: str, run_id: str, report: TaskReport) -> RunLease:
        path = f"{_run_path(workspace, run_id)}/task/report"
        return await self._socket.act("POST", path, RunLease, report)

    async def end_task(self, workspace: str, run_id: str, end: TaskEnd) -> RunView:
        path = f"{_run_path(workspace, run_id)}/task/end"
        return await self._socket.act("POST", path, RunView, end)

    async def release_task(self, workspace: str, run_id: str, release: ReleaseRequest) -> RunView:
        path = f"{_run_path(workspace, run_id)}/task/release"
        return await self._socket.act("POST", path, RunView, release)

    async def schedules(self, workspace: str | None = None) -> tuple[ScheduleView, ...]:
        query = {"workspace": workspace}
        return await self._socket.get("/v1/schedules", tuple[ScheduleView, ...], query)

    async def put_schedule(self, workspace: str, spec: ScheduleSpec) -> ScheduleView:
        path = f"{_workspace_path(workspace)}/schedules"
        return await self._socket.act("POST", path, ScheduleView, spec)

    async def pause_schedule(self, workspace: str, name: str, *, paused: bool) -> ScheduleView:
        path = f"{_schedule_path(workspace, name)}/pause"
        return await self._socket.act("POST", path, ScheduleView, {"paused": paused})

    async def fire_schedule(self, workspace: str, name: str) -> SubmitOutcome:
        path = f"{_schedule_path(workspace, name)}/fire"
        return await self._socket.act("POST", path, SubmitOutcome)

    async def remove_schedule(self, workspace: str, name: str) -> ActionResult:
        return await self._socket.act("DELETE", _schedule_path(workspace, name), ActionResult)

    # Snapshots

    async def snapshots(self, workspace: str | None = None) -> tuple[SnapshotView, ...]:
        query = {"workspace": workspace}
        return await self._socket.get("/v1/snapshots", tuple[SnapshotView, ...], query)

    async def snapshot(self, workspace: str, name: str) -> SnapshotDetail:
        return await self._socket.get(_snapshot_path(workspace, name), SnapshotDetail)

    async def build_snapshot(self, workspace: str, name: str) -> SnapshotView:
        path = f"{_snapshot_path(workspace, name)}/build"
        return await self._socket.act("POST", path, SnapshotView)

    async def verify_snapshot(self, workspace: str, name: str) -> SnapshotView:
        path = f"{_snapshot_path(workspace, name)}/verify"
        return await self._socket.act("POST", path, SnapshotView)

    async def remove_snapshot(self, workspace: str, name: str) -> ActionResult:
        return await self._socket.act("DELETE", _snapshot_path(workspace, name), ActionResult)

    async def set_snapshot_policy(
        self, workspace: str, name: str, policy: SnapshotPolicy
    ) -> SnapshotView:
        path = f"{_snapshot_path(workspace, name)}/policy"
        return await self._socket.act("POST", path, SnapshotView, {"policy": policy})

    # Logs

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
        query = {"generation": generation, "before": before, "after": after, "limit": limit}
        return await self._socket.get(f"{_bundle_path(workspace, name)}/log", LogPage, query)

    def _engine_event(self, sent: ServerEvent) -> EngineEvent | None:
        if sent.name == "snapshot":
            return self._socket.decoded(sent.data, Snapshot)
        kind = CHANGE_BODIES.get(sent.name)
        if kind is None:  # a newer daemon may tell of things this client does not know
            return None
        revision = self._socket.decoded(sent.id.rpartition(".")[2], int)
        return Change(revision, self._socket.decoded(sent.data, kind))


def _segment(text: str) -> str:
    """Quote one path segment; dots too, because ``..`` would be resolved away."""
    return quote(text, safe="").replace(".", "%2E")


def _workspace_path(workspace: str) -> str:
    return f"/v1/workspaces/{_segment(workspace)}"


def _bundle_path(workspace: str, name: str) -> str:
    return f"{_workspace_path(workspace)}/bundles/{_segment(name)}"


def _run_path(workspace: str, run_id: str) -> str:
    return f"{_workspace_path(workspace)}/runs/{_segment(run_id)}"


def _schedule_path(workspace: str, name: str) -> str:
    return f"{_workspace_path(workspace)}/schedules/{_segment(name)}"


def _snapshot_path(workspace: str, name: str) -> str:
    return f"{_bundle_path(workspace, name)}/snapshot"
