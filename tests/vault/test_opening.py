"""Where the keys are found and kept: given, in the keyring, or in a file."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import keyring
import keyring.backends.chainer
import keyring.backends.fail
import keyring.backends.null
import pytest
from keyring.backend import KeyringBackend
from tests.support.file_keyring import FileKeyring

from roost.errors import Refused, VaultUnavailable
from roost.models import KeyPlace
from roost.settings.daemon_settings import VaultKeyStore
from roost.vault import KeyChoice, KeyHolder, KeySet, open_keys
from roost.vault.keyring_entry import MARKER, KeyringEntry, usable_backend
from roost.vault.keys import KEY_FILE

A_KEYRING = {"PYTHON_KEYRING_BACKEND": "some"}
KEY, OTHER = b"k" * 32, b"o" * 32


def text(key: bytes) -> str:
    return base64.b64encode(key).decode()


@pytest.fixture
def entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a keyring that answers."""
    path = tmp_path / "keyring.json"
    monkeypatch.setenv("TEST_KEYRING_FILE", str(path))
    use(monkeypatch, made(FileKeyring))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def made(kind: Any) -> KeyringBackend:
    backend: KeyringBackend = kind()
    return backend


def use(monkeypatch: pytest.MonkeyPatch, backend: KeyringBackend) -> None:
    monkeypatch.setattr(keyring, "get_keyring", lambda: backend)


def opened(folder: Path, store: VaultKeyStore = VaultKeyStore.AUTO) -> tuple[KeyHolder, KeySet]:
    return open_keys(KeyChoice(store=store), folder, "data-1", A_KEYRING)


def test_a_new_data_directory_uses_the_keyring_and_remembers_it(
    folder: Path, entries: Path
) -> None:
    holder, keys = opened(folder)
    assert holder.place is KeyPlace.KEYRING
    assert json.loads(entries.read_text()) == {"roost/data-1": text(keys.newest)}
    assert os.listdir(folder) == [MARKER]
    assert (folder / MARKER).stat().st_mode & 0o777 == 0o600
    assert text(keys.newest) not in (folder / MARKER).read_text()
    assert opened(folder)[1] == keys


def test_a_data_directory_with_a_key_file_goes_on_with_it(folder: Path, entries: Path) -> None:
    _, keys = opened(folder, VaultKeyStore.FILE)
    holder, again = opened(folder)
    assert (holder.place, again) == (KeyPlace.FILE, keys)
    assert not entries.exists()


@pytest.mark.parametrize("backend", [keyring.backends.fail.Keyring, keyring.backends.null.Keyring])
def test_without_a_usable_keyring_a_file_is_made(
    folder: Path, monkeypatch: pytest.MonkeyPatch, backend: type[KeyringBackend]
) -> None:
    use(monkeypatch, made(backend))
    assert opened(folder)[0].place is KeyPlace.FILE
    assert os.listdir(folder) == [KEY_FILE]


def test_a_keyring_that_fails_at_the_first_start_is_none(folder: Path, entries: Path) -> None:
    entries.with_name("keyring.json.locked").touch()
    assert opened(folder)[0].place is KeyPlace.FILE


@pytest.mark.parametrize("store", [VaultKeyStore.AUTO, VaultKeyStore.KEYRING, VaultKeyStore.FILE])
@pytest.mark.parametrize("trouble", ["locked", "entry gone", "other keyring", "damaged"])
def test_a_key_that_is_in_the_keyring_is_never_replaced_by_a_new_one(
    folder: Path,
    entries: Path,
    monkeypatch: pytest.MonkeyPatch,
    store: VaultKeyStore,
    trouble: str,
) -> None:
    opened(folder)
    kept = entries.read_text()
    match trouble:
        case "locked":
            entries.with_name("keyring.json.locked").touch()
        case "entry gone":
            entries.write_text("{}")
        case "other keyring":
            use(monkeypatch, made(keyring.backends.fail.Keyring))
        case "damaged":
            entries.write_text(json.dumps({"roost/data-1": "no key"}))
    before = entries.read_text()
    with pytest.raises(VaultUnavailable, match=r"keyring") as caught:
        opened(folder, store)
    assert entries.read_text() == before
    assert os.listdir(folder) == [MARKER]
    assert json.loads(kept)["roost/data-1"] not in str(caught.value)


def test_a_lost_marker_is_no_reason_for_a_new_key(folder: Path, entries: Path) -> None:
    _, keys = opened(folder)
    (folder / MARKER).unlink()
    assert opened(folder)[1] == keys
    assert os.listdir(folder) == [MARKER]


def test_a_lost_marker_beside_stored_values_makes_no_key_while_the_keyring_is_locked(
    folder: Path, entries: Path
) -> None:
    entries.with_name("keyring.json.locked").touch()
    with pytest.raises(VaultUnavailable, match="unlock it"):
        open_keys(KeyChoice(), folder, "data-1", A_KEYRING, is_empty=False)
    assert not folder.exists()


def test_a_keyring_that_hangs_is_given_up_on_and_not_asked_twice(
    folder: Path, entries: Path
) -> None:
    entries.with_name("keyring.json.hangs").touch()
    entry = KeyringEntry(folder, "data-1", timeout_s=0.05)
    with pytest.raises(VaultUnavailable, match=r"did not answer within 0\.05 s"):
        entry.load()
    with pytest.raises(VaultUnavailable, match="has not answered an earlier question"):
        entry.keep(KeySet(KEY))


