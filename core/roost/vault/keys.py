"""Where the vault's key comes from: given by the operator, or a file only its owner can read."""

from __future__ import annotations

import base64
import binascii
import os
import stat
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Protocol

from roost.errors import VaultUnavailable

KEY_BYTES = 32
"""AES-256."""

KEY_FILE = "vault.key"
"""Name of the key file inside its directory."""


class KeyStore(Protocol):
    """A place that keeps one key."""

    def load(self) -> bytes:
        """Return the key, making one first where there is none.

        Raises:
            VaultUnavailable: the key cannot be read or made.
        """
        ...


def load_key(directory: Path, given: str | None) -> bytes:
    """Return the vault's key.

    Args:
        directory: private directory of the key file; made when missing.
        given: base64 of a 32-byte key from the settings; the key file is left alone then.

    Raises:
        VaultUnavailable: the key is malformed, readable by others, or cannot be made.
    """
    source: KeyStore = KeyFile(directory) if given is None else GivenKey(given)
    return source.load()


class GivenKey:
    """A key handed over by the settings.

    Args:
        text: base64 of 32 bytes.
    """

    def __init__(self, text: str) -> None:
        self._text = text

    def load(self) -> bytes:
        """Decode the key.

        Raises:
            VaultUnavailable: it is not base64 of 32 bytes.
        """
        key = _decoded(self._text.encode(errors="replace"))
        if key is None:
            raise VaultUnavailable(
                f"the vault key in the settings is not base64 of {KEY_BYTES} bytes; make one with "
                f"`openssl rand -base64 {KEY_BYTES}`"
            )
        return key


class KeyFile:
    """A key in a 0600 file in a 0700 directory.

    Args:
        directory: where `vault.key` lies.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._path = directory / KEY_FILE

    def load(self) -> bytes:
        """Read the key, making it first where there is none; racing processes get the same one.

        Raises:
            VaultUnavailable: others may read it, it is damaged, or it cannot be made.
        """
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            _refuse_shared(self._directory, self._directory.stat(), 0o700)
            if not os.path.lexists(self._path):
                self._make()
            return self._read()
        except OSError as error:
            raise VaultUnavailable(
                f"the vault key {self._path} cannot be used: {error.strerror}; make its directory "
                "readable and writable for this user only"
            ) from error

    def _make(self) -> None:
        # A link publishes the finished file at once and fails when there is one already, so that
        # nobody ever reads half a key and the first of two racing processes wins.
        draft = self._path.with_name(f"{KEY_FILE}.{token_hex(8)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(base64.b64encode(os.urandom(KEY_BYTES)) + b"\n")
                file.flush()
                os.fsync(descriptor)
            with suppress(FileExistsError):
                os.link(draft, self._path)
        finally:
            os.unlink(draft)
        _sync_directory(self._directory)

    def _read(self) -> bytes:
        descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            _refuse_shared(self._path, found, 0o600)
            key = _decoded(file.read(1024)) if stat.S_ISREG(found.st_mode) else None
        if key is None:
            raise VaultUnavailable(
                f"the vault key {self._path} is damaged; put its backup back, or move it away and "
                "set every credential again"
            )
        return key


def _decoded(text: bytes) -> bytes | None:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        return None
    return key if len(key) == KEY_BYTES else None


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


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
