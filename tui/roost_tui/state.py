"""`ScreenState`: everything the screen knows of the engine, folded from its events.

`fold` is pure and copies each index at most once per batch, so a flood of events costs one copy
per frame. Logs are kept apart, in the view that shows them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from roost.models import (
    BundleChanged,
    BundleMeasure,
    BundleRemoved,
    BundleView,
    Change,
    ChangeBody,
    Closing,
    DaemonChanged,
    DaemonView,
    EngineEvent,
    EngineState,
    FiguresChanged,
    RunChanged,
    RunView,
    Snapshot,
    SnapshotChanged,
    TasksChanged,
    Transition,
    Transitioned,
    WorkspaceChanged,
    WorkspaceRemoved,
    WorkspaceView,
)

if TYPE_CHECKING:
    from roost_tui.shutdown import Shutdown  # loaded when a daemon stops, not before

RUN_LIMIT = 20_000
"""Runs kept at most; the oldest settled ones go first. Active runs always stay."""

TRANSITION_LIMIT = 1000
"""Transitions kept for the events panel."""

BundleKey = tuple[str, str]
"""Workspace and name."""


class LinkPhase(StrEnum):
    """How the screen stands with the daemon."""

    CONNECTING = "connecting"
    LIVE = "live"
    LOST = "lost"
    CLOSING = "closing"
    """The daemon said that it is stopping; it tells of no change any more."""
    STOPPED = "stopped"
    """It stopped on purpose, so it is not started again without being asked to."""


@dataclass(frozen=True, slots=True)
class Link:
    """The connection to the daemon. `retry_at` is epoch milliseconds."""

    phase: LinkPhase = LinkPhase.CONNECTING
    reason: str = ""
    retry_at: int | None = None
    shutdown: Shutdown | None = None
    """How far the daemon's shutdown is, or how it ended."""

    @property
    def is_live(self) -> bool:
        """Whether what is shown is what is."""
        return self.phase is LinkPhase.LIVE


@dataclass(frozen=True, slots=True, eq=False)
class ScreenState:
    """What is shown, as one value. The mappings are never changed in place.

    Compared by identity: comparing thousands of rows would cost more than showing them.
    """

    link: Link = field(default_factory=Link)
    revision: int = 0
    daemon: DaemonView | None = None
    workspaces: Mapping[str, WorkspaceView] = field(default_factory=dict)
    bundles: Mapping[BundleKey, BundleView] = field(default_factory=dict)
    runs: Mapping[str, RunView] = field(default_factory=dict)
    """By id, oldest first."""
    transitions: tuple[Transition, ...] = ()
    """Newest first."""
    began_at: int = 0
    """Revision of the picture that every later change was folded into."""
    snapshot_marks: Mapping[BundleKey, int] = field(default_factory=dict)
    """Revision of the last change of a startup snapshot, by bundle: it is read anew then."""

    task_marks: Mapping[str, int] = field(default_factory=dict)
    """Revision of the last change of tasks or schedules, by workspace: they are read anew then."""

    def task_mark(self, workspace: str) -> int:
        """Return what changes whenever a workspace's tasks and schedules have to be read anew."""
        return self.task_marks.get(workspace, self.began_at)

    def snapshot_mark(self, key: BundleKey | None) -> int:
        """Return what changes whenever a bundle's startup snapshot has to be read anew."""
        return self.began_at if key is None else self.snapshot_marks.get(key, self.began_at)

    @property
    def has_seen_engine(self) -> bool:
        """Whether any snapshot has arrived yet."""
        return self.daemon is not None


def apply(state: ScreenState, event: EngineEvent) -> ScreenState:
    """Return the state after one event."""
    return fold(state, (event,))


def fold(state: ScreenState, events: Iterable[EngineEvent]) -> ScreenState:
    """Return the state after `events`, in order."""
    draft = _Draft(state)
    for event in events:
        if isinstance(event, Snapshot):
            draft = _Draft(_from_snapshot(event, draft.link))
        else:
            draft.take(event)
    return draft.finish()


def _from_snapshot(snapshot: Snapshot, link: Link) -> ScreenState:
    engine: EngineState = snapshot.state
    phase = LinkPhase.CLOSING if link.phase is LinkPhase.CLOSING else LinkPhase.LIVE
    return ScreenState(
        link=Link(phase, link.reason if phase is LinkPhase.CLOSING else ""),
        revision=snapshot.revision,
        daemon=engine.daemon,
        workspaces={view.id: view for view in engine.workspaces},
        bundles={(view.workspace, view.name): view for view in engine.bundles},
        runs={run.id: run for run in reversed(engine.runs)},
        transitions=engine.transitions[:TRANSITION_LIMIT],
        began_at=snapshot.revision,
    )


