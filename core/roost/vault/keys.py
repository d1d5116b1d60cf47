"""Keys in files and given by the operator; the keyring has a module of its own."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import Protocol

from roost.errors import Refused, VaultUnavailable
from roost.models import KeyPlace
from roost.vault.key_set import KEY_BYTES, KeySet, decoded_keys, new_key

KEY_FILE = "vault.key"
"""Name of the key file inside its directory."""

KEY_FILE_LIMIT = 4096
"""Bytes; a file of the most keys is smaller by far."""


class KeyHolder(Protocol):
    """A place that keeps the keys of one vault. Its methods block."""

    @property
    def place(self) -> KeyPlace: ...

    @property
    def described(self) -> str:
        """The place in words."""
        ...

    def load(self) -> KeySet:
        """Return the keys.

        Raises:
            VaultUnavailable: they cannot be read.
        """
        ...

    def keep(self, keys: KeySet) -> None:
        """Replace the keys by these, all of them or none.

        Raises:
            Refused: only the operator can replace them; the sentence says how.
            VaultUnavailable: they cannot be kept.
        """
        ...


def load_key(directory: Path, given: str | None) -> bytes:
    """Return the key of a vault that is given one or has a file of its own for it.

    Args:
        directory: private directory of the key file; made when missing.
        given: base64 of a 32-byte key from the settings; the key file is left alone then.

    Raises:
        VaultUnavailable: the key is malformed, readable by others, or cannot be made.
    """
    holder: KeyHolder = KeyFile(directory) if given is None else GivenKey(given)
    return holder.load().newest


class GivenKey:
    """A key handed over by the settings.

    Args:
        text: base64 of 32 bytes.
        previous: the same for the key before, if values may still be sealed with it.
    """

    place = KeyPlace.ENVIRONMENT
    described = "given by the setting ROOST_VAULT_KEY"

    def __init__(self, text: str, previous: str | None = None) -> None:
        self._text = text
        self._previous = previous

    def load(self) -> KeySet:
        """Decode the keys.

        Raises:
            VaultUnavailable: one is not base64 of 32 bytes.
        """
        return with_previous(KeySet(_given(self._text, "ROOST_VAULT_KEY")), self._previous)

    def keep(self, keys: KeySet) -> None:
        """Refuse, and say how the operator replaces the key."""
        raise Refused(
            "the vault's key is given by ROOST_VAULT_KEY, so only you can replace it: set "
            "ROOST_VAULT_KEY to the new key and ROOST_VAULT_KEY_PREVIOUS to the present one, then "
            "restart the daemon, and it seals every value with the new key"
        )


class GivenKeyFile:
    """Keys in a file that the settings name, the newest in the first line.

    Args:
        path: the file.
        previous: base64 of the key before, if values may still be sealed with it.
    """

    place = KeyPlace.GIVEN_FILE

    def __init__(self, path: Path, previous: str | None = None) -> None:
        self._path = path.expanduser().absolute()
        self._previous = previous

    @property
    def described(self) -> str:
        return str(self._path)

    def load(self) -> KeySet:
        """Read the keys.

        Raises:
            VaultUnavailable: the file is missing, no key file, or others can read it.
        """
        try:
            keys = _read(self._path, follow=True)
        except OSError as error:
            raise VaultUnavailable(
                f"the vault key file {self._path} cannot be read ({error.strerror}); correct "
                "ROOST_VAULT_KEY_FILE, or put the file there"
            ) from error
        return with_previous(keys, self._previous)

    def keep(self, keys: KeySet) -> None:
        """Refuse, and say how the operator replaces the key."""
        raise Refused(
            f"the vault's key is in {self._path}, which only you change: put the new key into it, "
            "set ROOST_VAULT_KEY_PREVIOUS to the present one, then restart the daemon, and it "
            "seals every value with the new key"
        )


def with_previous(keys: KeySet, previous: str | None) -> KeySet:
    """Return the keys with the one before behind them.

    Raises:
        VaultUnavailable: it is not base64 of 32 bytes.
    """
    if previous is None:
        return keys
    return keys.with_former(KeySet(_given(previous, "ROOST_VAULT_KEY_PREVIOUS")))


class KeyFile:
    """Keys in a 0600 file in a 0700 directory.

    Args:
        directory: where `vault.key` lies.
    """

    place = KeyPlace.FILE

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._path = directory / KEY_FILE

    @property
    def described(self) -> str:
        return str(self._path)

    @property
    def exists(self) -> bool:
        """Whether there is something in the place of the file."""
        return os.path.lexists(self._path)

    def load(self) -> KeySet:
        """Read the keys, making one first where there is none; racing processes get the same one.

        Raises:
            VaultUnavailable: others may read it, it is damaged, or it cannot be made.
        """
        with self._translated():
            self._open_directory()
            if not self.exists:
                self._make()
            return _read(self._path, follow=False)

    def keep(self, keys: KeySet) -> None:
        """Replace the file at once, by a finished one.

        Raises:
            VaultUnavailable: it cannot be written.
        """
        with self._translated():
            self._open_directory()
            os.replace(self._draft(keys), self._path)
            sync_directory(self._directory)

    def remove(self) -> None:
        """Delete the file, when its keys are kept elsewhere."""
        with self._translated():
            self._path.unlink(missing_ok=True)
            sync_directory(self._directory)

    def remove_drafts(self) -> None:
        """Delete what a write that was cut short left; only for who owns the data directory."""
        for path in self._directory.glob(f"{KEY_FILE}.*"):
            with suppress(OSError):
                path.unlink()

    def _make(self) -> None:
        # A link publishes the finished file at once and fails when there is one already, so that
        # nobody ever reads half a key and the first of two racing processes wins.
        draft = self._draft(KeySet(new_key()))
        try:
            with suppress(FileExistsError):
                os.link(draft, self._path)
        finally:
            os.unlink(draft)
        sync_directory(self._directory)

    def _draft(self, keys: KeySet) -> Path:
        draft = self._path.with_name(f"{KEY_FILE}.{token_hex(8)}")
        try:
            write_private(draft, keys.as_text().encode() + b"\n")
        except OSError:
            draft.unlink(missing_ok=True)
            raise
        return draft

    def _open_directory(self) -> None:
        make_private_directory(self._directory)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise VaultUnavailable(
                f"the vault key {self._path} cannot be used: {error.strerror}; make its directory "
                "readable and writable for this user only"
            ) from error


def make_private_directory(directory: Path) -> None:
    """Make the directory of keys, or check that nobody else can enter it.

    Raises:
        VaultUnavailable: others can enter it.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    _refuse_shared(directory, directory.stat(), 0o700)


