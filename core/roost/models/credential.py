"""Credentials as clients see them: what is set and since when, never a sensitive value."""

from __future__ import annotations

from dataclasses import dataclass, field

from roost.models.definition import ConfigField, FieldValue
from roost.models.slot import RespawnResult


@dataclass(frozen=True, slots=True)
class CredentialField:
    """One field of the form with what is stored for it."""

    field: ConfigField
    is_set: bool
    value: FieldValue | None = None
    """The stored value of a field that is not sensitive; always None for a sensitive one."""
    revision: int | None = None
    set_at: int | None = None
    set_by: str | None = None


@dataclass(frozen=True, slots=True)
class CredentialForm:
    """The form of one bundle."""

    workspace: str
    bundle: str
    revision: int
    """Newest revision; 0 before the first write."""
    fields: tuple[CredentialField, ...]
    can_restore: bool = False
    """Whether a previous revision is kept."""


@dataclass(frozen=True, slots=True)
class CredentialWrite:
    """Fields to set and to clear in one atomic write."""

    set: dict[str, FieldValue] = field(default_factory=dict)
    clear: tuple[str, ...] = ()
    reason: str | None = None
    """Asked for when a sensitive field of a protected bundle is cleared."""


@dataclass(frozen=True, slots=True)
class CredentialOutcome:
    """The write and the respawn, reported apart: a failed respawn keeps the written value."""

    revision: int
    changed: tuple[str, ...]
    sentence: str
    respawn: RespawnResult | None
    """None when the bundle is meant to be stopped, so that nothing had to be replaced."""
