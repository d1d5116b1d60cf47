"""Changes to the settings of an installed bundle, and what came of one."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from roost.models.definition import (
    BundleSettings,
    KeepArguments,
    RespawnStrategy,
    RestartPolicy,
    SnapshotBackend,
    SnapshotPolicy,
)


class SnapshotHow(StrEnum):
    """What is to make a bundle's snapshot."""

    DEFAULT = "default"
    """What fits the bundle."""
    ZYGOTE = "zygote"
    CODE_CACHE = "v8cache"
    HEAP = "v8snap"
    STANDBY = "standby"

    @property
    def backend(self) -> SnapshotBackend | None:
        """The setting that it stands for."""
        return None if self is SnapshotHow.DEFAULT else SnapshotBackend(self.value)


@dataclass(frozen=True, slots=True)
class SettingsChange:
    """What to change; None leaves a setting as it is. Durations are in seconds."""

    restart: RestartPolicy | None = None
    start_budget_s: float | None = None
    settle_s: float | None = None
    stop_grace_s: float | None = None
    drain_s: float | None = None
    call_idle_s: float | None = None
    call_cap_s: float | None = None
    max_calls: int | None = None
    keep_arguments: KeepArguments | None = None
    protected: bool | None = None
    strategy: RespawnStrategy | None = None
    probe_interval_s: float | None = None
    probe_misses: int | None = None
    snapshot: SnapshotPolicy | None = None
    snapshot_rebuild: bool | None = None
    snapshot_how: SnapshotHow | None = None
    snapshot_allow: tuple[str, ...] | None = None
    """Python modules that may copy the whole environment; empty allows none."""
    limits: dict[str, int | None] = field(default_factory=dict)
    """Limits to set, by their names in `ResourceLimits`; None lifts one."""
    after: tuple[str, ...] | None = None
    """Bundles of the workspace whose readiness its start waits for; empty waits for none."""
    reason: str | None = None
    """Required to lift the protection of a bundle."""


@dataclass(frozen=True, slots=True)
class SettingsOutcome:
    """How a change ended."""

    settings: BundleSettings
    """All of them, as they are now."""
    after: tuple[str, ...]
    changed: tuple[str, ...]
    """Names of what is different from before."""
    needs_respawn: bool
    """Whether the running process was started with other settings than these."""
    sentence: str
    """What happened and what to do next, for people."""
