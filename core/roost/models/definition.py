"""What a bundle is: where it came from, how it is started and what it asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class BundleKind(StrEnum):
    """How a bundle is talked to, which decides its readiness and liveness."""

    MCP_STDIO = "mcp"
    MCP_HTTP = "mcp-http"
    WEB = "web"
    COMMAND = "command"
    WORKER = "worker"
    """Does runs of durable tasks; ready once it has told which."""


class Runtime(StrEnum):
    """What executes a bundle."""

    PYTHON = "py"
    NODE = "node"
    UV = "uv"
    BINARY = "bin"
    ELSEWHERE = "elsewhere"
    """Nothing of this machine: a server at a URL."""


class SourceKind(StrEnum):
    """Where a definition was read from."""

    MCPB = "mcpb"
    MCP_SERVERS = "mcp-servers"
    COMMAND = "command"
    PYPI = "pypi"
    NPM = "npm"
    URL = "url"
    """A server over HTTP that runs somewhere else."""
    APP = "app"
    WORKER = "worker"
    """A Python module that registers tasks: `entry` in the directory `path`."""


class FieldType(StrEnum):
    """Types of a configuration field, as MCPB names them."""

    STRING = "string"
    NUMBER = "number"
    BOOLEAN = "boolean"
    FILE = "file"
    DIRECTORY = "directory"


FieldValue = str | float | bool | list[str]
"""A configured value; a field marked `multiple` holds a list."""


class RestartPolicy(StrEnum):
    """When an ended process is started again."""

    ALWAYS = "always"
    ON_FAILURE = "on_failure"
    NEVER = "never"


class RespawnStrategy(StrEnum):
    """How the next generation takes the place of the running one."""

    REPLACE = "replace"
    """Stop the old process, then start the new one: never two at a time."""
    HANDOVER = "handover"
    """Start and verify the new one beside the old, move the calls over, drain, stop the old."""


class KeepArguments(StrEnum):
    """How much of a tool call's arguments is kept in its run; the tool always gets all of them.

    Fields that a tool marks as secret and fields with a name such as ``password`` are never kept.
    """

    ALL = "all"
    NAMES = "names"
    """Only how the arguments are called."""
    NONE = "none"


class SnapshotBackend(StrEnum):
    """How a snapshot starts a bundle."""

    ZYGOTE = "zygote"
    """A Python template with everything loaded, which forks for every start."""
    CODE_CACHE = "v8cache"
    """A bundled Node script with the code that V8 compiled for it."""
    HEAP = "v8snap"
    """A Node startup snapshot of V8."""
    STANDBY = "standby"
    """One loaded process that waits for its environment and arguments."""


class SnapshotPolicy(StrEnum):
    """Whether a start uses the bundle's snapshot."""

    AUTO = "auto"
    """When a valid one is there; else the start is cold."""
    REQUIRE = "require"
    """Always: a start without a valid one fails."""
    OFF = "off"


@dataclass(frozen=True, slots=True)
class ResourceLimits:
    """Limits of each process of a bundle (setrlimit); None leaves the daemon's own."""

    open_files: int | None = None
    memory_bytes: int | None = None
    """Address space."""
    processes: int | None = None
    """Processes of the daemon's user, as the kernel counts them."""
    core_bytes: int | None = None
    """Size of a core dump, which would hold credentials."""


