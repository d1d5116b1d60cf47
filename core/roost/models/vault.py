"""The vault's key as clients see it: where it is kept, never what it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

FORMAT = b"\x01"
"""First byte of a ciphertext that goes on with the id of its key."""

KEY_ID_BYTES = 8
"""Enough to tell the keys of one vault apart."""


class KeyPlace(StrEnum):
    """Where the vault's key is kept."""

    KEYRING = "keyring"
    """The keyring of the operating system."""
    FILE = "file"
    """A file of the data directory that only its owner can read."""
    GIVEN_FILE = "given-file"
    """A file named in the settings."""
    ENVIRONMENT = "environment"
    """The settings themselves, such as ROOST_VAULT_KEY."""


@dataclass(frozen=True, slots=True)
class VaultView:
    """State of the vault."""

    place: KeyPlace
    described: str
    """The place in words: a path, or the name of the keyring."""
    key_id: str
    """Names the key without telling anything of it."""
    values: int
    """Stored values, those of earlier revisions included."""
    values_of_former_keys: int = 0
    """How many of them another key opens; a rotation under way or cut short leaves some."""
    rotated_at: int | None = None
    """When the key was last replaced."""


def sealing_key(ciphertext: bytes) -> str:
    """Return the id of the key that opens a ciphertext, empty where it does not say."""
    if ciphertext[:1] != FORMAT:
        return ""
    return ciphertext[1 : 1 + KEY_ID_BYTES].hex()