def test_a_keyring_that_keeps_nothing_is_found_out(
    folder: Path, entries: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FileKeyring, "set_password", lambda *arguments: None)
    with pytest.raises(VaultUnavailable, match="was not kept"):
        opened(folder, VaultKeyStore.KEYRING)
    assert not (folder / MARKER).exists()


def test_the_setting_moves_the_key_into_the_keyring_and_back(folder: Path, entries: Path) -> None:
    _, keys = opened(folder, VaultKeyStore.FILE)
    holder, moved = opened(folder, VaultKeyStore.KEYRING)
    assert (holder.place, moved) == (KeyPlace.KEYRING, keys)
    assert os.listdir(folder) == [MARKER]
    holder, back = opened(folder, VaultKeyStore.FILE)
    assert (holder.place, back) == (KeyPlace.FILE, keys)
    assert os.listdir(folder) == [KEY_FILE]
    assert json.loads(entries.read_text()) == {}


def test_a_move_that_was_cut_short_keeps_both_keys(folder: Path, entries: Path) -> None:
    _, in_keyring = opened(folder)
    marker = (folder / MARKER).read_bytes()
    (folder / MARKER).unlink()
    _, in_file = opened(folder, VaultKeyStore.FILE)
    (folder / MARKER).write_bytes(marker)
    _, keys = opened(folder, VaultKeyStore.KEYRING)
    assert keys.all == (in_file.newest, in_keyring.newest)
    assert not (folder / KEY_FILE).exists()


def test_two_keys_are_kept_and_read_in_every_place(folder: Path, entries: Path) -> None:
    for store in (VaultKeyStore.FILE, VaultKeyStore.KEYRING):
        holder, keys = opened(folder, store)
        both = keys.behind(OTHER)
        holder.keep(both)
        assert opened(folder, store)[1] == both
        assert both.all == (OTHER, keys.newest)
        holder.keep(keys)


def test_a_chain_uses_the_first_keyring_that_keeps_secrets(
    entries: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class PlaintextKeyring(FileKeyring):
        pass

    class Weak(FileKeyring):
        priority = 0.5

    class Chain(keyring.backends.chainer.ChainerBackend):
        backends: tuple[KeyringBackend, ...] = (
            made(PlaintextKeyring),
            made(Weak),
            made(FileKeyring),
        )

    use(monkeypatch, made(Chain))
    found = usable_backend()
    assert type(found) is FileKeyring
    Chain.backends = ()
    assert usable_backend() is None


def test_a_given_file_is_read_with_the_key_before_it(tmp_path: Path, folder: Path) -> None:
    given = tmp_path / "given"
    given.write_text(f"{text(KEY)}\n")
    given.chmod(0o600)
    choice = KeyChoice(given_file=given, previous=text(OTHER))
    holder, keys = open_keys(choice, folder, "data-1", A_KEYRING)
    assert (holder.place, holder.described) == (KeyPlace.GIVEN_FILE, str(given))
    assert keys.all == (KEY, OTHER)
    assert not folder.exists()


@pytest.mark.parametrize(
    ("mode", "content", "said"),
    [
        (0o640, text(KEY), "chmod 600"),
        (0o604, text(KEY), "chmod 600"),
        (0o600, "no key", "damaged"),
        (0o600, "", "damaged"),
        (0o600, None, "ROOST_VAULT_KEY_FILE"),
    ],
)
def test_a_given_file_that_is_unfit_is_refused(
    tmp_path: Path, folder: Path, mode: int, content: str | None, said: str
) -> None:
    given = tmp_path / "given"
    if content is not None:
        given.write_text(content)
        given.chmod(mode)
    with pytest.raises(VaultUnavailable, match=said):
        open_keys(KeyChoice(given_file=given), folder, "data-1", A_KEYRING)


def test_two_given_keys_are_refused(tmp_path: Path, folder: Path) -> None:
    choice = KeyChoice(given=text(KEY), given_file=tmp_path / "given")
    with pytest.raises(VaultUnavailable, match="keep one of them"):
        open_keys(choice, folder, "data-1", A_KEYRING)


def test_a_given_key_is_replaced_by_the_operator_alone(tmp_path: Path, folder: Path) -> None:
    given = tmp_path / "given"
    given.write_text(text(KEY))
    given.chmod(0o600)
    for choice in (KeyChoice(given=text(KEY)), KeyChoice(given_file=given)):
        holder, keys = open_keys(choice, folder, "data-1", A_KEYRING)
        with pytest.raises(Refused, match="ROOST_VAULT_KEY_PREVIOUS"):
            holder.keep(keys)
    assert given.read_text() == text(KEY)


def test_neither_choice_nor_keys_show_themselves() -> None:
    shown = repr((KeyChoice(given=text(KEY), previous=text(OTHER)), KeySet(KEY, (OTHER,))))
    assert text(KEY) not in shown and text(OTHER) not in shown
    assert "kkkk" not in shown and "oooo" not in shown


def test_the_keyring_package_is_not_loaded_where_a_file_or_a_given_key_is_used(
    tmp_path: Path,
) -> None:
    program = (
        "import sys; from pathlib import Path;"
        "from roost.vault import KeyChoice, open_keys;"
        f"open_keys(KeyChoice(given={text(KEY)!r}), Path({str(tmp_path)!r}), 'd', {A_KEYRING!r});"
        f"open_keys(KeyChoice(), Path({str(tmp_path / 'keys')!r}), 'd', {{}});"
        f"open_keys(KeyChoice(), Path({str(tmp_path / 'keys')!r}), 'd', {A_KEYRING!r});"
        "print('keyring' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "False\n"
