"""The key of the credentials: where it is, and whether it is fit to be used."""

from __future__ import annotations

import base64
import binascii
import os
import stat
from pathlib import Path

from roost.doctor.database import count_rows
from roost.doctor.findings import command, ok, problem
from roost.doctor.surroundings import Surroundings
from roost.models.doctor import Finding

KEY_BYTES = 32
_NAME = "keyring"


def check_key(around: Surroundings) -> Finding:
    """Say where the key comes from; the daemon itself tells whether it opens what is stored."""
    settings = around.used_settings()
    if settings is not None and settings.vault_key is not None:
        return _given(settings.vault_key.get_secret_value())
    if not os.path.lexists(around.key_file):
        return _absent(around)
    return _file(around.key_file, around)


def _given(text: str) -> Finding:
    if not _is_key(text.encode(errors="replace")):
        return problem(
            _NAME,
            f"the key that the settings give is not base64 of {KEY_BYTES} bytes",
            f"make one with {command('openssl', 'rand', '-base64', str(KEY_BYTES))} and give it as "
            "ROOST_VAULT_KEY",
        )
    return ok(_NAME, "the key of the credentials is given by the settings; no file keeps it")


def _absent(around: Surroundings) -> Finding:
    count = count_rows(around, "credentials")
    if not count:
        return ok(
            _NAME, "there is no key yet; the first start makes a file that you alone can read"
        )
    values = "1 value" if count == 1 else f"{count} values"
    return problem(
        _NAME,
        f"{around.key_file} is missing, and stored credentials need it ({values})",
        "put its backup back; without one, the next start makes a new key and every credential "
        "has to be set again",
    )


def _file(path: Path, around: Surroundings) -> Finding:
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode):
        return problem(
            _NAME,
            f"{path} is no file of its own, so no daemon reads it",
            "put the key itself there, not a link to it",
        )
    if found.st_uid != around.uid and around.uid != 0:
        return problem(
            _NAME,
            f"{path} belongs to the user with id {found.st_uid}, so no daemon of yours reads it",
            f"take it over with {command('sudo', 'chown', str(around.uid), path)}",
        )
    for place, mode in ((path.parent, 0o700), (path, 0o600)):
        if place.stat().st_mode & 0o077:
            return problem(
                _NAME,
                f"{place} can be reached by other users, so no daemon uses the key",
                f"close it with {command('chmod', f'{mode:o}', place)}, and set the credentials "
                "again if somebody may have read it",
            )
    return _content(path)


def _content(path: Path) -> Finding:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        is_key = _is_key(file.read(1024))
    if not is_key:
        return problem(
            _NAME,
            f"{path} is damaged: it is not base64 of {KEY_BYTES} bytes",
            "put its backup back, or move it away and set every credential again",
        )
    return ok(_NAME, f"no keyring of the system is used; the key is in {path} (0600)")


def _is_key(text: bytes) -> bool:
    try:
        return len(base64.b64decode(text.strip(), validate=True)) == KEY_BYTES
    except (binascii.Error, ValueError):
        return False
