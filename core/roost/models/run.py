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


class StopPhase(StrEnum):
    """How far the stop of a run has come; it ends only when its end was seen."""

    ASKED = "asked"
    """The work was asked to stop: by the protocol's cancellation, or by a sign in the SDK."""
    IGNORED = "ignored"
    """The server of a tool call works on although that was cancelled."""
    TERMINATING = "terminating"
    """TERM was sent to the whole process group of a command."""
    KILLING = "killing"
    """KILL was sent."""


@dataclass(frozen=True, slots=True)
class RunError:
    """Why a run failed or was aborted."""

    code: str
    """``tool_error``, ``restarting``, ``lost``, ``timed_out``, ``stopped``, ``daemon_gone`` or
    another one that docs/errors.md tells."""
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
    parent: str | None = None
    """Run that began this one; a stop of it stops this one too."""
    link: str | None = None
    """Where the output of the work lies, as whoever does it says."""
    stop_phase: StopPhase | None = None
    lease_until: int | None = None
    """When the lease of outside work runs out; None while the daemon itself does the work."""
    task: str | None = None
    """Name of the task that it is a run of."""
    available_at: int | None = None
    """When a waiting run of a task may be claimed."""
    waits: str | None = None
    """Why a run of a task is pending: ``worker``, ``slot``, ``retry`` or ``user``."""


class RunEventKind(StrEnum):
    """Kinds of a run's events."""

    STATUS = "status"
    STEP = "step"
    OUTPUT = "output"
    EMIT = "emit"
    """An event of a task's own making: `name` is its name, `message` its data as JSON."""
    RELOAD = "reload"
    """Not stored: events behind the number asked for are not kept any more, so the viewer has to
    read the run anew; `seq` is the newest number that is not kept, and the stream goes on behind
    it."""


@dataclass(frozen=True, slots=True)
class RunEvent:
    """One stored event of a run; `seq` starts at 1 and has no gaps."""

    run_id: str
    seq: int
    at: int
    kind: RunEventKind
    message: str
    current: float | None = None
    """Of output of a command, its stream: 2 is stderr, 0 is Roost's own word, else it is stdout."""
    total: float | None = None
    """Of output of a command 0 where its line goes on in a later event; a message of output holds
    one line or several whole ones, without the last line feed."""
    name: str | None = None
    """Of an event that a task emitted."""


@dataclass(frozen=True, slots=True)
class RunDetail:
    """A run with its input, result and events."""

    run: RunView
    input: Any = None
    result: Any = None
    is_truncated: bool = False
    """Whether the result was cut to the size that is kept."""
    events: tuple[RunEvent, ...] = ()
    events_dropped: int = 0
    """How many of its oldest events are not kept any more."""


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
    kinds: tuple[RunKind, ...] = ()
    since: int | None = None
    """Only runs begun at or after this time, in epoch milliseconds."""
    parent: str | None = None
    """Only runs that this run has begun."""


@dataclass(frozen=True, slots=True)
class StopOutcome:
    """What a stop did. `stopped` is false when the run had settled before; nothing changed then."""

    stopped: bool
    run: RunView
    sentence: str
    respawn: str | None = None
    """Name of the bundle whose respawn would end work that ignores the stop."""
    would_cut: tuple[str, ...] = ()
    """Ids of the other runs that this respawn would cut."""


@dataclass(frozen=True, slots=True)
class ExecRequest:
    """A command to run as a run."""

    command: tuple[str, ...]
    """Argument vector; secrets belong into `env`."""
    env: dict[str, str] = field(default_factory=dict, repr=False)
    """Variables besides the allow-list. Their values are taken out of output and never kept."""
    directory: str | None = None
    """Absolute working directory; None means the workspace's own."""
    title: str | None = None
    scope: str | None = None
    idempotency_key: str | None = None
    parent: str | None = None
    time_limit_s: float | None = None
    """After this many seconds it is stopped and ends `failed` with code `timed_out`."""
    stop_grace_s: float = 5.0
    """Seconds between TERM and KILL."""
    stop_when_unwatched: bool = False
    """Whether it is stopped once its last viewer has left."""


@dataclass(frozen=True, slots=True)
class BeginRequest:
    """Outside work to begin: any program reports it by the SDK or over HTTP."""

    title: str
    input: Any = None
    scope: str | None = None
    on_behalf_of: str | None = None
    idempotency_key: str | None = None
    parent: str | None = None
    bundle: str | None = None
    lease_s: float = 60.0
    """How long the lease holds without a heartbeat, step or event; 5 s to a day."""


@dataclass(frozen=True, slots=True)
class RunLease:
    """The right to report for a run. Whoever reports with an older epoch is refused."""

    run: RunView
    epoch: int
    until: int
    """When it runs out, in epoch milliseconds; every report renews it."""
    stop_requested: bool
    """Whether somebody asked for a stop: the work should end and say so."""
    is_new: bool = True
    """False when the idempotency key had begun the run before."""


@dataclass(frozen=True, slots=True)
class RunReport:
    """What outside work reports, in one write: any of it may be absent."""

    epoch: int
    steps: tuple[RunProgress, ...] = ()
    output: str | None = None
    link: str | None = None


@dataclass(frozen=True, slots=True)
class FinishRequest:
    """The end of outside work."""

    epoch: int
    status: RunStatus
    """``succeeded``, ``failed`` or ``aborted``."""
    result: Any = None
    error: RunError | None = None
    link: str | None = None


class SupersedeState(StrEnum):
    """What replacing the active run of a scope found."""

    READY = "ready"
    """The active run was stopped and has settled: the scope is free."""
    IDLE = "idle"
    """Nothing was active."""
    OTHER_ACTIVE = "other_active"
    """Another run is active than the one that was to be replaced; nothing was stopped."""
    NOT_SETTLING = "not_settling"
    """The run was asked to stop and has not settled in time; nothing was started."""


@dataclass(frozen=True, slots=True)
class SupersedeOutcome:
    """What replacing the active run of a scope came to."""

    state: SupersedeState
    sentence: str
    active: RunView | None = None
    """The run that was or is active."""
