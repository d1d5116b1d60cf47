"""`FieldCipher` turns one field's value into bytes for the store and back."""

from __future__ import annotations

import json
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from roost.errors import VaultUnavailable
from roost.models import FieldValue

_FORMAT = b"\x01"
_NONCE_BYTES = 12
"""The nonce size GCM is made for."""


class FieldCipher:
    """AES-256-GCM bound to the place of a value.

    A ciphertext that is moved to another workspace, bundle or field does not open there.

    Args:
        key: 32 bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)

    def seal(self, workspace: str, bundle: str, field: str, value: FieldValue) -> bytes:
        """Encrypt a value for its place."""
        nonce = os.urandom(_NONCE_BYTES)
        plain = json.dumps(value).encode()
        return _FORMAT + nonce + self._aead.encrypt(nonce, plain, _place(workspace, bundle, field))

    def open(self, workspace: str, bundle: str, field: str, ciphertext: bytes) -> FieldValue:
        """Decrypt the value of this place.

        Raises:
            VaultUnavailable: it was written with another key, for another place, or is damaged.
        """
        nonce = ciphertext[1 : 1 + _NONCE_BYTES]
        if ciphertext[:1] != _FORMAT or len(nonce) < _NONCE_BYTES:
            raise _unreadable(workspace, bundle, field)
        sealed = ciphertext[1 + _NONCE_BYTES :]
        try:
            plain = self._aead.decrypt(nonce, sealed, _place(workspace, bundle, field))
        except InvalidTag as error:
            raise _unreadable(workspace, bundle, field) from error
        value: FieldValue = json.loads(plain)
        return value


def _place(workspace: str, bundle: str, field: str) -> bytes:
    return _FORMAT + json.dumps(["roost.credential", workspace, bundle, field]).encode()


def _unreadable(workspace: str, bundle: str, field: str) -> VaultUnavailable:
    return VaultUnavailable(
        f"the stored value of {field!r} of {bundle!r} in workspace {workspace!r} cannot be "
        "decrypted with the present vault key; put the former key back, or set the field again",
        workspace=workspace,
        bundle=bundle,
        field=field,
    )
