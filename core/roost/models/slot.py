"""A bundle's slot as clients see it: state, generations, figures, transitions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from roost.models.definition import BundleKind, Definition, Runtime


class SlotState(StrEnum):
    """State of a slot; the allowed moves are one table in `roost.supervision.states`."""

    NEEDS_CREDENTIALS = "needs_credentials"
    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    BACKING_OFF = "backing_off"
    DEAD = "dead"


class StartStep(StrEnum):
    """Steps of a start, in order; a failed one is kept."""

    PREPARE = "prepare"
    RENDER = "render"
    CREDENTIALS = "credentials"
    STOP_OLD = "stop_old"
    SPAWN = "spawn"
    HANDSHAKE = "handshake"
    READINESS = "readiness"


class StartMode(StrEnum):
    """How a generation came to be."""

    COLD = "cold"
    ZYGOTE = "zygote"
    CODE_CACHE = "v8cache"
    HEAP = "v8snap"
    STANDBY = "standby"

    @property
    def is_snapshot(self) -> bool:
        """Whether it came from a snapshot."""
        return self is not StartMode.COLD


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something is as it is: a stable code and a sentence that names the next step."""

    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class GenerationView:
    """One process incarnation. Times are epoch milliseconds."""

    id: str
    number: int
    version: str
    config_hash: str
    credential_revision: int
    start_mode: StartMode
    spawned_at: int
    pid: int | None = None
    """A display field only; processes are addressed by their driver's handle."""
    ready_at: int | None = None
    ready_ms: int | None = None
    """Milliseconds from spawn to readiness."""
    ended_at: int | None = None
    exit: str | None = None
    """How it ended, in words: ``exit 1``, ``SIGKILL``."""


@dataclass(frozen=True, slots=True)
class CrashRecord:
    """What is known of a process that ended without being asked to."""

    at: int
    generation: int
    exit: str
    step: StartStep | None
    stderr_tail: tuple[str, ...]
    not_live: str = ""
    """Which liveness probes it missed, when Roost ended it for that."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Resource use of a bundle's process tree."""

    cpu_percent: float
    rss_bytes: int
    processes: int
    threads: int = 0
    descriptors: int | None = None
    """Open files of the whole tree; None where the system does not tell."""


@dataclass(frozen=True, slots=True)
class CallFigures:
    """Tool calls of the last minutes."""

    per_minute: int
    p95_ms: int | None


@dataclass(frozen=True, slots=True)
class BundleView:
    """A bundle as one row: everything a table or a header needs. Times are epoch milliseconds."""

    workspace: str
    name: str
    title: str
    kind: BundleKind
    runtime: Runtime
    version: str
    state: SlotState
    since: int
    """When the state was entered."""
    should_run: bool
    """Whether the operator wants it up; a deliberate stop clears it."""
    step: StartStep | None = None
    """Step under way while starting; the failed step afterwards."""
    reason: Reason | None = None
    stale: tuple[str, ...] = ()
    """What the running generation lags behind in: credentials, configuration, version, or a
    respawn that was asked for and failed."""
    generation: GenerationView | None = None
    """The running generation, or the last one."""
    candidate: GenerationView | None = None
    """The generation that a handover verifies beside the running one."""
    waits_for: tuple[str, ...] = ()
    """Bundles of the same workspace whose readiness its start waits for."""
    retry_at: int | None = None
    """When a backing-off slot is tried again."""
    parked: bool = False
    failures: int = 0
    protected: bool = False
    restart_pending: bool = False
    missing_fields: tuple[str, ...] = ()
    field_count: int = 0
    credential_revision: int = 0
    active_runs: int = 0
    tool_count: int | None = None
    era: str | None = None
    """Negotiated MCP protocol version."""
    address: str | None = None
    """URL of a running web bundle, such as ``http://127.0.0.1:8080``."""
    figures: Figures | None = None
    calls: CallFigures | None = None
    crash: CrashRecord | None = None


@dataclass(frozen=True, slots=True)
class Transition:
    """One move of a slot: from where to where, who caused it and why."""

    workspace: str
    bundle: str
    at: int
    before: SlotState
    after: SlotState
    cause: str
    """``operator``, ``credentials``, ``crash``, ``boot``, ``backoff``, ``shutdown``."""
    actor: str
    step: StartStep | None = None
    generation: int | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class BundleDetail:
    """Everything about one bundle that its own screen shows."""

    view: BundleView
    definition: Definition
    argv: tuple[str, ...]
    """Argument vector of the last start; sensitive fields never stand in it."""
    env_names: tuple[str, ...]
    generations: tuple[GenerationView, ...]
    """Newest first."""
    transitions: tuple[Transition, ...]
    """Newest first."""


@dataclass(frozen=True, slots=True)
class RespawnResult:
    """How a respawn ended: a value, never an exception, for missing and protected bundles too."""

    ok: bool
    workspace: str
    bundle: str
    sentence: str
    """What happened and what to do next, for people."""
    code: str = "ok"
    generation: int | None = None
    step: StartStep | None = None
    """The step that failed."""
    duration_ms: int | None = None


@dataclass(frozen=True, slots=True)
class ActionResult:
    """How a start, stop or removal ended."""

    ok: bool
    sentence: str
    code: str = "ok"


@dataclass(frozen=True, slots=True)
class Impact:
    """What an interrupting action on a bundle would cut, computed before it is confirmed."""

    run_ids: tuple[str, ...]
    is_known: bool
    """False where what is in flight cannot be seen, as in web apps and plain commands."""
    protected: bool
    sentence: str
    """Such as ``cuts 2 runs``; empty when nothing is in flight."""
    clients: int = 0
    """Connections to a web bundle's port at this moment."""
    dependents: tuple[str, ...] = ()
    """Running bundles of the workspace that are started after this one."""
