"""`FieldCipher` turns one field's value into bytes for the store and back."""

from __future__ import annotations

import json
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from roost.errors import VaultUnavailable
from roost.models import FieldValue
from roost.models.vault import FORMAT, KEY_ID_BYTES, sealing_key
from roost.vault.key_set import KeySet, key_id

_NONCE_BYTES = 12
"""The nonce size GCM is made for."""


class FieldCipher:
    """AES-256-GCM bound to the place of a value.

    A ciphertext names its key, and one that is moved to another workspace, bundle or field does not
    open there.

    Args:
        keys: the newest seals, all of them open.
    """

    def __init__(self, keys: KeySet) -> None:
        self.key_id = key_id(keys.newest)
        """Names the key that seals."""
        self._by_id = {key_id(key): AESGCM(key) for key in keys.all}

    def seal(self, workspace: str, bundle: str, field: str, value: FieldValue) -> bytes:
        """Encrypt a value for its place."""
        return self._seal(workspace, bundle, field, json.dumps(value).encode())

    def open(self, workspace: str, bundle: str, field: str, ciphertext: bytes) -> FieldValue:
        """Decrypt the value of this place.

        Raises:
            VaultUnavailable: it was written with another key, for another place, or is damaged.
        """
        value: FieldValue = json.loads(self._open(workspace, bundle, field, ciphertext))
        return value

    def resealed(self, workspace: str, bundle: str, field: str, ciphertext: bytes) -> bytes:
        """Return the value of this place sealed with the newest key; unchanged if it is already.

        Raises:
            VaultUnavailable: none of the keys opens it.
        """
        if sealing_key(ciphertext) == self.key_id:
            return ciphertext
        plain = self._open(workspace, bundle, field, ciphertext)
        return self._seal(workspace, bundle, field, plain)

    def _seal(self, workspace: str, bundle: str, field: str, plain: bytes) -> bytes:
        head, nonce = FORMAT + bytes.fromhex(self.key_id), os.urandom(_NONCE_BYTES)
        bound_to = _place(workspace, bundle, field)
        return head + nonce + self._by_id[self.key_id].encrypt(nonce, plain, bound_to)

    def _open(self, workspace: str, bundle: str, field: str, ciphertext: bytes) -> bytes:
        aead = self._by_id.get(sealing_key(ciphertext))
        start = len(FORMAT) + KEY_ID_BYTES
        nonce, sealed = ciphertext[start : start + _NONCE_BYTES], ciphertext[start + _NONCE_BYTES :]
        if aead is None or len(nonce) < _NONCE_BYTES:
            raise _unreadable(workspace, bundle, field)
        try:
            return aead.decrypt(nonce, sealed, _place(workspace, bundle, field))
        except InvalidTag as error:
            raise _unreadable(workspace, bundle, field) from error


def _place(workspace: str, bundle: str, field: str) -> bytes:
    return FORMAT + json.dumps(["roost.credential", workspace, bundle, field]).encode()


def _unreadable(workspace: str, bundle: str, field: str) -> VaultUnavailable:
    return VaultUnavailable(
        f"the stored value of {field!r} of {bundle!r} in workspace {workspace!r} cannot be "
        "decrypted with the present vault key; put the former key back, or set the field again",
        workspace=workspace,
        bundle=bundle,
        field=field,
    )
