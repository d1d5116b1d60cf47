"""`KeyringEntry`: the keys of a vault in the keyring of the operating system."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, TypeVar

from roost.errors import VaultUnavailable
from roost.models import KeyPlace
from roost.vault.key_set import KeySet, decoded_keys, new_key
from roost.vault.keys import make_private_directory, sync_directory, write_private

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

T = TypeVar("T")

SERVICE = "roost"
"""Name of all of Roost's entries in a keyring; their user is the id of the data directory."""

MARKER = "vault.keyring"
"""File that says that the keys are in the keyring."""

KEYRING_TIMEOUT_S = 8.0
"""A locked keyring asks its user, who may not be there; a daemon has 20 s to come up."""

LEAST_PRIORITY = 1.0
"""What the package `keyring` recommends has this and more; files without a password have less."""

_NO_KEYRINGS = ("keyring.backends.fail", "keyring.backends.null")


class KeyringUnusable(VaultUnavailable):
    """The keyring did not do what it was asked."""


class NoKeyring(KeyringUnusable):
    """There is no keyring."""


class KeyringEntry:
    """Keys in one entry of the keyring, and a marker file that remembers where they are.

    Args:
        directory: private directory of the marker.
        user: the entry's name inside the service `roost`.
        timeout_s: bound for one answer of the keyring, in seconds.
    """

    place = KeyPlace.KEYRING

    def __init__(self, directory: Path, user: str, *, timeout_s: float = KEYRING_TIMEOUT_S) -> None:
        self._directory = directory
        self._marker = directory / MARKER
        self._user = user
        self._timeout_s = timeout_s
        self._name = "the system"
        self._pending: threading.Thread | None = None

    @property
    def described(self) -> str:
        return f"entry {self._user} of {SERVICE!r} in the keyring ({self._name})"

    @property
    def is_marked(self) -> bool:
        """Whether the keys of this data directory were put into a keyring."""
        return os.path.lexists(self._marker)

    def find(self) -> KeySet | None:
        """Return the keys of the entry, or None when the keyring has no such entry.

        Raises:
            KeyringUnusable: there is no keyring, or it does not answer.
            VaultUnavailable: the entry is damaged.
        """
        text = self._ask(lambda backend: backend.get_password(SERVICE, self._user))
        if text is None:
            return None
        keys = decoded_keys(text.encode(errors="replace"))
        if keys is None:
            raise VaultUnavailable(
                f"the vault key is damaged: {self.described} holds something else; put its backup "
                "back, or delete the entry and set every credential again"
            )
        return keys

    def load(self) -> KeySet:
        """Return the keys, which must be there.

        Raises:
            VaultUnavailable: the entry is missing or damaged, or the keyring is.
        """
        keys = self.find()
        if keys is None:
            raise VaultUnavailable(
                f"the vault key is missing: there is no {self.described}; bring that keyring back, "
                f"or delete {self._marker} and set every credential again with a new key"
            )
        return keys

    def find_or_make(self) -> KeySet:
        """Return the keys of the entry, making one where there is none, and mark it.

        Raises:
            VaultUnavailable: the keyring does not keep it.
        """
        keys = self.find()
        if keys is None:
            keys = KeySet(new_key())
            self.keep(keys)
        self.mark()
        return keys

    def keep(self, keys: KeySet) -> None:
        """Replace the entry, and look whether the keyring holds it now.

        Raises:
            VaultUnavailable: it does not.
        """
        text = keys.as_text(" ")
        self._ask(lambda backend: backend.set_password(SERVICE, self._user, text))
        if self.find() != keys:
            raise KeyringUnusable(
                f"the vault key was not kept: {self.described} holds another one; look at the "
                "keyring, and try again"
            )

    def mark(self) -> None:
        """Remember that the keys are in the keyring."""
        if self.is_marked:
            return
        try:
            make_private_directory(self._directory)
            write_private(self._marker, f"{self.described}\n".encode())
            sync_directory(self._directory)
        except OSError as error:
            raise VaultUnavailable(
                f"{self._marker} cannot be written ({error.strerror}); make its directory writable "
                "for this user only"
            ) from error

    def forget(self) -> None:
        """Delete the marker and the entry, when the keys are kept elsewhere."""
        self._marker.unlink(missing_ok=True)
        with suppress(KeyringUnusable):
            self._ask(lambda backend: backend.delete_password(SERVICE, self._user))

    def _ask(self, question: Callable[[KeyringBackend], T]) -> T:
        """Ask the keyring in a thread of its own, because a locked one may never answer."""
        if self._pending is not None and self._pending.is_alive():
            # An answer that comes late must not overwrite what is asked for now.
            raise self._unusable("has not answered an earlier question yet")
        answers: SimpleQueue[tuple[T] | Exception] = SimpleQueue()
        # Not an executor: its threads are joined when the interpreter ends.
        self._pending = threading.Thread(
            target=lambda: answers.put(self._answer(question)), name="keyring", daemon=True
        )
        self._pending.start()
        try:
            answer = answers.get(timeout=self._timeout_s)
        except Empty:
            raise self._unusable(f"did not answer within {self._timeout_s:g} s") from None
        if isinstance(answer, VaultUnavailable):
            raise answer
        if isinstance(answer, Exception):
            # Only its kind: what a keyring says may quote what it was given.
            raise self._unusable(f"failed ({type(answer).__name__})")
        return answer[0]

    def _answer(self, question: Callable[[KeyringBackend], T]) -> tuple[T] | Exception:
        try:
            backend = usable_backend()
            if backend is None:
                return NoKeyring(self._sentence("is not there"))
            self._name = type(backend).__module__.rpartition(".")[2]
            return (question(backend),)
        except Exception as error:  # noqa: BLE001 - a foreign package, at the top of its thread
            return error

    def _unusable(self, what: str) -> KeyringUnusable:
        return KeyringUnusable(self._sentence(what))

    def _sentence(self, what: str) -> str:
        return (
            f"the keyring with the vault key ({SERVICE}, {self._user}) {what}; unlock it or log in "
            "to the session it belongs to, then start Roost again. To keep the key in a file "
            "instead, start once with ROOST_VAULT_KEY_STORE=file while the keyring answers"
        )


def may_have_keyring(environ: Mapping[str, str]) -> bool:
    """Say cheaply whether asking for a keyring is worth it; loading the package takes 100 ms."""
    names = ("PYTHON_KEYRING_BACKEND", "DBUS_SESSION_BUS_ADDRESS")
    return sys.platform == "darwin" or any(environ.get(name) for name in names)


def usable_backend() -> KeyringBackend | None:
    """Return the keyring to use, or None when there is none that keeps a secret."""
    import keyring  # only where a keyring is used: it costs start time and memory

    backend = keyring.get_keyring()
    chained = getattr(backend, "backends", None)  # a chain asks each of its keyrings in turn
    found = [backend] if chained is None else list(chained)
    return next((one for one in found if _keeps_secrets(one)), None)


def _keeps_secrets(backend: KeyringBackend) -> bool:
    kind = type(backend)
    is_none = kind.__module__ in _NO_KEYRINGS or "plaintext" in kind.__name__.lower()
    return not is_none and backend.priority >= LEAST_PRIORITY
