"""A keyring for tests, chosen with PYTHON_KEYRING_BACKEND, that keeps its entries in a JSON file.

The variable `TEST_KEYRING_FILE` names the file. A file of the same name with `.locked` behind it
makes the keyring refuse, one with `.hangs` makes it never answer.
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError

NAME = "tests.support.file_keyring.FileKeyring"


class FileKeyring(KeyringBackend):
    """As good as a real one, apart from keeping secrets."""

    priority = 5.0

    def get_password(self, service: str, username: str) -> str | None:
        return self._entries().get(f"{service}/{username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self._write(self._entries() | {f"{service}/{username}": password})

    def delete_password(self, service: str, username: str) -> None:
        entries = self._entries()
        if entries.pop(f"{service}/{username}", None) is None:
            raise PasswordDeleteError("no such entry")
        self._write(entries)

    @property
    def _path(self) -> Path:
        return Path(os.environ["TEST_KEYRING_FILE"])

    def _entries(self) -> dict[str, str]:
        if self._path.with_name(f"{self._path.name}.hangs").exists():
            threading.Event().wait()
        if self._path.with_name(f"{self._path.name}.locked").exists():
            raise KeyringLocked("unlock it")
        found: dict[str, str] = json.loads(self._path.read_text()) if self._path.exists() else {}
        return found

    def _write(self, entries: dict[str, str]) -> None:
        draft = self._path.with_name(f"{self._path.name}.new")
        draft.write_text(json.dumps(entries))
        draft.replace(self._path)
