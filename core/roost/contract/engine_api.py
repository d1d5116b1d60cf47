"""`EngineAPI`: everything a client can ask, one verb per method.

Met by the HTTP client and by the fake of the tests; the engine's facade has the same shape. Every
method may raise `roost.errors.RoostError`; a client over a socket also raises
`roost.errors.DaemonUnreachable` when nobody answers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Protocol

from roost.models import (
    ActionResult,
    BeginRequest,
    BundleDetail,
    BundleView,
    CallRequest,
    CredentialForm,
    CredentialOutcome,
    CredentialWrite,
    DaemonView,
    EngineEvent,
    ExecRequest,
    FinishRequest,
    Impact,
    InstallRequest,
    LogPage,
    RespawnResult,
    RunDetail,
    RunEvent,
    RunLease,
    RunQuery,
    RunReport,
    RunView,
    StopOutcome,
    SupersedeOutcome,
    ToolView,
    WorkspaceView,
)

if TYPE_CHECKING:
    # Loaded on first use only: the screen imports this module before its first paint.
    from roost.models import (
        DoctorReport,
        FigureSample,
        ImportOutcome,
        ImportPlan,
        ImportRequest,
        ImportScan,
        InstalledVersion,
        InstallPlan,
        SettingsChange,
        SettingsOutcome,
        UpgradeOutcome,
        UpgradeRequest,
        VaultView,
        WhyReport,
    )
    from roost.models.snapshot import SnapshotDetail, SnapshotPolicy, SnapshotView
    from roost.models.task import (
        ClaimedRun,
        ClaimRequest,
        ReleaseRequest,
        ScheduleSpec,
        ScheduleView,
        SubmitOutcome,
        SubmitRequest,
        TaskEnd,
        TaskReport,
        TaskRunDetail,
        TaskView,
        WorkerHello,
        WorkerView,
    )


class EngineAPI(Protocol):
    """The engine as its clients see it."""

    def events(self) -> AsyncIterator[EngineEvent]:
        """Yield one `Snapshot`, then every later change in order.

        A reader that fell behind gets a fresh `Snapshot`, whose `missed` tells how many changes it
        lost. The iterator ends after `Closing`.

        Raises:
            DaemonUnreachable: the daemon went away without a closing notice.
        """
        ...

    async def status(self) -> DaemonView:
        """Return the daemon's own view."""
        ...

    async def doctor(self) -> DoctorReport:
        """Check the daemon's surroundings as it sees them, and say how to mend what is wrong.

        Changes nothing, and takes seconds: every check is bounded, and programs are asked for
        their versions.
        """
        ...

    async def shutdown(self) -> None:
        """Ask the daemon to stop; it answers before it does."""
        ...

    async def workspaces(self) -> tuple[WorkspaceView, ...]:
        """List the workspaces by id."""
        ...

    async def create_workspace(self, workspace: str, label: str | None = None) -> WorkspaceView:
        """Create a workspace.

        Raises:
            InvalidName: the id breaks the naming rule.
            AlreadyExists: there is one already.
        """
        ...

    async def bundles(self, workspace: str | None = None) -> tuple[BundleView, ...]:
        """List the bundles of one workspace or of all, by workspace and name."""
        ...

    async def bundle(self, workspace: str, name: str) -> BundleDetail:
        """Return everything about one bundle.

        Raises:
            BundleNotFound: no such bundle in this workspace.
        """
        ...

    async def install(self, workspace: str, request: InstallRequest) -> BundleView:
        """Install a bundle and, unless told not to, begin its start without waiting for it.

        Raises:
            WorkspaceNotFound, InvalidName, AlreadyExists, BadArchive, BadManifest, BadConfigFile,
            CommandNotFound, SensitiveInArguments: nothing was installed.
        """
        ...

    async def plan_install(self, workspace: str, request: InstallRequest) -> InstallPlan:
        """Say what an install would do; nothing is written, fetched or run.

        Raises:
            WorkspaceNotFound, BadInput and what else `install` raises for what is asked.
        """
        ...

    async def versions(self, workspace: str, name: str) -> tuple[InstalledVersion, ...]:
        """List the versions of a bundle that are kept on this machine, newest first."""
        ...

    async def upgrade(self, workspace: str, name: str, request: UpgradeRequest) -> UpgradeOutcome:
        """Install another version of a bundle beside the present one and respawn into it.

        The bundle keeps its name, settings, data and credentials. A failed respawn keeps the new
        version; `rollback` returns to the former one.

        Raises:
            BundleNotFound, BadInput and what else `install` raises: nothing was changed.
        """
        ...

    async def rollback(
        self, workspace: str, name: str, *, number: int | None = None, reason: str | None = None
    ) -> UpgradeOutcome:
        """Make a kept version the current one again and respawn into it.

        Args:
            number: which one; None takes the newest of those before the current one.

        Raises:
            BundleNotFound. Refused: no such version is kept.
        """
        ...

    async def pin(self, workspace: str, name: str, *, reason: str | None = None) -> UpgradeOutcome:
        """Replace a command that fetches its package at each start by an installed, pinned copy.

        It is an upgrade: the former version is kept.

        Raises:
            BundleNotFound. Refused: the command fetches nothing to pin. PackageNotFound,
            Unavailable: the package could not be looked up.
        """
        ...

    async def plan_import(self, workspace: str, scan: ImportScan) -> ImportPlan:
        """Find the servers that MCP clients of this machine have; nothing is written or run.

        Raises:
            WorkspaceNotFound, BadInput.
        """
        ...

    async def import_bundles(self, workspace: str, request: ImportRequest) -> ImportOutcome:
        """Install the chosen entries of a reviewed plan; the files are only read.

        An entry that changed since the plan is refused by itself.

        Raises:
            WorkspaceNotFound, BadInput: nothing was installed.
        """
        ...

    async def remove(
        self, workspace: str, name: str, *, delete_data: bool = False, reason: str | None = None
    ) -> ActionResult:
        """Stop a bundle and take it out; its logs and runs stay unless `delete_data`."""
        ...

    async def start(self, workspace: str, name: str) -> ActionResult:
        """Start a stopped bundle and wait until it is ready or has failed."""
        ...

    async def stop(self, workspace: str, name: str, *, reason: str | None = None) -> ActionResult:
        """Stop a bundle and wait until its whole process tree is gone.

        `reason` is required for a protected bundle.
        """
        ...

    async def respawn(
        self, workspace: str, name: str, *, reason: str | None = None
    ) -> RespawnResult:
        """Replace a bundle's process by a new generation and wait for the result.

        Missing and protected bundles are results, not errors.
        """
        ...

    async def impact(self, workspace: str, name: str, *, action: str = "bundle.stop") -> Impact:
        """Say what an interrupting action on this bundle would cut right now.

        Args:
            action: id of the action: a handover cuts less than a stop.

        Raises:
            BadInput: that action interrupts no bundle.
        """
        ...

    async def figures_history(self, workspace: str, name: str) -> tuple[FigureSample, ...]:
        """Return the last figures of a bundle's process tree, oldest first.

        Bounded, and empty for what has not run since the daemon's start. Later ones come as
        events.

        Raises:
            BundleNotFound: no such bundle in this workspace.
        """
        ...

    async def why(self, workspace: str, name: str) -> WhyReport:
        """Run the ordered check of a bundle and name the first failing step with the way out.

        Starts, stops and changes nothing, and ends within 10 s.

        Raises:
            BundleNotFound: no such bundle in this workspace.
        """
        ...

    async def change_settings(
        self, workspace: str, name: str, change: SettingsChange
    ) -> SettingsOutcome:
        """Change settings of an installed bundle; no process is touched.

        What shapes a start, such as a limit, leaves the running process stale; all else counts at
        once.

        Raises:
            BadInput: a setting does not fit; nothing was changed.
            BundleProtected: its protection would be lifted, and no reason was given.
        """
        ...

    async def credential_form(self, workspace: str, name: str) -> CredentialForm:
        """Return the form of a bundle; sensitive values are never in it."""
        ...

    async def write_credentials(
        self, workspace: str, name: str, write: CredentialWrite
    ) -> CredentialOutcome:
        """Set and clear fields in one atomic write, then respawn the bundle with them.

        Raises:
            BadFields: a field is unknown or a value does not fit; nothing was written.
        """
        ...

    async def restore_credentials(
        self, workspace: str, name: str, *, reason: str | None = None
    ) -> CredentialOutcome:
        """Bring the previous revision back as a new one, then respawn the bundle with it.

        `reason` is required where that leaves a sensitive field of a protected bundle unset.

        Raises:
            Refused: no previous revision is kept.
        """
        ...

    async def vault(self) -> VaultView:
        """Say where the vault's key is kept and what it opens."""
        ...

    async def rotate_vault_key(self) -> VaultView:
        """Seal every stored value with a new key and forget the former one.

        Raises:
            Refused: the key is given by the settings, which only the operator can change.
            VaultUnavailable: the new key cannot be kept, or a value cannot be opened; nothing was
            changed.
        """
        ...

    async def tools(self, workspace: str, name: str) -> tuple[ToolView, ...]:
        """List the tools of a running MCP bundle.

        Raises:
            NotRunning: the bundle has no ready process.
        """
        ...

    async def call_tool(self, workspace: str, name: str, request: CallRequest) -> RunView:
        """Begin a tool call; returns its run as soon as the row exists.

        Raises:
            NotRunning, ToolNotFound, BadArguments, AlreadyActive, IdempotencyConflict: no run was
            begun.
        """
        ...

    async def runs(self, query: RunQuery) -> tuple[RunView, ...]:
        """List runs, newest first."""
        ...

    async def run(self, workspace: str, run_id: str) -> RunDetail:
        """Return a run with its input, result and stored events.

        Raises:
            RunNotFound: no such run in this workspace.
        """
        ...

    def run_events(self, workspace: str, run_id: str, *, after: int = 0) -> AsyncIterator[RunEvent]:
        """Yield the events after sequence number `after`, live; ends when the run has settled."""
        ...

    async def stop_run(self, workspace: str, run_id: str) -> StopOutcome:
        """Stop a run and wait until it has settled, 10 s at most.

        A settled run is left as it is. A tool call that its server goes on with stays active and is
        told of as soon as that is seen: its `stop_phase` is ``ignored``.
        """
        ...

    async def exec_command(self, workspace: str, request: ExecRequest) -> RunView:
        """Begin a command; returns its run as soon as the row exists.

        Raises:
            WorkspaceNotFound, BadInput, CommandNotFound, AlreadyActive, IdempotencyConflict: no run
            was begun.
        """
        ...

    async def begin_run(self, workspace: str, request: BeginRequest) -> RunLease:
        """Begin outside work and take its lease; it is `running` at once.

        With a key that has begun a run: the active one is attached to under a new epoch, a
        finished one is returned as it is.

        Raises:
            WorkspaceNotFound, BadInput, AlreadyActive, IdempotencyConflict: no run was begun.
        """
        ...

    async def report_run(self, workspace: str, run_id: str, report: RunReport) -> RunLease:
        """Store what outside work reports, all or nothing, and renew its lease; empty is a
        heartbeat.

        Raises:
            RunNotFound. LeaseLost: the run has settled, or another epoch holds it.
        """
        ...

    async def finish_run(self, workspace: str, run_id: str, end: FinishRequest) -> RunView:
        """Settle outside work; the first end stays.

        Raises:
            RunNotFound, BadInput. LeaseLost: another epoch holds it.
        """
        ...

    async def retry_run(self, workspace: str, run_id: str) -> RunView:
        """Begin a new run with the input of a settled tool call or command.

        Raises:
            RunNotFound. Refused: it is active, its input was cut, or it is outside work.
        """
        ...

    async def tasks(self, workspace: str | None = None) -> tuple[TaskView, ...]:
        """List the tasks that workers offer or have offered, by workspace and name."""
        ...

    async def submit_task(self, workspace: str, task: str, request: SubmitRequest) -> SubmitOutcome:
        """Begin a run of a task, or find the one that its idempotency key has begun.

        Raises:
            WorkspaceNotFound, TaskNotFound, BadInput, AlreadyActive, IdempotencyConflict: no run
            was begun. QueueFull: too many wait; `retry_after_s` tells when to try again.
        """
        ...

    async def task_run(self, workspace: str, run_id: str) -> TaskRunDetail:
        """Return the journal and the attempts of a run of a task.

        Raises:
            RunNotFound: no such run in this workspace.
        """
        ...

    async def resume_run(self, workspace: str, run_id: str) -> RunView:
        """Let a run go on that waits for the person it acts for, who has to be the one who asks.

        Raises:
            RunNotFound: no such run, or it acts for somebody else. Refused: it does not wait.
        """
        ...

    async def register_worker(self, workspace: str, hello: WorkerHello) -> WorkerView:
        """Take the tasks and schedules of a worker that is ready; only a bundle's token may.

        Raises:
            BadInput: a task or schedule does not fit. TaskTaken: another bundle offers one of its
            tasks. Nothing was taken over then.
        """
        ...

    async def claim_runs(self, workspace: str, request: ClaimRequest) -> tuple[ClaimedRun, ...]:
        """Claim waiting runs for a registered worker, the oldest first; waits for one if need be.

        Raises:
            Refused: the worker has not registered, or it is leaving.
        """
        ...

    async def report_task(self, workspace: str, run_id: str, report: TaskReport) -> RunLease:
        """Store what a handler tells, all or nothing, and renew the lease; empty is a heartbeat.

        Raises:
            RunNotFound, BadInput. LeaseLost: the run has settled, or another attempt holds it.
        """
        ...

    async def end_task(self, workspace: str, run_id: str, end: TaskEnd) -> RunView:
        """End an attempt: settle the run, or let it wait for its next attempt.

        Raises:
            RunNotFound, BadInput. LeaseLost: another attempt holds it.
        """
        ...

    async def release_task(self, workspace: str, run_id: str, release: ReleaseRequest) -> RunView:
        """Give a run back that its worker cannot finish, by the task's recovery policy.

        Raises:
            RunNotFound. LeaseLost: another attempt holds it.
        """
        ...

    async def schedules(self, workspace: str | None = None) -> tuple[ScheduleView, ...]:
        """List the schedules by workspace and name."""
        ...

    async def put_schedule(self, workspace: str, spec: ScheduleSpec) -> ScheduleView:
        """Make a schedule, or change one that an operator made.

        Raises:
            WorkspaceNotFound, TaskNotFound, BadInput. Refused: a worker declares it.
        """
        ...

    async def pause_schedule(self, workspace: str, name: str, *, paused: bool) -> ScheduleView:
        """Pause a schedule, or let one that is paused or disabled fire again.

        Raises:
            ScheduleNotFound: no such schedule in this workspace.
        """
        ...

    async def fire_schedule(self, workspace: str, name: str) -> SubmitOutcome:
        """Submit the task of a schedule now, as a run of its own.

        Raises:
            ScheduleNotFound, and what `submit_task` raises.
        """
        ...

    async def remove_schedule(self, workspace: str, name: str) -> ActionResult:
        """Remove a schedule that an operator made.

        Raises:
            ScheduleNotFound. Refused: a worker declares it; pause it instead.
        """
        ...

    async def snapshots(self, workspace: str | None = None) -> tuple[SnapshotView, ...]:
        """Tell of every bundle whether it can have a snapshot and how that stands."""
        ...

    async def snapshot(self, workspace: str, name: str) -> SnapshotDetail:
        """Return everything about one bundle's snapshot.

        Raises:
            BundleNotFound: no such bundle in this workspace.
        """
        ...

    async def build_snapshot(self, workspace: str, name: str) -> SnapshotView:
        """Build the snapshot of a bundle and wait until it is ready, refused or failed.

        The running process is not touched. Every phase is told by a `SnapshotChanged` event.

        Raises:
            BundleNotFound. Refused: no snapshot can be made of it, or one is being built.
        """
        ...

    async def verify_snapshot(self, workspace: str, name: str) -> SnapshotView:
        """Start a process from the snapshot, compare its answers with a cold one's, and end it.

        Raises:
            BundleNotFound. SnapshotMissing: there is none; the sentence names what builds one.
        """
        ...

    async def remove_snapshot(self, workspace: str, name: str) -> ActionResult:
        """Remove the snapshot of a bundle; what was started from it goes on.

        Raises:
            BundleNotFound: no such bundle in this workspace.
        """
        ...

    async def set_snapshot_policy(
        self, workspace: str, name: str, policy: SnapshotPolicy
    ) -> SnapshotView:
        """Say whether starts of a bundle use its snapshot.

        Raises:
            BundleNotFound: no such bundle in this workspace.
        """
        ...

    async def supersede(
        self, workspace: str, scope: str, *, expected: str | None = None, wait_s: float = 10.0
    ) -> SupersedeOutcome:
        """Make room in a scope: stop its active run and wait until that has settled.

        Args:
            expected: id of the run to replace; another active one is left alone.
            wait_s: how long it may take to settle, in seconds.
        """
        ...

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
        """Read up to `limit` lines of one generation's log.

        With `after`, the lines behind that byte offset; otherwise the last lines before `before`,
        or before the end. `generation` None is the newest one with a log; -1 the one before it.

        Raises:
            LogNotFound: nothing is kept of that generation.
        """
        ...

    def follow_log(self, workspace: str, name: str, *, tail: int = 200) -> AsyncIterator[LogPage]:
        """Yield the last `tail` lines, then new ones as they are written, across generations."""
        ...
