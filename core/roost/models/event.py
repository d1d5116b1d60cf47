"""The event stream: one snapshot of the state, then every later change with a rising revision."""

from __future__ import annotations

from dataclasses import dataclass

from roost.models.daemon import DaemonView, WorkspaceView
from roost.models.run import RunView
from roost.models.slot import BundleView, CallFigures, Figures, Transition


@dataclass(frozen=True, slots=True)
class EngineState:
    """The state a viewer starts from."""

    daemon: DaemonView
    workspaces: tuple[WorkspaceView, ...] = ()
    bundles: tuple[BundleView, ...] = ()
    runs: tuple[RunView, ...] = ()
    """Active runs and the newest settled ones, newest first."""
    transitions: tuple[Transition, ...] = ()
    """The newest moves of slots, newest first."""


@dataclass(frozen=True, slots=True)
class BundleChanged:
    bundle: BundleView


@dataclass(frozen=True, slots=True)
class BundleRemoved:
    workspace: str
    name: str


@dataclass(frozen=True, slots=True)
class BundleMeasure:
    """Figures of one bundle at one tick."""

    workspace: str
    name: str
    figures: Figures | None
    calls: CallFigures | None


@dataclass(frozen=True, slots=True)
class FiguresChanged:
    """All figures that changed at one tick, in one event."""

    measures: tuple[BundleMeasure, ...]


@dataclass(frozen=True, slots=True)
class Transitioned:
    transition: Transition


@dataclass(frozen=True, slots=True)
class RunChanged:
    run: RunView


@dataclass(frozen=True, slots=True)
class WorkspaceChanged:
    workspace: WorkspaceView


@dataclass(frozen=True, slots=True)
class WorkspaceRemoved:
    id: str


@dataclass(frozen=True, slots=True)
class DaemonChanged:
    daemon: DaemonView


@dataclass(frozen=True, slots=True)
class TasksChanged:
    """Tasks or schedules of a workspace have changed; who shows them reads them anew."""

    workspace: str


@dataclass(frozen=True, slots=True)
class SnapshotChanged:
    """The snapshot of a bundle has changed; who shows it reads it anew."""

    workspace: str
    name: str


@dataclass(frozen=True, slots=True)
class Closing:
    """The daemon is about to end the stream; it is the last event."""

    reason: str


ChangeBody = (
    BundleChanged
    | BundleRemoved
    | FiguresChanged
    | Transitioned
    | RunChanged
    | WorkspaceChanged
    | WorkspaceRemoved
    | DaemonChanged
    | TasksChanged
    | SnapshotChanged
    | Closing
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The first event of every subscription, and again after a reader fell behind."""

    start_id: str
    revision: int
    state: EngineState
    missed: int = 0
    """Changes this reader lost because it fell behind; 0 for one that begins anew."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change; `revision` rises by one per change of the daemon."""

    revision: int
    body: ChangeBody


EngineEvent = Snapshot | Change

CHANGE_BODIES: dict[str, type[ChangeBody]] = {
    "bundle_changed": BundleChanged,
    "bundle_removed": BundleRemoved,
    "figures_changed": FiguresChanged,
    "transitioned": Transitioned,
    "run_changed": RunChanged,
    "workspace_changed": WorkspaceChanged,
    "workspace_removed": WorkspaceRemoved,
    "daemon_changed": DaemonChanged,
    "tasks_changed": TasksChanged,
    "snapshot_changed": SnapshotChanged,
    "closing": Closing,
}
"""Name of each change on the wire (the SSE `event:` field)."""

EVENT_NAMES: dict[type[ChangeBody], str] = {body: name for name, body in CHANGE_BODIES.items()}
