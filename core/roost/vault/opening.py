"""`open_keys`: finds where the keys of a vault are kept, or decides where to keep new ones."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from roost.errors import VaultUnavailable
from roost.settings.daemon_settings import VaultKeyStore
from roost.vault.key_set import KeySet
from roost.vault.keyring_entry import (
    MARKER,
    KeyringEntry,
    KeyringUnusable,
    NoKeyring,
    may_have_keyring,
)
from roost.vault.keys import KEY_FILE, GivenKey, GivenKeyFile, KeyFile, KeyHolder


@dataclass(frozen=True, slots=True)
class KeyChoice:
    """What the settings say about the vault's key."""

    given: str | None = field(default=None, repr=False)
    """Base64 of the key itself."""
    given_file: Path | None = None
    """A file that holds it."""
    previous: str | None = field(default=None, repr=False)
    """Base64 of the key before a given one."""
    store: VaultKeyStore = VaultKeyStore.AUTO
    """Where a key that is not given is kept."""


def remembers_keys(directory: Path) -> bool:
    """Say whether a key file, or the marker of a keyring, is there."""
    return any(os.path.lexists(directory / name) for name in (KEY_FILE, MARKER))


def open_keys(
    choice: KeyChoice,
    directory: Path,
    data_id: str,
    environ: Mapping[str, str],
    *,
    is_empty: bool = True,
) -> tuple[KeyHolder, KeySet]:
    """Return the place that keeps the keys, and the keys; blocks.

    A key that exists is never replaced by a new one: where it is remembered to be in the keyring,
    it must be found there.

    Args:
        choice: see `KeyChoice`.
        directory: private directory of key file and marker; made when missing.
        data_id: identity of the data directory, names its entry in the keyring.
        environ: tells whether a keyring can be there.
        is_empty: whether no value is stored, so that a keyring that fails cannot have its key.

    Raises:
        VaultUnavailable: the keys cannot be read or made.
    """
    if (given := _given(choice)) is not None:
        return given, given.load()
    file, entry = KeyFile(directory), KeyringEntry(directory, data_id)
    if choice.store is VaultKeyStore.FILE:
        return file, _in_file(file, entry)
    if choice.store is VaultKeyStore.KEYRING:
        return entry, _in_keyring(file, entry)
    return _wherever(file, entry, environ, is_empty=is_empty)


def _given(choice: KeyChoice) -> KeyHolder | None:
    if choice.given is not None and choice.given_file is not None:
        raise VaultUnavailable(
            "both ROOST_VAULT_KEY and ROOST_VAULT_KEY_FILE give a vault key; keep one of them"
        )
    if choice.given is not None:
        return GivenKey(choice.given, choice.previous)
    if choice.given_file is not None:
        return GivenKeyFile(choice.given_file, choice.previous)
    return None


def _wherever(
    file: KeyFile, entry: KeyringEntry, environ: Mapping[str, str], *, is_empty: bool
) -> tuple[KeyHolder, KeySet]:
    if file.exists:
        return file, file.load()
    if entry.is_marked:
        return entry, entry.load()
    if may_have_keyring(environ):
        try:
            return entry, entry.find_or_make()
        except KeyringUnusable as error:
            # Without a keyring at all it cannot be told whether there was one.
            if not is_empty and not isinstance(error, NoKeyring):
                raise
    return file, file.load()


def _in_file(file: KeyFile, entry: KeyringEntry) -> KeySet:
    """Read the file, moving the keys into it where the keyring has them."""
    if entry.is_marked and not file.exists:
        file.keep(entry.load())
    keys = file.load()
    if entry.is_marked:
        entry.forget()
    return keys


def _in_keyring(file: KeyFile, entry: KeyringEntry) -> KeySet:
    """Read the keyring, moving the keys into it where a file has them."""
    if not file.exists:
        return entry.load() if entry.is_marked else entry.find_or_make()
    keys = file.load()
    if entry.is_marked and (present := entry.find()) is not None:
        keys = keys.with_former(present)
    entry.keep(keys)
    entry.mark()
    file.remove()
    return keys
