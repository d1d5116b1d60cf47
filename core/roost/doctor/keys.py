"""The key of the credentials: where it is, and whether it is fit to be used."""

from __future__ import annotations

import base64
import binascii
import os
import stat
from pathlib import Path

from roost.doctor.database import count_rows, has_pending_log
from roost.doctor.findings import command, ok, problem, warning
from roost.doctor.surroundings import Surroundings
from roost.models.doctor import Finding
from roost.settings.daemon_settings import DaemonSettings, VaultKeyStore

KEY_BYTES = 32
_NAME = "keyring"


def check_key(around: Surroundings) -> Finding:
    """Say where the key comes from; the daemon itself tells whether it opens what is stored."""
    settings = around.used_settings()
    if settings is not None and (given := _given(settings, around)):
        return given
    store = settings.vault_key_store if settings is not None else VaultKeyStore.AUTO
    if os.path.lexists(around.key_file):
        return _file(around.key_file, around)
    if os.path.lexists(around.key_marker):
        return _marked(around)
    return _absent(around, store)


def _given(settings: DaemonSettings, around: Surroundings) -> Finding | None:
    """Return the finding about a key that the settings give, or None when they give none."""
    if settings.vault_key is not None and settings.vault_key_file is not None:
        return problem(
            _NAME,
            "both ROOST_VAULT_KEY and ROOST_VAULT_KEY_FILE give a key, so no daemon starts",
            "keep one of them",
        )
    if settings.vault_key_file is not None:
        return _given_file(settings.vault_key_file.expanduser().absolute(), around)
    if settings.vault_key is None:
        return None
    if _keys_in(settings.vault_key.text.encode(errors="replace")) != 1:
        return problem(
            _NAME,
            f"the key that the settings give is not base64 of {KEY_BYTES} bytes",
            f"make one with {command('openssl', 'rand', '-base64', str(KEY_BYTES))} and give it as "
            "ROOST_VAULT_KEY",
        )
    return ok(_NAME, "the key of the credentials is given by the settings; no file keeps it")


def _given_file(path: Path, around: Surroundings) -> Finding:
    if not path.exists():
        return problem(
            _NAME,
            f"{path}, which ROOST_VAULT_KEY_FILE names, is missing, so no daemon starts",
            "put the key there, or correct ROOST_VAULT_KEY_FILE",
        )
    return _unfit(path, path.stat(), around, ((path, 0o600),)) or _content(
        path, f"the key of the credentials is in {path}, which the settings name"
    )


def _absent(around: Surroundings, store: VaultKeyStore) -> Finding:
    count = count_rows(around, "credentials")
    if not count and has_pending_log(around):
        return _lost(around, "what an ended daemon wrote last may need it")
    if not count:
        where = {
            VaultKeyStore.AUTO: "puts one into the keyring of the system, or makes a file that you "
            "alone can read",
            VaultKeyStore.KEYRING: "puts one into the keyring of the system",
            VaultKeyStore.FILE: "makes a file that you alone can read",
        }
        return ok(_NAME, f"there is no key yet; the first start {where[store]}")
    values = "1 value" if count == 1 else f"{count} values"
    return _lost(around, f"stored credentials need it ({values})")


def _lost(around: Surroundings, why: str) -> Finding:
    return problem(
        _NAME,
        f"{around.key_file} is missing, and {why}",
        "put its backup back; without one, the next start makes a new key and every credential "
        "has to be set again",
    )


def _marked(around: Surroundings) -> Finding:
    """Name the entry of the keyring, which is not asked: a locked one does not answer."""
    path = around.key_marker
    places = ((path.parent, 0o700), (path, 0o600))
    if unfit := _unfit(path, path.lstat(), around, places):
        return unfit
    entry = " ".join(path.read_text(errors="replace")[:300].split())
    return ok(_NAME, f"the key of the credentials is in {entry or 'the keyring of the system'}")


def _file(path: Path, around: Surroundings) -> Finding:
    places = ((path.parent, 0o700), (path, 0o600))
    if unfit := _unfit(path, path.lstat(), around, places):
        return unfit
    return _content(path, f"no keyring of the system is used; the key is in {path} (0600)")


def _unfit(
    path: Path, found: os.stat_result, around: Surroundings, places: tuple[tuple[Path, int], ...]
) -> Finding | None:
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
    for place, mode in places:
        if place.stat().st_mode & 0o077:
            return problem(
                _NAME,
                f"{place} can be reached by other users, so no daemon uses the key",
                f"close it with {command('chmod', f'{mode:o}', place)}, and set the credentials "
                "again if somebody may have read it",
            )
    return None


def _content(path: Path, fine: str) -> Finding:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        keys = _keys_in(file.read(4096))
    if not keys:
        return problem(
            _NAME,
            f"{path} is damaged: it is not base64 of {KEY_BYTES} bytes",
            "put its backup back, or move it away and set every credential again",
        )
    if keys > 1:
        return warning(
            _NAME,
            f"{path} holds a former key too, because a rotation was cut short",
            "restart the daemon with `roost down` and `roost`, which finishes it",
        )
    return ok(_NAME, fine)


def _keys_in(text: bytes) -> int:
    """Return how many keys a text is, 0 when it is something else."""
    words = text.split()
    return len(words) if words and all(_is_key(word) for word in words) else 0


def _is_key(text: bytes) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == KEY_BYTES
    except (binascii.Error, ValueError):
        return False
