"""The vault's key in a real daemon: in a file, in a keyring, given; and its rotation."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.file_keyring import NAME
from tests.support.real_daemon import RealDaemon, real_daemon, roost, spellings
from tests.support.socket_dir import socket_dir

from roost.errors import DaemonStartFailed, Refused

pytestmark = pytest.mark.real

SECRET = "the-secret-value-0123456789"


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with socket_dir() as path:
        yield Path(path)


@pytest.fixture
def entries(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of the keyring that daemons of this test are given."""
    root = str(Path(__file__).parents[2])
    path = tmp_path / "keyring.json"
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", NAME)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([root, str(Path(root, "core"))]))
    monkeypatch.setenv("TEST_KEYRING_FILE", str(path))
    monkeypatch.setenv("ROOST_VAULT_KEY_STORE", "auto")
    return path


def value_in(daemon: RealDaemon) -> str:
    """Return the credential as the running process has it."""
    environ = Path(f"/proc/{daemon.pid_of('app')}/environ").read_bytes().split(b"\0")
    return next(item for item in environ if item.startswith(b"API_KEY=")).decode()[8:]


def text(key: bytes) -> str:
    return base64.b64encode(key).decode()


def test_after_a_rotation_the_same_process_goes_on_and_a_restart_has_the_same_value() -> None:
    with real_daemon() as daemon:
        daemon.install_mini("app", env={"API_KEY": "first"})
        daemon.set("app", API_KEY=SECRET)
        pid, key_file = daemon.pid_of("app"), daemon.data_dir / "keys" / "vault.key"
        old_key = key_file.read_text().strip()
        before = daemon.wire.get("/v1/vault")
        after = daemon.post("/v1/vault/rotate")
        assert (before["place"], before["described"]) == ("file", str(key_file))
        assert after["key_id"] != before["key_id"]
        assert after["values"] == before["values"] == 2
        assert daemon.pid_of("app") == pid
        new_key = key_file.read_text().strip()
        daemon.stop()
        again = RealDaemon(daemon.data_dir)
        assert value_in(again) == SECRET
        assert roost(daemon.data_dir, "vault", "show", "--json").stdout.count(after["key_id"]) == 1
        audit = (daemon.data_dir / "roost.db").read_bytes()
        log = (daemon.data_dir / "daemon.log").read_text()
        for key in (old_key, new_key):
            assert key not in log and key.encode() not in audit
        again.kill()
        assert value_in(RealDaemon(daemon.data_dir)) == SECRET


def test_a_daemon_keeps_and_rotates_its_key_in_the_keyring(data_dir: Path, entries: Path) -> None:
    daemon = RealDaemon(data_dir)
    try:
        daemon.workspace("w")
        daemon.install_mini("app", env={"API_KEY": SECRET})
        before = daemon.wire.get("/v1/vault")
        assert before["place"] == "keyring"
        assert "file_keyring" in before["described"]
        assert [path.name for path in (data_dir / "keys").iterdir()] == ["vault.keyring"]
        first = json.loads(entries.read_text())
        assert daemon.post("/v1/vault/rotate")["values"] == 1
        second = json.loads(entries.read_text())
        assert first.keys() == second.keys() and first != second
        assert len(next(iter(second.values())).split()) == 1
        daemon.stop()
        daemon = RealDaemon(data_dir)
        assert value_in(daemon) == SECRET
        assert "keyring" in roost(data_dir, "status").stdout
        finding = json.loads(roost(data_dir, "doctor", "--json").stdout)["findings"]
        assert any(f["check"] == "keyring" and "entry" in f["said"] for f in finding)
    finally:
        daemon.stop()


def test_a_locked_keyring_is_told_and_makes_no_new_key(data_dir: Path, entries: Path) -> None:
    daemon = RealDaemon(data_dir)
    daemon.stop()
    kept = entries.read_text()
    lock = entries.with_name(f"{entries.name}.locked")
    lock.touch()
    with pytest.raises(DaemonStartFailed):
        RealDaemon(data_dir)
    assert "unlock it or log in" in (data_dir / "daemon.log").read_text()
    assert [path.name for path in (data_dir / "keys").iterdir()] == ["vault.keyring"]
    lock.unlink()
    daemon = RealDaemon(data_dir)
    daemon.stop()
    assert entries.read_text() == kept


def test_a_key_given_by_environment_is_rotated_by_a_restart_with_the_one_before(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = text(os.urandom(32)), text(os.urandom(32))
    monkeypatch.setenv("ROOST_VAULT_KEY", old)
    daemon = RealDaemon(data_dir)
    try:
        daemon.workspace("w")
        daemon.install_mini("app", env={"API_KEY": SECRET})
        with pytest.raises(Refused, match="ROOST_VAULT_KEY_PREVIOUS"):
            daemon.post("/v1/vault/rotate")
        daemon.stop()
        monkeypatch.setenv("ROOST_VAULT_KEY", new)
        monkeypatch.setenv("ROOST_VAULT_KEY_PREVIOUS", old)
        daemon = RealDaemon(data_dir)
        assert value_in(daemon) == SECRET
        daemon.stop()
        monkeypatch.delenv("ROOST_VAULT_KEY_PREVIOUS")
        daemon = RealDaemon(data_dir)
        assert value_in(daemon) == SECRET
        assert daemon.wire.get("/v1/vault")["values_of_former_keys"] == 0
        log = (data_dir / "daemon.log").read_bytes()
        for needle in [n for key in (old, new) for n in spellings(key).values()]:
            assert needle not in log
    finally:
        daemon.stop()
