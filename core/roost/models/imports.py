"""Importing the servers that MCP clients of this machine are configured with.

Secrets never stand in any of this: a plan holds the names of what goes to the vault, and the
files are read again when it is carried out.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from roost.models.definition import BundleKind, FieldValue
from roost.models.install_plan import PinnedCopy, PlanNote


@dataclass(frozen=True, slots=True)
class ImportScan:
    """Where to look. The clients' own files of the daemon's user are always looked at."""

    directories: tuple[str, ...] = ()
    """Absolute paths of projects, whose `.mcp.json` and the like are read."""
    files: tuple[str, ...] = ()
    """Absolute paths of further configuration files; their client is told by their shape."""
    only_given: bool = False
    """Whether the clients' own files are left out."""


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """A configuration that was found."""

    client: str
    """``Claude Desktop``, ``Claude Code``, ``VS Code``, ``Cursor``, …"""
    path: str
    sha256: str
    servers: int
    problem: str = ""
    """Why it could not be read; empty when it could."""


@dataclass(frozen=True, slots=True)
class ImportQuestion:
    """A value that the client asks its user for, or takes from where Roost cannot see it."""

    key: str
    """Field of the bundle that the answer is kept in."""
    title: str
    is_sensitive: bool
    is_required: bool = True
    default: str | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportEntry:
    """One server of one configuration, as it would be imported."""

    id: str
    """Changes with the path, the entry's name and its content, so that a choice of it means what
    was reviewed."""
    client: str
    path: str
    entry: str
    """Its name in the file."""
    name: str
    """Proposed bundle name: free, and unlike those of the other entries."""
    kind: BundleKind
    project: str | None = None
    """Directory of the project that the configuration belongs to."""
    argv: tuple[str, ...] = ()
    """What would run; secrets stand as the names of their fields."""
    url: str | None = None
    """Where a server over HTTP answers; secrets stand as the names of their fields."""
    env_names: tuple[str, ...] = ()
    header_names: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    """Fields whose literal values go to the vault."""
    secret_arguments: tuple[str, ...] = ()
    """Fields among them that stand in the command line, which the operator has to allow."""
    questions: tuple[ImportQuestion, ...] = ()
    notes: tuple[PlanNote, ...] = ()
    copy: PinnedCopy | None = None
    duplicate_of: str | None = None
    """Id of the entry before it that starts the same program with the same values."""
    installed_as: str | None = None
    """Name of a bundle of the workspace that is the same server already."""
    is_disabled: bool = False
    """Whether its client has it switched off."""
    is_from_repository: bool = False
    """Whether anybody who writes to the project can change what it runs."""
    problem: str = ""
    """Why it cannot be imported; empty when it can."""


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """What was found. Nothing was written or run for it."""

    files: tuple[ImportedFile, ...]
    entries: tuple[ImportEntry, ...]


@dataclass(frozen=True, slots=True)
class ImportChoice:
    """One entry to import."""

    id: str
    name: str | None = None
    """Bundle name; None takes the proposed one."""
    answers: dict[str, FieldValue] = field(default_factory=dict, repr=False)
    """Values of the questions, by key."""
    resolve: bool = False
    """Whether a pinned copy replaces a command that fetches its package each time."""
    secret_arguments: bool = False


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """A reviewed plan to carry out."""

    scan: ImportScan
    """The same as of the plan."""
    choices: tuple[ImportChoice, ...]
    start: bool = False


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What became of one choice."""

    id: str
    ok: bool
    sentence: str
    bundle: str | None = None
    """Name of the bundle that was made."""


@dataclass(frozen=True, slots=True)
class ImportOutcome:
    """Every choice with its result; one that fails does not hold up the others."""

    results: tuple[ImportResult, ...]
