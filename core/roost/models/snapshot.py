"""Startup snapshots as clients see them: eligibility, state, what is in doubt, what they gain."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from roost.models.definition import SnapshotBackend, SnapshotPolicy
from roost.models.slot import Reason

__all__ = [
    "GuardAction",
    "GuardFinding",
    "SnapshotBackend",
    "SnapshotDetail",
    "SnapshotPart",
    "SnapshotPhase",
    "SnapshotPolicy",
    "SnapshotState",
    "SnapshotView",
    "StartTimes",
]


class SnapshotState(StrEnum):
    """State of a bundle's snapshot."""

    BUILDING = "building"
    READY = "ready"
    STALE = "stale"
    """Something it was made from has changed; starts are cold until it is built again."""
    REFUSED = "refused"
    """A guard found what must not be in a snapshot."""
    FAILED = "failed"
    """The build broke off, or a restored start failed where a cold one worked."""


class SnapshotPhase(StrEnum):
    """Phases of a build, in order."""

    TRACE = "trace"
    VERDICTS = "verdicts"
    TEMPLATE = "template"
    VERIFY = "verify"
    PUBLISH = "publish"


class GuardAction(StrEnum):
    """What a guard did about what it found."""

    REFUSE = "refuse"
    EXCLUDE = "exclude"
    """The module, and what imports it, is loaded at each start instead."""
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class GuardFinding:
    """What a guard found while a snapshot was made."""

    guard: str
    """Stable name of the guard, such as ``environ_copy``."""
    action: GuardAction
    sentence: str
    """What was found, where, and the way out."""
    module: str | None = None
    importers: tuple[str, ...] = ()
    """What is excluded with it, because it imports it."""


@dataclass(frozen=True, slots=True)
class StartTimes:
    """Milliseconds from spawn to readiness of the newest starts of one mode."""

    count: int
    p50_ms: int | None = None
    p95_ms: int | None = None


@dataclass(frozen=True, slots=True)
class SnapshotView:
    """A bundle's snapshot as one row. Times are epoch milliseconds."""

    workspace: str
    name: str
    policy: SnapshotPolicy
    is_eligible: bool
    """Whether a backend can make one of this bundle."""
    backend: SnapshotBackend | None = None
    state: SnapshotState | None = None
    """None while none was ever built."""
    phase: SnapshotPhase | None = None
    """Of the build under way, or the one in which it broke off."""
    reason: Reason | None = None
    """Why it is not eligible, refused, stale, failed or suspect, and the way out."""
    is_warm: bool = False
    """Whether its template lives, so that a start takes milliseconds."""
    built_at: int | None = None
    build_ms: int | None = None
    modules: int = 0
    """Loaded before the start."""
    excluded: int = 0
    """Left to each start by a guard."""
    cold: StartTimes = StartTimes(0)
    restored: StartTimes = StartTimes(0)
    template_bytes: int | None = None
    """Memory of the living template, with its share of what the restored processes use."""


@dataclass(frozen=True, slots=True)
class SnapshotPart:
    """One of the things a snapshot was made from: another value makes it stale."""

    what: str
    """Such as ``interpreter``, ``sources``, ``packages``, ``environment``."""
    sentence: str
    """What was looked at, and how much of it."""


@dataclass(frozen=True, slots=True)
class SnapshotDetail:
    """Everything about a bundle's snapshot that its own page shows."""

    view: SnapshotView
    entry: str = ""
    """What is started from it: ``script /x/app.py``, ``module mcp_server_git``."""
    interpreter: str = ""
    key: str = ""
    """Digest of everything it was made from, as hex."""
    parts: tuple[SnapshotPart, ...] = ()
    findings: tuple[GuardFinding, ...] = ()
    excluded: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    """Names of variables that were read while it was loaded: another value means a cold start."""
    allowed: tuple[str, ...] = ()
    """Modules that may copy the whole environment, as the bundle is set."""
    phases_ms: tuple[tuple[SnapshotPhase, int], ...] = ()
    """How long each phase of the last build took."""
