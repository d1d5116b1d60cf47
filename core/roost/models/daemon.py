"""The daemon and its workspaces as clients see them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WorkspaceView:
    """A workspace: an immutable id and an editable label."""

    id: str
    label: str
    created_at: int


@dataclass(frozen=True, slots=True)
class DaemonView:
    """The daemon that owns the data directory. Times are epoch milliseconds."""

    start_id: str
    """Unique per daemon start; the first half of every event id."""
    version: str
    pid: int
    data_dir: str
    started_at: int
    orphans: int = 0
    """Processes of this data directory that could not be ended."""
    viewers: int = 0
    cpu_percent: float = 0.0
    rss_bytes: int = 0
    is_stopping: bool = False
    waiting_for: tuple[str, ...] = ()
    """What a shutdown still waits for."""
    stop_deadline_at: int | None = None
    """When a shutdown that has not ended by then is forced; None while it is not stopping."""
