"""`ShelfItem`: what is known of one bundle's snapshot."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from roost.models import Reason, StartMode
from roost.models.snapshot import (
    SnapshotBackend,
    SnapshotDetail,
    SnapshotPhase,
    SnapshotPolicy,
    SnapshotState,
    SnapshotView,
)
from roost.snapshots.decide import Standing
from roost.snapshots.entry import Entry
from roost.snapshots.key import key_parts
from roost.snapshots.record import Attempt, Kept, Made
from roost.snapshots.start_times import StartLog
from roost.snapshots.warmth import Warmth

_NOT_LOOKED_AT = Reason(
    "not_looked_at", "nobody has looked yet what it starts; the next start or build does"
)


@dataclass(slots=True)
class ShelfItem:
    """One bundle's snapshot. What follows from several facts is computed, never kept."""

    workspace: str
    name: str
    warmth: Warmth
    entry: Entry | Reason | None = None
    """What it starts, or why there can be no snapshot; None until somebody looked."""
    wanted: SnapshotBackend = SnapshotBackend.ZYGOTE
    """What would make it, as of the newest look."""
    made: Made | None = None
    attempt: Attempt | None = None
    """The newest build that made nothing."""
    unreadable: Reason | None = None
    """Why its file is no record."""
    change: Reason | None = None
    """What has changed since `made` was built, as of the newest look."""
    phase: SnapshotPhase | None = None
    """Of the build under way, or where the last one of this daemon got to."""
    building: asyncio.Task[Attempt | None] | None = None
    suspicion: str | None = None
    """How a start from it failed, until a cold start tells whose fault that was."""
    template_bytes: int | None = None
    times: StartLog = field(default_factory=StartLog)

    @property
    def key(self) -> tuple[str, str]:
        """Workspace and name."""
        return self.workspace, self.name

    @property
    def backend(self) -> SnapshotBackend:
        """What made it, or would make it."""
        return self.wanted if self.made is None else self.made.backend

    @property
    def ineligible(self) -> Reason | None:
        """Why no snapshot can be made of it, as far as somebody looked."""
        if isinstance(self.entry, Reason):
            return self.entry
        return None

    @property
    def usable_state(self) -> SnapshotState | None:
        """State as it counts for a start: a build under way does not spoil what is there."""
        if self.made is not None:
            return SnapshotState.READY if self.change is None else self._stale_state()
        if self.building is not None:
            return SnapshotState.BUILDING
        return self.attempt.state if self.attempt is not None else None

    @property
    def state(self) -> SnapshotState | None:
        """State as it is shown."""
        return SnapshotState.BUILDING if self.building is not None else self.usable_state

    @property
    def reason(self) -> Reason | None:
        """Why it is in its state, or what is wrong besides."""
        if self.ineligible is not None:
            return self.ineligible
        if self.usable_state is SnapshotState.STALE:
            return self.change
        if self.attempt is not None:
            return self.attempt.reason
        if self.made is None:
            return self.unreadable
        if self.suspicion is not None:
            return Reason("suspect", f"the newest start from it failed: {self.suspicion}")
        if self.warmth.template is None and self.warmth.trouble is not None:
            return Reason("template_lost", f"its template ended: {self.warmth.trouble}")
        return None

    def _stale_state(self) -> SnapshotState:
        """A build that failed after something changed says more than that it is stale."""
        return SnapshotState.STALE if self.attempt is None else self.attempt.state

    def take(self, kept: Kept | Reason | None) -> None:
        """Take over what was found on disk."""
        if isinstance(kept, Reason):
            self.unreadable = kept
        elif kept is not None:
            self.made, self.attempt = kept.made, kept.attempt

    def kept(self) -> Kept:
        """Return what is to be found on disk."""
        digest = self.made.key.digest if self.made is not None else ""
        return Kept(self.workspace, self.name, self.made, self.attempt, digest)

    def standing(self) -> Standing:
        """Return what a decision about a start needs."""
        return Standing(
            bundle=self.name,
            ineligible=self.ineligible,
            state=self.usable_state,
            reason=self.reason,
            readiness=self.warmth.readiness,
            trouble=self.warmth.trouble,
        )

    def view(self, policy: SnapshotPolicy) -> SnapshotView:
        """Return it as one row."""
        is_eligible = isinstance(self.entry, Entry) or (self.entry is None and bool(self.made))
        return SnapshotView(
            workspace=self.workspace,
            name=self.name,
            policy=policy,
            is_eligible=is_eligible,
            backend=self.backend if is_eligible else None,
            state=self.state,
            phase=self._shown_phase(),
            reason=self.reason or (None if is_eligible else _NOT_LOOKED_AT),
            is_warm=self.warmth.template is not None,
            built_at=self.made.built_at if self.made else None,
            build_ms=self.made.build_ms if self.made else None,
            modules=self.made.loaded if self.made else 0,
            excluded=len(self.made.key.exclude) if self.made else 0,
            cold=self.times.times(StartMode.COLD),
            restored=self.times.times(StartMode(self.backend)),
            template_bytes=self.template_bytes if self.warmth.template is not None else None,
        )

    def _shown_phase(self) -> SnapshotPhase | None:
        if self.building is not None:
            return self.phase
        return self.attempt.phase if self.attempt is not None else None

    def detail(self, policy: SnapshotPolicy) -> SnapshotDetail:
        """Return everything that its own page shows."""
        view, made = self.view(policy), self.made
        newest = self.attempt or made
        entry = self.entry if isinstance(self.entry, Entry) else made and made.key.entry
        return SnapshotDetail(
            view=view,
            entry=str(entry) if entry else "",
            interpreter=entry.interpreter if entry else "",
            key=made.key.digest if made else "",
            parts=key_parts(made.key) if made else (),
            findings=newest.findings if newest else (),
            excluded=made.key.exclude if made else (),
            environment=tuple(made.key.reads) if made else (),
            phases_ms=newest.phases_ms if newest else (),
        )
