"""What an install or upgrade would do, as an operator reviews it before anything runs."""

from __future__ import annotations

from dataclasses import dataclass

from roost.models.definition import Definition, InstallRequest
from roost.models.slot import RespawnResult


@dataclass(frozen=True, slots=True)
class PlanNote:
    """Something worth knowing before a bundle runs."""

    code: str
    """Stable name: ``unpinned``, ``secret_argument``, ``docker``, ``replaces_environment``, …"""
    sentence: str
    is_warning: bool = True


@dataclass(frozen=True, slots=True)
class PinnedCopy:
    """The installed copy that can stand in for a command that fetches its package each time."""

    package: str
    """As the command names it: ``@modelcontextprotocol/server-memory``."""
    sentence: str
    """What changes and what it brings, for people."""


@dataclass(frozen=True, slots=True)
class InstallPlan:
    """A reviewed install. Nothing was written, fetched or run for it."""

    name: str
    """The name the bundle would get."""
    definition: Definition
    """As it would be kept: templates, without any value of a credential."""
    argv: tuple[str, ...]
    """What would run, with credentials as the names of their fields; empty for a server that runs
    elsewhere."""
    directories: tuple[str, ...]
    """Where it would lie and work, absolute paths."""
    env_names: tuple[str, ...]
    """Variables it would get besides the allow-list, sorted."""
    given_fields: tuple[str, ...]
    """Fields that the source holds values for; these go to the vault."""
    missing_fields: tuple[str, ...]
    """Required fields that it would still need before it can start."""
    notes: tuple[PlanNote, ...] = ()
    copy: PinnedCopy | None = None
    sha256: str | None = None
    """Of the archive or folder, as hex; an install with it takes exactly what was reviewed."""
    content_sha256: str | None = None
    """Of a signed archive without its signature block, as hex."""
    signed_by: str | None = None
    """Who the signature block names. Its chain is not checked: it proves nothing."""


@dataclass(frozen=True, slots=True)
class InstalledVersion:
    """A version of a bundle on this machine."""

    number: int
    version: str
    """As its source names it; empty when it does not."""
    origin: str
    sha256: str | None
    config_hash: str
    installed_at: int
    installed_by: str
    is_current: bool
    """Whether starts use it."""
    ready_ms: int | None = None
    """Milliseconds from spawn to readiness of its last start; None before the first one."""


@dataclass(frozen=True, slots=True)
class UpgradeRequest:
    """What an upgrade is asked for; the bundle keeps its name, settings, data and credentials."""

    install: InstallRequest
    reason: str | None = None
    """Required by a protected bundle whose process is to be replaced at once."""


@dataclass(frozen=True, slots=True)
class UpgradeOutcome:
    """The change of the version and the respawn, reported apart."""

    workspace: str
    bundle: str
    before: InstalledVersion
    after: InstalledVersion
    sentence: str
    """What happened and what to do next, for people."""
    respawn: RespawnResult | None
    """None when the bundle is meant to be stopped, or nothing changed."""
