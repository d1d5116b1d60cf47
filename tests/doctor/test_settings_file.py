"""The settings: readable, valid, known, and the ones the daemon runs with."""

from __future__ import annotations

import pytest
from tests.support.data_dirs import ENVIRON

from roost.doctor import Surroundings
from roost.doctor.settings_file import check_settings
from roost.models import Severity
from roost.settings.daemon_settings import DaemonSettings, read_settings


def write(around: Surroundings, text: str) -> None:
    (around.data_dir / "settings.toml").write_text(text)


def test_no_file_is_fine(around: Surroundings) -> None:
    assert check_settings(around).severity is Severity.OK


def test_a_valid_file_is_fine(around: Surroundings) -> None:
    write(around, "starts_at_once = 2\n")
    finding = check_settings(around)
    assert finding.severity is Severity.OK
    assert "settings.toml" in finding.said


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("starts_at_once = 0\n", "starts_at_once"),
        ("shutdown_deadline_s = 'soon'\n", "shutdown_deadline_s"),
    ],
)
def test_a_bad_value_is_a_problem_that_names_its_key(
    around: Surroundings, text: str, key: str
) -> None:
    write(around, text)
    finding = check_settings(around)
    assert finding.severity is Severity.PROBLEM
    assert key in finding.said
    assert f"{key} in {around.data_dir}/settings.toml" in finding.mend


def test_a_bad_variable_is_named_as_one(
    around: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROOST_STARTS_AT_ONCE", "many")
    finding = check_settings(around)
    assert finding.severity is Severity.PROBLEM
    assert "ROOST_STARTS_AT_ONCE" in finding.mend


def test_a_bad_variable_is_named_although_the_file_sets_the_same(
    around: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(around, "starts_at_once = 2\n")
    monkeypatch.setenv("ROOST_STARTS_AT_ONCE", "many")
    finding = check_settings(around)
    assert finding.severity is Severity.PROBLEM
    assert finding.mend.endswith("correct ROOST_STARTS_AT_ONCE")


def test_a_file_that_is_no_toml_is_a_problem(around: Surroundings) -> None:
    write(around, "starts_at_once = = 1\n")
    finding = check_settings(around)
    assert finding.severity is Severity.PROBLEM
    assert "not valid TOML" in finding.said
    assert f"{around.data_dir}/settings.toml" in finding.mend


def test_a_directory_in_the_place_of_the_file_is_told(around: Surroundings) -> None:
    (around.data_dir / "settings.toml").mkdir()
    assert check_settings(around).severity in (Severity.PROBLEM, Severity.OK)


def test_a_key_that_does_not_exist_is_a_warning_with_the_one_that_was_meant(
    around: Surroundings,
) -> None:
    write(around, "starts_at_onec = 2\nfoo = 1\n")
    finding = check_settings(around)
    assert finding.severity is Severity.WARNING
    assert "starts_at_onec (is it starts_at_once?) and foo" in finding.said


def test_no_secret_of_the_file_is_told(around: Surroundings) -> None:
    write(around, "vault_key = 12345678901\n")
    finding = check_settings(around)
    assert "12345678901" not in finding.said + finding.mend


def test_a_daemon_that_runs_with_other_settings_is_told(around: Surroundings) -> None:
    running = read_settings({"data_dir": around.data_dir})
    inside = Surroundings(around.data_dir, ENVIRON, running=running)
    write(around, "starts_at_once = 9\n")
    finding = check_settings(inside)
    assert finding.severity is Severity.WARNING
    assert "starts_at_once" in finding.said
    write(around, f"starts_at_once = {DaemonSettings().starts_at_once}\n")
    again = Surroundings(around.data_dir, ENVIRON, running=running)
    assert check_settings(again).severity is Severity.OK
