"""The settings: from where each is taken, and how one that does not fit is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from roost.errors import BadConfigFile
from roost.settings.daemon_settings import SETTINGS, DaemonSettings, VaultKeyStore, read_settings

SECRET = "hunter2-hunter2"

# Name, a text that fits, what that means, and a text that does not fit.
EACH: tuple[tuple[str, str, Any, str], ...] = (
    ("vault_key_store", "file", VaultKeyStore.FILE, "FILE"),
    ("starts_at_once", "7", 7, "257"),
    ("log_file_bytes", "65536", 65536, "65535"),
    ("log_files_kept", "1000", 1000, "0"),
    ("log_generations_kept", "2", 2, "1"),
    ("log_bundle_bytes", "65536", 65536, "65535"),
    ("daemon_log_bytes", "65536", 65536, "65535"),
    ("daemon_logs_kept", "100", 100, "101"),
    ("shutdown_deadline_s", "0.5", 0.5, "0"),
    ("figures_interval_s", "0.1", 0.1, "0.09"),
    ("run_window_s", "1", 1.0, "0.5"),
    ("run_days_kept", "0.5", 0.5, "-1"),
    ("runs_kept", "1", 1, "0"),
    ("run_events_kept", "1", 1, "0"),
)

TEXTS = ("data_dir", "vault_key", "vault_key_file", "vault_key_previous")

NO_NUMBERS = (
    "",
    "many",
    "nan",
    "true",
    "0x4",
    "4,5",
    "\u0664",
    "\udcff",
    f"{SECRET}\udcff",
    "9" * 5000,
)


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETTINGS:
        monkeypatch.delenv(f"ROOST_{name.upper()}", raising=False)


def read(data_dir: Path, text: str = "", **flags: Any) -> DaemonSettings:
    (data_dir / "settings.toml").write_bytes(text.encode("utf-8"))
    return read_settings({"data_dir": str(data_dir), **flags})


def refusal(data_dir: Path, text: str = "", **flags: Any) -> BadConfigFile:
    with pytest.raises(BadConfigFile) as raised:
        read(data_dir, text, **flags)
    return raised.value


def test_every_setting_is_covered_here() -> None:
    assert sorted([*TEXTS, *(name for name, *_ in EACH)]) == sorted(SETTINGS)


@pytest.mark.parametrize(("name", "text", "value", "_bad"), EACH)
def test_a_flag_goes_before_a_variable_and_a_variable_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: Any, _bad: str
) -> None:
    default = getattr(DaemonSettings(), name)
    assert getattr(read(tmp_path), name) == default != value
    in_file = f"{name} = {text!r}\n" if isinstance(value, str) else f"{name} = {text}\n"
    assert getattr(read(tmp_path, in_file), name) == value
    monkeypatch.setenv(f"ROOST_{name.upper()}", str(default))
    assert getattr(read(tmp_path, in_file), name) == default
    assert getattr(read(tmp_path, in_file, **{name: text}), name) == value
    assert getattr(read(tmp_path, in_file, **{name: None}), name) == default


@pytest.mark.parametrize(("name", "_text", "_value", "bad"), EACH)
def test_a_value_that_does_not_fit_is_told_by_its_place_and_what_it_must_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, _text: str, _value: Any, bad: str
) -> None:
    file = tmp_path / "settings.toml"
    by_file = refusal(tmp_path, f'{name} = "{bad}"\n')
    by_flag = refusal(tmp_path, **{name: bad})
    monkeypatch.setenv(f"ROOST_{name.upper()}", bad)
    by_variable = refusal(tmp_path, f"{name} = []\n")
    places = (f"{name} in {file}", f"--{name.replace('_', '-')}", f"ROOST_{name.upper()}")
    for place, error in zip(places, (by_file, by_flag, by_variable), strict=True):
        assert f"{place} must be " in error.message
        assert error.message.endswith("Correct them, or take them out for the defaults")
        assert error.details == {"settings": [name], "places": [place]}


def test_everything_that_does_not_fit_is_told_at_once(tmp_path: Path) -> None:
    error = refusal(tmp_path, "runs_kept = 0\nstarts_at_once = 'x'\nvault_key = 1\n")
    assert error.details["settings"] == ["vault_key", "starts_at_once", "runs_kept"]
    assert "must be a text" in error.message
    assert "must be a whole number of at least 1 and at most 256" in error.message
    assert "must be a whole number of at least 1." in error.message


@pytest.mark.parametrize("text", NO_NUMBERS, ids=lambda text: ascii(text)[:20])
@pytest.mark.parametrize("name", ["starts_at_once", "vault_key_store"])
def test_a_variable_that_means_nothing_is_refused_and_never_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    monkeypatch.setenv(f"ROOST_{name.upper()}", text)
    error = refusal(tmp_path)
    assert SECRET not in error.message + json.dumps(error.details)
    assert len(error.message) < 200


@pytest.mark.parametrize("text", [" 7 ", "7\n", "+7", "07", "7.0", "0_7", "7e0"])
def test_a_number_is_read_as_people_write_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("ROOST_STARTS_AT_ONCE", text)
    monkeypatch.setenv("ROOST_RUN_WINDOW_S", text)
    settings = read(tmp_path)
    assert repr(settings.starts_at_once) == "7"
    assert repr(settings.run_window_s) == "7.0"


@pytest.mark.parametrize(
    "value", ["true", "7.5", "nan", "[7]", "{}", "1979-05-27", "1979-05-27T07:32:00Z", "''"]
)
def test_toml_of_another_kind_is_refused(tmp_path: Path, value: str) -> None:
    error = refusal(tmp_path, f"starts_at_once = {value}\n")
    assert error.details["settings"] == ["starts_at_once"]


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("value", ["7", "true", "[]", "1979-05-27"])
def test_what_has_to_be_a_text_is_not_made_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    (tmp_path / "settings.toml").write_text(f"{name} = {value}\n")
    monkeypatch.setattr("roost.settings.daemon_settings.default_data_dir", lambda: str(tmp_path))
    with pytest.raises(BadConfigFile) as raised:
        read_settings({})
    error = raised.value
    assert f"{name} in " in error.message
    assert "must be a text" in error.message


def test_a_variable_is_read_whatever_its_case(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("roost_Starts_At_Once", "0")
    assert refusal(tmp_path).details["places"] == ["roost_Starts_At_Once"]


def test_what_is_no_setting_is_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOST_NOBODY", "1")
    monkeypatch.setenv("ROOST_", "1")
    assert read(tmp_path, "nobody = 1\n[section]\nruns_kept = 0\n") == read(tmp_path)


def test_the_file_is_utf_8_and_anything_else_is_refused(tmp_path: Path) -> None:
    assert read(tmp_path, "vault_key_file = '/ä'\n").vault_key_file == Path("/ä")
    file = tmp_path / "settings.toml"
    file.write_bytes(b"vault_key = '" + SECRET.encode() + b"\xe4'\n")
    with pytest.raises(BadConfigFile) as raised:
        read_settings({"data_dir": str(tmp_path)})
    assert f"{file} is not valid TOML" in raised.value.message
    assert SECRET not in raised.value.message


def test_a_secret_is_shown_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOST_VAULT_KEY", SECRET)
    monkeypatch.setenv("ROOST_VAULT_KEY_PREVIOUS", f"{SECRET}\udcff")
    settings = read(tmp_path)
    assert settings.vault_key is not None
    assert settings.vault_key.text == SECRET
    shown = f"{settings} {settings!r} {settings.vault_key} {settings.described()}"
    assert SECRET not in shown
    assert settings.described()["vault_key"] == "given"
    monkeypatch.setenv("ROOST_RUNS_KEPT", "0")
    error = refusal(tmp_path, f"vault_key_previous = ['{SECRET}']\nvault_key = ['{SECRET}']\n")
    assert SECRET not in str(error) + repr(error) + json.dumps(error.details)
    assert error.details["settings"] == ["runs_kept"]


@pytest.mark.parametrize("line", [f"vault_key = ['{SECRET}']", f"vault_key = '{SECRET}"])
def test_a_secret_of_the_file_is_not_repeated(tmp_path: Path, line: str) -> None:
    error = refusal(tmp_path, f"{line}\n")
    assert SECRET not in str(error) + repr(error) + json.dumps(error.details)


def test_an_empty_key_is_none_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOST_VAULT_KEY", "")
    assert read(tmp_path).described()["vault_key"] == "none"
