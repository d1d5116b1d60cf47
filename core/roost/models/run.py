"""Runs: durable records of work."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class RunStatus(StrEnum):
    """Status of a run; the last three are terminal and never change."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ABORTED = "aborted"

    @property
    def is_active(self) -> bool:
        """Whether the run still occupies its scope."""
        return self in (RunStatus.PENDING, RunStatus.RUNNING)


class RunKind(StrEnum):
    """What kind of work a run records."""

    TOOL_CALL = "tool_call"
    COMMAND = "command"
    TASK = "task"
    EXTERNAL = "external"


class RunTrigger(StrEnum):
    """What began a run."""

    USER = "user"
    SCHEDULE = "schedule"
    API = "api"


@dataclass(frozen=True, slots=True)
class RunError:
    """Why a run failed or was aborted."""

    code: str
    """``tool_error``, ``restarting``, ``lost``, ``timed_out``, ``stopped``, ``daemon_gone``."""
    sentence: str


@dataclass(frozen=True, slots=True)
class RunProgress:
    """The last progress a run reported."""

    current: float
    total: float | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class RunView:
    """A run as one row. Times are epoch milliseconds."""

    id: str
    workspace: str
    kind: RunKind
    status: RunStatus
    title: str
    """What it does, such as ``filesystem.search_files``."""
    created_at: int
    bundle: str | None = None
    tool: str | None = None
    trigger: RunTrigger = RunTrigger.USER
    scope: str | None = None
    step_count: int = 0
    progress: RunProgress | None = None
    started_at: int | None = None
    finished_at: int | None = None
    last_progress_at: int | None = None
    stop_requested_at: int | None = None
    stop_requested_by: str | None = None
    error: RunError | None = None
    attempt: int = 1
    generation: int | None = None
    """Generation of the bundle that does the work."""
    created_by: str = ""
    on_behalf_of: str | None = None
    idempotency_key: str | None = None
    last_seq: int = 0
    """Sequence number of the newest event."""


class RunEventKind(StrEnum):
    """Kinds of a run's events."""

    STATUS = "status"
    STEP = "step"
    OUTPUT = "output"


@dataclass(frozen=True, slots=True)
class RunEvent:
    """One stored event of a run; `seq` starts at 1 and has no gaps."""

    run_id: str
    seq: int
    at: int
    kind: RunEventKind
    message: str
    current: float | None = None
    total: float | None = None


@dataclass(frozen=True, slots=True)
class RunDetail:
    """A run with its input, result and events."""

    run: RunView
    input: Any = None
    result: Any = None
    is_truncated: bool = False
    """Whether the result was cut to the size that is kept."""
    events: tuple[RunEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolView:
    """A tool an MCP bundle offers."""

    name: str
    title: str = ""
    description: str = ""
    input_schema: dict[str, Any] = field(default_factory=dict)
    is_read_only: bool = False
    is_destructive: bool = False


@dataclass(frozen=True, slots=True)
class CallRequest:
    """A tool call to begin. Time-outs are in seconds; None takes the bundle's settings."""

    tool: str
    arguments: dict[str, Any] = field(default_factory=dict)
    scope: str | None = None
    idempotency_key: str | None = None
    idle_timeout_s: float | None = None
    cap_s: float | None = None


@dataclass(frozen=True, slots=True)
class RunQuery:
    """Which runs to list, newest first."""

    workspace: str | None = None
    bundle: str | None = None
    scope: str | None = None
    statuses: tuple[RunStatus, ...] = ()
    limit: int = 100
    before: str | None = None
    """Only runs older than the run with this id."""


@dataclass(frozen=True, slots=True)
class StopOutcome:
    """What a stop did. `stopped` is false when the run had settled before; nothing changed then."""

    stopped: bool
    run: RunView
    sentence: str