class _Draft:
    """A state under construction: indexes are copied the first time one of them changes."""

    def __init__(self, base: ScreenState) -> None:
        self._base = base
        self.link = base.link
        self._revision = base.revision
        self._daemon = base.daemon
        self._workspaces: dict[str, WorkspaceView] | None = None
        self._bundles: dict[BundleKey, BundleView] | None = None
        self._runs: dict[str, RunView] | None = None
        self._marks: dict[BundleKey, int] | None = None
        self._task_marks: dict[str, int] | None = None
        self._newer: list[Transition] = []

    def take(self, change: Change) -> None:
        self._revision = change.revision
        self._take_body(change.body)

    def _take_body(self, body: ChangeBody) -> None:
        match body:
            case BundleChanged(bundle):
                self._bundle_index()[bundle.workspace, bundle.name] = bundle
            case FiguresChanged(measures):
                self._measure(measures)
            case RunChanged(run):
                self._run_index()[run.id] = run
            case Transitioned(transition):
                self._newer.append(transition)
            case SnapshotChanged(workspace, name):
                self._mark_index()[workspace, name] = self._revision
            case TasksChanged(workspace):
                self._task_mark_index()[workspace] = self._revision
            case BundleRemoved(workspace, name):
                self._bundle_index().pop((workspace, name), None)
                self._mark_index().pop((workspace, name), None)
            case WorkspaceChanged(workspace_view):
                self._workspace_index()[workspace_view.id] = workspace_view
            case WorkspaceRemoved(workspace_id):
                self._remove_workspace(workspace_id)
            case DaemonChanged(daemon):
                self._daemon = daemon
            case Closing(reason):
                self.link = Link(LinkPhase.CLOSING, reason)

    def _measure(self, measures: tuple[BundleMeasure, ...]) -> None:
        index = self._bundle_index()
        for measure in measures:
            key = (measure.workspace, measure.name)
            if bundle := index.get(key):
                index[key] = replace(bundle, figures=measure.figures, calls=measure.calls)

    def _remove_workspace(self, workspace: str) -> None:
        self._workspace_index().pop(workspace, None)
        bundles = self._bundle_index()
        for key in [key for key in bundles if key[0] == workspace]:
            del bundles[key]
        self._task_mark_index().pop(workspace, None)
        marks = self._mark_index()
        for key in [key for key in marks if key[0] == workspace]:
            del marks[key]
        runs = self._run_index()
        for run in [run for run in runs.values() if run.workspace == workspace]:
            del runs[run.id]

    def _workspace_index(self) -> dict[str, WorkspaceView]:
        if self._workspaces is None:
            self._workspaces = dict(self._base.workspaces)
        return self._workspaces

    def _bundle_index(self) -> dict[BundleKey, BundleView]:
        if self._bundles is None:
            self._bundles = dict(self._base.bundles)
        return self._bundles

    def _run_index(self) -> dict[str, RunView]:
        if self._runs is None:
            self._runs = dict(self._base.runs)
        return self._runs

    def _mark_index(self) -> dict[BundleKey, int]:
        if self._marks is None:
            self._marks = dict(self._base.snapshot_marks)
        return self._marks

    def _task_mark_index(self) -> dict[str, int]:
        if self._task_marks is None:
            self._task_marks = dict(self._base.task_marks)
        return self._task_marks

    def finish(self) -> ScreenState:
        base = self._base
        if self._runs is not None and len(self._runs) > RUN_LIMIT:
            _forget_oldest(self._runs)
        transitions = base.transitions
        if self._newer:
            transitions = (*reversed(self._newer), *transitions)[:TRANSITION_LIMIT]
        return ScreenState(
            link=self.link,
            revision=self._revision,
            daemon=self._daemon,
            workspaces=base.workspaces if self._workspaces is None else self._workspaces,
            bundles=base.bundles if self._bundles is None else self._bundles,
            runs=base.runs if self._runs is None else self._runs,
            transitions=transitions,
            began_at=base.began_at,
            snapshot_marks=base.snapshot_marks if self._marks is None else self._marks,
            task_marks=base.task_marks if self._task_marks is None else self._task_marks,
        )


def _forget_oldest(runs: dict[str, RunView]) -> None:
    surplus = len(runs) - RUN_LIMIT
    settled = [run.id for run in runs.values() if not run.status.is_active]
    for run_id in settled[:surplus]:
        del runs[run_id]


def with_link(state: ScreenState, link: Link) -> ScreenState:
    """Return the state with another connection; everything known stays."""
    return replace(state, link=link)