@dataclass(frozen=True, slots=True)
class ConfigField:
    """One field of a bundle's configuration form (MCPB's `user_config`)."""

    key: str
    type: FieldType
    title: str
    description: str = ""
    required: bool = False
    default: FieldValue | None = None
    sensitive: bool = False
    multiple: bool = False
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True, slots=True)
class BundleSettings:
    """What an operator may set per bundle; durations are in seconds."""

    restart: RestartPolicy = RestartPolicy.ALWAYS
    start_budget_s: float = 30.0
    """Time from spawn to readiness."""
    settle_s: float = 1.0
    """How long a plain command must live to count as ready."""
    stop_grace_s: float = 5.0
    """Time between TERM and KILL."""
    drain_s: float = 10.0
    """How long calls in flight may go on when their process is replaced."""
    call_idle_s: float = 60.0
    """A tool call without progress for this long ends as timed out."""
    call_cap_s: float = 3600.0
    """A tool call never lasts longer, whatever progress it reports."""
    max_calls: int = 0
    """Tool calls under way at a time; those beyond it wait in their order. 0 means no limit."""
    keep_arguments: KeepArguments = KeepArguments.ALL
    protected: bool = False
    strategy: RespawnStrategy = RespawnStrategy.REPLACE
    probe_interval_s: float = 10.0
    """Time between two liveness probes of a running process; 0 means never."""
    probe_misses: int = 3
    """Probes missed in a row after which the process is ended and replaced."""
    limits: ResourceLimits = ResourceLimits()
    snapshot: SnapshotPolicy = SnapshotPolicy.AUTO
    snapshot_rebuild: bool = False
    """Whether a stale snapshot is built again by itself: that starts the bundle once more, beside
    what runs of it."""
    snapshot_how: SnapshotBackend | None = None
    """What makes the snapshot; None leaves that to what the bundle starts."""
    snapshot_allow: tuple[str, ...] = ()
    """Python modules that may copy the whole environment while a snapshot is loaded, sorted. Any
    other environment than in the build makes a start cold then."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a definition came from."""

    kind: SourceKind
    origin: str
    """Path, requirement or command line it was read from; never a secret."""
    sha256: str | None = None
    content_sha256: str | None = None
    """Of a signed archive without its signature block, as hex."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A bundle as installed: everything a start needs except the credentials.

    `command`, `args` and `env` are templates: `${__dirname}`, `${HOME}`, `${pathSeparator}`,
    `${/}`, `${user_config.KEY}` and, for prepared bundles, `${prepared}` are substituted at each
    start.
    """

    kind: BundleKind
    runtime: Runtime
    title: str
    version: str
    command: str
    source: Source
    args: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    description: str = ""
    fields: tuple[ConfigField, ...] = ()
    root: str | None = None
    """Read-only directory of the unpacked version, when there is one."""
    url: str | None = None
    """Where an MCP server over HTTP answers; a template. Without a command it runs elsewhere."""
    headers: dict[str, str] = field(default_factory=dict)
    """Headers of every request to `url`; templates, in which sensitive fields may stand."""
    directory: str | None = None
    """Absolute working directory; None means `root`, or else the bundle's own state directory."""
    requirements: tuple[str, ...] = ()
    """Packages installed into a private place by the prepare step: from npm where the runtime is
    Node, else from PyPI."""
    is_project: bool = False
    """Whether `root` is a Python project whose environment the prepare step makes."""
    secret_arguments: bool = False
    """Whether the operator allowed sensitive fields in its command line, where every user of the
    machine can read them."""
    python: str | None = None
    """Interpreter minor of the prepared environment, such as ``3.12``; None means Roost's own."""
    ready_path: str = "/"
    """Path that answers 2xx once a web bundle is ready."""
    port: int | None = None
    """Fixed port of a web bundle; None means a free one for every generation."""
    after: tuple[str, ...] = ()
    """Bundles of the workspace whose readiness its start waits for."""
    settings: BundleSettings = field(default_factory=BundleSettings)

    @property
    def is_elsewhere(self) -> bool:
        """Whether it is a server that runs somewhere else, so that Roost has no process of it."""
        return self.url is not None and not self.command


@dataclass(frozen=True, slots=True)
class InstallRequest:
    """What a client asks to install; which fields count depends on `source`."""

    source: SourceKind
    name: str | None = None
    """Name of the bundle; None derives one from what is installed."""
    path: str | None = None
    """MCPB archive or folder, app directory, or an MCP client's configuration: an absolute path."""
    sha256: str | None = None
    """What the archive or folder must hash to, as hex; None takes what is there."""
    entry: str | None = None
    """Name of the server inside the client's configuration."""
    command: tuple[str, ...] = ()
    """Argument vector of a command, or the arguments of a PyPI server."""
    env: dict[str, str] = field(default_factory=dict)
    """Environment of a command. Each value is kept as a credential field."""
    kind: BundleKind = BundleKind.COMMAND
    url: str | None = None
    """Where an MCP server over HTTP answers; with a command, a template with ``${port}``."""
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    """Headers of every request to `url`. Each value is kept as a credential field."""
    directory: str | None = None
    """Absolute working directory of a command."""
    requirement: str | None = None
    """Package: ``NAME==VERSION`` of PyPI or ``NAME@VERSION`` of npm; without a version the newest
    one is looked up and pinned."""
    script: str | None = None
    """Program of the requirement; None means its only one, or the one of its name."""
    resolve: bool = False
    """Whether a command that fetches a package at each start (npx, uvx) is replaced by an
    installed, pinned copy."""
    secret_arguments: bool = False
    """Whether sensitive fields may stand in the command line of this bundle."""
    python: str | None = None
    """Interpreter of an app, by name or absolute path; None means Roost's own."""
    port: int | None = None
    """Fixed port of a web bundle; None and 0 mean a free one for every generation."""
    ready_path: str | None = None
    """Path that answers 2xx once a web bundle is ready; None means ``/``."""
    settings: BundleSettings = field(default_factory=BundleSettings)
    after: tuple[str, ...] = ()
    """Bundles of the workspace whose readiness its start waits for."""
    start: bool = True
