"""Whether a start uses the bundle's snapshot: pure, from its policy and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, auto

from roost.errors import RoostError, SnapshotBusy, SnapshotMissing, SnapshotRefused, SnapshotStale
from roost.models import Reason
from roost.models.snapshot import SnapshotPolicy, SnapshotState

NONE_BUILT = "none_built"
NOT_LOADED = "not_loaded"


class Readiness(StrEnum):
    """How near a template is."""

    WARM = auto()
    """It lives."""
    LOADING = auto()
    """It is not there now, and can be made."""
    GIVEN_UP = auto()
    """It was lost so often that for a while it is made only for starts that need it."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a bundle's snapshot at the moment of a start."""

    bundle: str
    ineligible: Reason | None
    """Why no backend can make one; None when one can."""
    state: SnapshotState | None
    """None while none was ever built."""
    reason: Reason | None
    """Why it is stale, refused or failed."""
    readiness: Readiness = Readiness.LOADING
    trouble: str | None = None
    """Why the template was given up."""


@dataclass(frozen=True, slots=True)
class Restore:
    """The start uses the living template."""


@dataclass(frozen=True, slots=True)
class Load:
    """The start waits for the template and uses it."""


@dataclass(frozen=True, slots=True)
class Cold:
    """The start does without."""

    reason: Reason | None
    """None where nobody asked for a snapshot."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """The start is refused, because it may do nothing else than use a snapshot."""

    error: RoostError


Decision = Restore | Load | Cold | Refuse


def decide(policy: SnapshotPolicy, standing: Standing) -> Decision:
    """Say how a bundle is started."""
    if policy is SnapshotPolicy.OFF:
        return Cold(None)
    is_required = policy is SnapshotPolicy.REQUIRE
    obstacle = _obstacle(standing)
    if obstacle is None:
        return _use(standing, is_required)
    return Refuse(_error(standing, obstacle)) if is_required else Cold(obstacle)


def _obstacle(standing: Standing) -> Reason | None:
    """Return why there is no snapshot that could be used."""
    if standing.ineligible is not None:
        return standing.ineligible
    match standing.state:
        case SnapshotState.READY:
            return None
        case None:
            return standing.reason or Reason(
                NONE_BUILT, f"there is none; `roost snapshot build {standing.bundle}` makes one"
            )
        case SnapshotState.BUILDING:
            return Reason("building", "it is being built")
    return standing.reason or Reason(standing.state, f"it is {standing.state}")


def _use(standing: Standing, is_required: bool) -> Decision:
    if standing.readiness is Readiness.WARM:
        return Restore()
    if is_required:
        return Load()
    if standing.readiness is Readiness.GIVEN_UP:
        why = standing.trouble or "its template ended again and again"
        return Cold(Reason("given_up", why))
    return Cold(Reason(NOT_LOADED, "its template is not loaded; it is being loaded for later"))


def _error(standing: Standing, obstacle: Reason) -> RoostError:
    if standing.ineligible is not None:
        return SnapshotRefused(standing.bundle, obstacle.sentence)
    match standing.state:
        case SnapshotState.BUILDING:
            return SnapshotBusy(standing.bundle)
        case SnapshotState.STALE:
            return SnapshotStale(standing.bundle, obstacle.sentence)
        case SnapshotState.REFUSED:
            return SnapshotRefused(standing.bundle, obstacle.sentence)
        case SnapshotState.FAILED:
            return SnapshotMissing(standing.bundle, obstacle.sentence)
    why = "there is none" if obstacle.code == NONE_BUILT else obstacle.sentence
    return SnapshotMissing(standing.bundle, why)