def write_private(path: Path, content: bytes) -> None:
    """Write a new file that only this user can read, down to the disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def sync_directory(directory: Path) -> None:
    """Bring the names in a directory down to the disk."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path, *, follow: bool) -> KeySet:
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    descriptor = os.open(path, flags)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        _refuse_shared(path, found, 0o600)
        is_file = stat.S_ISREG(found.st_mode) and found.st_size <= KEY_FILE_LIMIT
        keys = decoded_keys(file.read(KEY_FILE_LIMIT)) if is_file else None
    if keys is None:
        raise VaultUnavailable(
            f"the vault key {path} is damaged; put its backup back, or move it away and "
            "set every credential again"
        )
    return keys


def _given(text: str, name: str) -> bytes:
    keys = decoded_keys(text.encode(errors="replace"))
    if keys is None or keys.former:
        raise VaultUnavailable(
            f"the vault key in the settings ({name}) is not base64 of {KEY_BYTES} bytes; make one "
            f"with `openssl rand -base64 {KEY_BYTES}`"
        )
    return keys.newest


def _refuse_shared(path: Path, found: os.stat_result, wanted: int) -> None:
    if found.st_uid != os.geteuid():
        raise VaultUnavailable(
            f"{path} belongs to another user; `chown {os.geteuid()} {path}` or use another data "
            "directory"
        )
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise VaultUnavailable(
            f"{path} can be reached by other users; `chmod {wanted:o} {path}`, and set the "
            "credentials again if somebody may have read it"
        )
