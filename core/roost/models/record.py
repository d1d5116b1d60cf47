"""Rows as the store keeps them, shared by the store and those who declare what they need of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from roost.models.definition import Definition
from roost.models.run import RunView
from roost.models.task import JournalEntry, TaskSpec

WAITING_OWNER = "waiting"
"""Owner of the lease of a run of a task that no worker holds."""


@dataclass(frozen=True, slots=True)
class BundleRow:
    """An installed bundle."""

    workspace: str
    name: str
    definition: Definition
    should_run: bool
    installed_at: int
    era: str | None = None
    """MCP protocol version that the installed version answered with last."""
    version_number: int = 1
    """Which of its installed versions is the one to start."""


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One version of a bundle that is kept on this machine."""

    number: int
    """Rises with every install and upgrade of the bundle; a roll back returns to a former one."""
    definition: Definition
    installed_at: int
    installed_by: str


@dataclass(frozen=True, slots=True)
class LiveGeneration:
    """A generation that was not seen ending: what a boot sweep starts from."""

    id: str
    workspace: str
    bundle: str
    handle: str


@dataclass(frozen=True, slots=True)
class CredentialRow:
    """One encrypted field of one revision."""

    field: str
    ciphertext: bytes
    revision: int
    """Revision of the write that set it."""
    set_at: int
    set_by: str


@dataclass(frozen=True, slots=True)
class CredentialSet:
    """All set fields of a bundle at its newest revision, and whether the one before is kept."""

    revision: int
    rows: tuple[CredentialRow, ...]
    has_previous: bool


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run to insert: `pending`, or `running` when others do its work already."""

    run: RunView
    input: Any
    lease_owner: str
    lease_epoch: int
    input_hash: str
    lease_ms: int | None = None
    """How long its lease holds from each report on; None while the daemon does the work."""


@dataclass(frozen=True, slots=True)
class LeasedRun:
    """A run and who may write to it."""

    run: RunView
    owner: str
    epoch: int
    lease_ms: int | None = None
    """How long the lease holds from each report on; None while a daemon does the work."""


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task that a bundle offers, or offered when its worker was heard of last."""

    workspace: str
    bundle: str
    spec: TaskSpec


@dataclass(frozen=True, slots=True)
class GivenWork:
    """What a handler is given besides the run itself."""

    input: Any
    journal: tuple[JournalEntry, ...]
    """In the order in which the steps were begun first."""


@dataclass(frozen=True, slots=True)
class KeptRun:
    """A settled run as retention sees it."""

    id: str
    workspace: str
    last_seq: int
    event_count: int
    """Events of it that are still kept."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One operator action or run start."""

    at: int
    actor: str
    action: str
    workspace: str | None
    target: str
    outcome: str
    detail: str = ""
