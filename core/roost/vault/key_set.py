"""`KeySet`: the key that seals, and those that still open what was sealed before it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from dataclasses import dataclass, field

from roost.models.vault import KEY_ID_BYTES

KEY_BYTES = 32
"""AES-256."""

MOST_KEYS = 8
"""More than a rotation that is cut short again and again leaves, and few enough to try them all."""

_ID_OF = b"roost.vault.key-id\0"


@dataclass(frozen=True, slots=True)
class KeySet:
    """Keys of one vault."""

    newest: bytes = field(repr=False)
    """Seals every value."""
    former: tuple[bytes, ...] = field(default=(), repr=False)
    """Open what the newest has not sealed again yet."""

    @property
    def all(self) -> tuple[bytes, ...]:
        """Every key once, the newest first."""
        return tuple(dict.fromkeys((self.newest, *self.former)))

    def behind(self, newest: bytes) -> KeySet:
        """Return these keys with another one in front of them."""
        return KeySet(newest, tuple(key for key in self.all if key != newest))

    def with_former(self, other: KeySet) -> KeySet:
        """Return these keys, and those of another set behind them."""
        return KeySet(self.newest, tuple(dict.fromkeys((*self.all, *other.all)))[1:])

    def alone(self) -> KeySet:
        """Return the newest key without the former ones."""
        return KeySet(self.newest)

    def as_text(self, separator: str = "\n") -> str:
        """Return the keys as they are kept, the newest first."""
        return separator.join(base64.b64encode(key).decode() for key in self.all)


def new_key() -> bytes:
    """Make a key."""
    return os.urandom(KEY_BYTES)


def key_id(key: bytes) -> str:
    """Return the name of a key, which tells nothing of it."""
    return hashlib.sha256(_ID_OF + key).digest()[:KEY_ID_BYTES].hex()


def decoded_keys(text: bytes) -> KeySet | None:
    """Read what `KeySet.as_text` wrote, or None when it is something else."""
    words = text.split()
    keys = tuple(key for key in map(_decoded, words) if key is not None)
    if not keys or len(keys) != len(words) or len(keys) > MOST_KEYS:
        return None
    return KeySet(keys[0], keys[1:])


def _decoded(text: bytes) -> bytes | None:
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error:
        return None
    return key if len(key) == KEY_BYTES else None
