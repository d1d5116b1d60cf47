"""Where the vault key comes from and who may read it."""

from __future__ import annotations

import base64
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from roost.errors import VaultUnavailable
from roost.vault import KEY_FILE, KeyFile, load_key


def test_a_key_is_made_once_and_only_its_owner_reaches_it(tmp_path: Path) -> None:
    directory = tmp_path / "vault"
    key = load_key(directory, None)
    assert len(key) == 32
    assert load_key(directory, None) == key
    assert directory.stat().st_mode & 0o777 == 0o700
    assert (directory / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert os.listdir(directory) == [KEY_FILE]


def test_racing_makers_get_one_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = tmp_path / "vault"
    directory.mkdir(mode=0o700)
    gate = Barrier(4)
    make = KeyFile._make

    def make_together(self: KeyFile) -> None:
        gate.wait(30)
        make(self)

    monkeypatch.setattr(KeyFile, "_make", make_together)
    with ThreadPoolExecutor(4) as pool:
        keys = set(pool.map(lambda _: load_key(directory, None), range(4)))
    assert len(keys) == 1
    assert os.listdir(directory) == [KEY_FILE]


def test_a_given_key_leaves_the_directory_alone(tmp_path: Path) -> None:
    given = base64.b64encode(b"g" * 32).decode()
    assert load_key(tmp_path / "vault", given) == b"g" * 32
    assert not (tmp_path / "vault").exists()


@pytest.mark.parametrize("given", ["", "short", "&&&", base64.b64encode(b"g" * 31).decode(), "é"])
def test_a_malformed_given_key_is_refused_without_being_repeated(
    tmp_path: Path, given: str
) -> None:
    with pytest.raises(VaultUnavailable, match="base64 of 32 bytes") as caught:
        load_key(tmp_path, given)
    assert not given or given not in str(caught.value).replace("openssl rand -base64", "")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    load_key(tmp_path / "vault", None)
    (tmp_path / "vault" / KEY_FILE).chmod(mode)
    with pytest.raises(VaultUnavailable, match="chmod 600"):
        load_key(tmp_path / "vault", None)


def test_a_directory_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    load_key(tmp_path / "vault", None)
    (tmp_path / "vault").chmod(0o755)
    with pytest.raises(VaultUnavailable, match="chmod 700"):
        load_key(tmp_path / "vault", None)


@pytest.mark.parametrize("content", [b"", b"garbage", base64.b64encode(b"k" * 16)])
def test_a_broken_key_file_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    load_key(tmp_path / "vault", None)
    path = tmp_path / "vault" / KEY_FILE
    path.write_bytes(content)
    with pytest.raises(VaultUnavailable, match="backup"):
        load_key(tmp_path / "vault", None)
    assert path.read_bytes() == content


def test_a_key_file_that_is_a_link_is_refused(tmp_path: Path) -> None:
    load_key(tmp_path / "vault", None)
    path = tmp_path / "vault" / KEY_FILE
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(VaultUnavailable, match="cannot be used"):
        load_key(tmp_path / "vault", None)


def test_a_directory_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(VaultUnavailable, match="cannot be used"):
        load_key(tmp_path / "file" / "vault", None)
