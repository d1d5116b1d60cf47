"""The key of the credentials."""

from __future__ import annotations

import base64
import sys
from pathlib import Path

import pytest
from tests.support.data_dirs import ENVIRON, do_what_it_says

from roost.doctor import Surroundings
from roost.doctor.keys import check_key
from roost.models import Severity
from roost.vault import load_key

KEY = base64.b64encode(b"k" * 32).decode()


def test_a_private_key_file_is_fine_and_its_content_is_not_told(around: Surroundings) -> None:
    finding = check_key(around)
    assert finding.severity is Severity.OK
    assert str(around.key_file) in finding.said
    assert around.key_file.read_text() not in finding.said


def test_the_file_the_vault_makes_passes(data_dir: Path) -> None:
    load_key(data_dir / "keys", None)
    assert check_key(Surroundings(data_dir, ENVIRON)).severity is Severity.OK


def test_a_given_key_is_fine_and_is_not_told(
    around: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROOST_VAULT_KEY", KEY)
    finding = check_key(around)
    assert finding.severity is Severity.OK
    assert "given by the settings" in finding.said
    assert KEY not in finding.said


@pytest.mark.parametrize("text", ["", "no base64!", base64.b64encode(b"short").decode(), "\u00fc"])
def test_a_given_key_that_is_none_is_a_problem(
    around: Surroundings, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("ROOST_VAULT_KEY", text)
    finding = check_key(around)
    assert finding.severity is Severity.PROBLEM
    assert not text or text not in finding.said


@pytest.mark.parametrize(("name", "mode"), [("keys", 0o750), ("keys/vault.key", 0o604)])
def test_a_key_that_others_can_reach_is_a_problem_until_it_is_closed(
    around: Surroundings, name: str, mode: int
) -> None:
    (around.data_dir / name).chmod(mode)
    finding = check_key(around)
    assert finding.severity is Severity.PROBLEM
    do_what_it_says(finding)
    assert check_key(around).severity is Severity.OK


def test_a_key_of_somebody_else_is_a_problem(around: Surroundings) -> None:
    around.uid = 54321
    finding = check_key(around)
    assert finding.severity is Severity.PROBLEM
    assert "chown 54321" in finding.mend


@pytest.mark.parametrize("content", [b"", b"half a key", base64.b64encode(bytes(31))])
def test_a_damaged_key_is_a_problem(around: Surroundings, content: bytes) -> None:
    around.key_file.write_bytes(content)
    finding = check_key(around)
    assert finding.severity is Severity.PROBLEM
    assert "damaged" in finding.said


def test_a_link_in_the_place_of_the_key_is_a_problem(around: Surroundings) -> None:
    elsewhere = around.data_dir / "elsewhere"
    around.key_file.rename(elsewhere)
    around.key_file.symlink_to(elsewhere)
    assert check_key(around).severity is Severity.PROBLEM


def test_a_missing_key_is_a_problem_when_something_is_stored_with_it(around: Surroundings) -> None:
    around.key_file.unlink()
    finding = check_key(around)
    assert finding.severity is Severity.PROBLEM
    assert "stored credentials need it (1 value)" in finding.said


def test_a_missing_key_is_fine_when_nothing_is_stored(data_dir: Path) -> None:
    assert check_key(Surroundings(data_dir, ENVIRON)).severity is Severity.OK


def test_a_missing_key_is_a_problem_when_a_killed_daemon_left_its_last_writes_in_the_log(
    data_dir: Path,
) -> None:
    around = Surroundings(data_dir, ENVIRON)
    around.write_ahead_log.write_bytes(b"frames of a database")
    finding = check_key(around)
    assert finding.severity is Severity.PROBLEM
    assert "what an ended daemon wrote last may need it" in finding.said


def test_a_key_in_the_keyring_is_named_by_its_entry_and_not_asked_for(
    around: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    around.key_file.unlink()
    around.key_marker.write_text("entry 0123 of 'roost' in the keyring (SecretService)\n")
    around.key_marker.chmod(0o600)
    finding = check_key(around)
    assert finding.severity is Severity.OK
    assert "entry 0123 of 'roost' in the keyring (SecretService)" in finding.said


def test_a_rotation_that_was_cut_short_is_told(around: Surroundings) -> None:
    around.key_file.write_text(f"{KEY}\n{KEY}\n")
    finding = check_key(around)
    assert finding.severity is Severity.WARNING
    assert "cut short" in finding.said and KEY not in finding.said


def test_a_given_file_is_told_and_must_be_there_and_private(
    around: Surroundings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "given"
    monkeypatch.setenv("ROOST_VAULT_KEY_FILE", str(path))
    assert "missing" in check_key(around).said
    path.write_text(KEY)
    path.chmod(0o644)
    around = Surroundings(around.data_dir, ENVIRON)
    finding = check_key(around)
    assert finding.severity is Severity.PROBLEM
    do_what_it_says(finding)
    finding = check_key(around)
    assert finding.severity is Severity.OK
    assert str(path) in finding.said


def test_two_given_keys_are_a_problem(
    around: Surroundings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROOST_VAULT_KEY", KEY)
    monkeypatch.setenv("ROOST_VAULT_KEY_FILE", str(tmp_path / "given"))
    assert check_key(around).severity is Severity.PROBLEM


@pytest.mark.parametrize("store", ["auto", "keyring", "file"])
def test_without_a_key_it_says_where_the_first_start_puts_one(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, store: str
) -> None:
    monkeypatch.setenv("ROOST_VAULT_KEY_STORE", store)
    said = check_key(Surroundings(data_dir, ENVIRON)).said
    assert ("keyring" in said) == (store != "file")
