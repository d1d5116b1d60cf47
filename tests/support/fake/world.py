"""The state behind `FakeEngine`: slots, runs and logs in memory on the real event bus.

Every change goes through a method that also publishes it, so what viewers are told and what
queries return cannot differ.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any

from tests.support.fake.build import definition_of
from tests.support.fake.clock import FakeClock

from roost.errors import BundleNotFound, DaemonUnreachable, RunNotFound, WorkspaceNotFound
from roost.events import EventBus
from roost.models import (
    BundleChanged,
    BundleRemoved,
    BundleView,
    ChangeBody,
    ConfigField,
    DaemonView,
    Definition,
    EngineState,
    FieldValue,
    FigureSample,
    Finding,
    GenerationView,
    ImportPlan,
    InstalledVersion,
    JournalEntry,
    KeyPlace,
    LogLine,
    LogStream,
    Reason,
    RunAttempt,
    RunChanged,
    RunEvent,
    RunEventKind,
    RunView,
    ScheduleView,
    Severity,
    SlotState,
    SnapshotView,
    StartStep,
    TaskView,
    ToolView,
    Transition,
    Transitioned,
    VaultView,
    WhyReport,
    WorkspaceChanged,
    WorkspaceView,
)
from roost.models.names import FIRST_WORKSPACE

BundleKey = tuple[str, str]


@dataclass
class FakeBundle:
    """A slot with everything that hangs on it."""

    view: BundleView
    definition: Definition
    fields: tuple[ConfigField, ...] = ()
    values: dict[str, FieldValue] = field(default_factory=dict)
    field_revisions: dict[str, tuple[int, int, str]] = field(default_factory=dict)
    """Revision, time and writer of each set field."""
    previous: dict[str, FieldValue] | None = None
    tools: dict[str, ToolView] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    """Results of the tools that answer by themselves."""
    generations: list[GenerationView] = field(default_factory=list)
    transitions: list[Transition] = field(default_factory=list)
    logs: dict[int, list[LogLine]] = field(default_factory=dict)
    samples: list[FigureSample] = field(default_factory=list)
    """Past figures, oldest first."""
    why: WhyReport | None = None
    """What the ordered check answers, where the test says so."""
    versions: list[InstalledVersion] = field(default_factory=list)
    """What is kept; empty until it is asked for."""
    kept: dict[int, Definition] = field(default_factory=dict)
    """The definition of each version that is kept."""

    @property
    def missing(self) -> tuple[str, ...]:
        """Required fields without a value or a default."""
        return tuple(
            entry.key
            for entry in self.fields
            if entry.required and entry.default is None and entry.key not in self.values
        )


@dataclass
class FakeRun:
    """A run with what its detail shows."""

    view: RunView
    input: Any = None
    result: Any = None
    events: list[RunEvent] = field(default_factory=list)
    is_truncated: bool = False
    epoch: int = 0
    """Which holder of the lease may report; raised by each attachment."""
    lease_s: float = 60.0
    journal: list[JournalEntry] = field(default_factory=list)
    attempts: list[RunAttempt] = field(default_factory=list)


class FakeWorld:
    """One daemon's state, shared by the facades of all its callers."""

    def __init__(self, clock: FakeClock, start_id: str, *, queue_limit: int) -> None:
        self.clock = clock
        self._queue_limit = queue_limit
        self.bus = EventBus(start_id, self.state, queue_limit=queue_limit)
        self.daemon = DaemonView(
            start_id=start_id,
            version="0.1.0",
            pid=4100,
            data_dir="/home/ops/.local/share/roost",
            started_at=clock.now(),
            cpu_percent=0.3,
            rss_bytes=43_000_000,
        )
        self.workspaces: dict[str, WorkspaceView] = {}
        self.bundles: dict[BundleKey, FakeBundle] = {}
        self.runs: dict[str, FakeRun] = {}
        """Oldest first."""
        self.tasks: dict[tuple[str, str], TaskView] = {}
        self.worker_slots: dict[BundleKey, int] = {}
        """Of the bundles whose workers have told their tasks."""
        self.warned_tasks: set[tuple[str, str]] = set()
        """Tasks that a submit on behalf of somebody was warned about."""
        self.schedules: dict[tuple[str, str], ScheduleView] = {}
        self.snapshots: dict[BundleKey, SnapshotView] = {}
        self.snapshot_details: dict[BundleKey, dict[str, Any]] = {}
        self.run_limit: int | None = None
        """Runs that a snapshot holds; None means all."""
        self.transitions: list[Transition] = []
        """Oldest first."""
        self.findings: tuple[Finding, ...] = (
            Finding("data_dir", Severity.OK, f"{self.daemon.data_dir} is yours alone"),
            Finding("runtime_node", Severity.OK, "node 20.20.2 is /usr/bin/node"),
        )
        """What the doctor finds."""
        self.plan_changes: dict[str, Any] = {}
        """What the plans of installs say in place of what they would."""
        self.import_plan = ImportPlan((), ())
        """What a scan of this machine finds."""
        key_file = f"{self.daemon.data_dir}/keys/vault.key"
        self.vault = VaultView(KeyPlace.FILE, key_file, "k1", values=0)
        self.gone = asyncio.Event()
        self.is_closed = False
        self._changed = asyncio.Event()

    # What is there

    def state(self) -> EngineState:
        runs = [run.view for run in reversed(self.runs.values())][: self.run_limit]
        return EngineState(
            daemon=self.daemon_view(),
            workspaces=tuple(self.workspaces[key] for key in sorted(self.workspaces)),
            bundles=tuple(self.bundles[key].view for key in sorted(self.bundles)),
            runs=tuple(runs),
            transitions=tuple(reversed(self.transitions)),
        )

    def daemon_view(self) -> DaemonView:
        return replace(self.daemon, viewers=self.bus.viewers)

    def require_workspace(self, workspace: str) -> None:
        if workspace not in self.workspaces:
            raise WorkspaceNotFound(workspace)

    def require_may_install(self, workspace: str) -> None:
        """Let a first install make its workspace."""
        if self.workspaces or workspace != FIRST_WORKSPACE:
            self.require_workspace(workspace)

    def require_bundle(self, workspace: str, name: str) -> FakeBundle:
        bundle = self.bundles.get((workspace, name))
        if bundle is None:
            raise BundleNotFound(workspace, name)
        return bundle

    def require_run(self, workspace: str, run_id: str) -> FakeRun:
        run = self.runs.get(run_id)
        if run is None or run.view.workspace != workspace:
            raise RunNotFound(run_id)
        return run

    def active_runs(self, workspace: str, name: str) -> list[FakeRun]:
        return [
            run
            for run in self.runs.values()
            if run.view.workspace == workspace
            and run.view.bundle == name
            and run.view.status.is_active
        ]

    # Changes

    def publish(self, body: ChangeBody) -> None:
        self.bus.publish(body)
        self.wake()

    def wake(self) -> None:
        """Let everyone who follows something look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait_for_change(self) -> None:
        """Wait for the next change; being gone, before or while waiting, is an error."""
        self.check_connection()
        await self._changed.wait()
        self.check_connection()

    def check_connection(self) -> None:
        if self.gone.is_set():
            raise DaemonUnreachable(
                "no daemon answers on its socket; run `roost` to start one and try again"
            )

    def close(self, reason: str) -> None:
        self.is_closed = True
        self.bus.close(reason)
        self.wake()

    def restart(self, start_id: str) -> None:
        self.bus = EventBus(start_id, self.state, queue_limit=self._queue_limit)
        self.daemon = replace(
            self.daemon,
            start_id=start_id,
            started_at=self.clock.now(),
            is_stopping=False,
            waiting_for=(),
            stop_deadline_at=None,
        )
        self.warned_tasks.clear()
        self.is_closed = False
        self.gone.clear()

    def put_workspace(self, workspace: WorkspaceView) -> None:
        self.workspaces[workspace.id] = workspace
        self.publish(WorkspaceChanged(workspace))

    def put_bundle(self, view: BundleView, definition: Definition | None = None) -> FakeBundle:
        """Add a bundle, or replace the view of one."""
        key = (view.workspace, view.name)
        bundle = self.bundles.get(key)
        if bundle is None:
            bundle = FakeBundle(view, definition or definition_of(view))
            if view.generation is not None:
                bundle.generations.append(view.generation)
            self.bundles[key] = bundle
        bundle.view = view
        self.publish(BundleChanged(view))
        return bundle

    def change_bundle(self, bundle: FakeBundle, **changes: Any) -> None:
        bundle.view = replace(bundle.view, **changes)
        self.publish(BundleChanged(bundle.view))

    def remove_bundle(self, bundle: FakeBundle) -> None:
        view = bundle.view
        del self.bundles[view.workspace, view.name]
        self.snapshots.pop((view.workspace, view.name), None)
        self.publish(BundleRemoved(view.workspace, view.name))

    def move(
        self,
        bundle: FakeBundle,
        after: SlotState,
        *,
        cause: str,
        actor: str,
        step: StartStep | None = None,
        reason: Reason | None = None,
        **changes: Any,
    ) -> None:
        """Take a slot to another state and record who and why."""
        view = bundle.view
        transition = Transition(
            workspace=view.workspace,
            bundle=view.name,
            at=self.clock.now(),
            before=view.state,
            after=after,
            cause=cause,
            actor=actor,
            step=step,
            generation=bundle.generations[0].number if bundle.generations else None,
            reason=reason.sentence if reason else None,
        )
        bundle.transitions.insert(0, transition)
        self.transitions.append(transition)
        since = self.clock.now()
        changes |= {"state": after, "since": since, "step": step, "reason": reason}
        self.change_bundle(bundle, **changes)
        self.publish(Transitioned(transition))

    def put_run(self, run: FakeRun) -> None:
        """Add a run or publish what changed on it; its bundle's count follows."""
        self.runs[run.view.id] = run
        self.publish(RunChanged(run.view))
        bundle = self.bundles.get((run.view.workspace, run.view.bundle or ""))
        if bundle is None:
            return
        count = len(self.active_runs(run.view.workspace, bundle.view.name))
        if count != bundle.view.active_runs:
            self.change_bundle(bundle, active_runs=count)

    def add_run_event(
        self,
        run: FakeRun,
        kind: RunEventKind,
        message: str,
        current: float | None = None,
        total: float | None = None,
        **changes: Any,
    ) -> None:
        """Store the next event of a run together with what it changes on the run."""
        seq = run.view.last_seq + 1
        event = RunEvent(run.view.id, seq, self.clock.now(), kind, message, current, total)
        run.events.append(event)
        run.view = replace(run.view, last_seq=seq, **changes)
        self.put_run(run)

    def append_log(
        self, bundle: FakeBundle, text: str, stream: LogStream, generation: int | None = None
    ) -> None:
        number = generation or (bundle.generations[0].number if bundle.generations else 1)
        lines = bundle.logs.setdefault(number, [])
        start = lines[-1].offset if lines else 0
        offset = start + len(text.encode()) + 1
        lines.append(LogLine(self.clock.now(), stream, text, number, offset))
        self.wake()
