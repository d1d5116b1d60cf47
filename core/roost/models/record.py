"""Rows as the store keeps them, shared by the store and those who declare what they need of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from roost.models.definition import Definition
from roost.models.run import RunView


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
    """A run to insert; it begins `pending`."""

    run: RunView
    input: Any
    lease_owner: str
    lease_epoch: int
    input_hash: str


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
