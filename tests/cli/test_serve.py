"""``roost serve --unit``: the systemd unit, and what it promises."""

from __future__ import annotations

import configparser
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.command_line import roost

from roost.cli.systemd_unit import STOP_SLACK_S, WATCHDOG_S, quoted, unit_text
from roost.daemon import EXIT_FORCED, EXIT_REFUSED
from roost.errors import BadInput

PATH = "/opt/node/bin:/usr/bin:/bin"

ODD = '/srv/a dir/with $PATH %h "quotes" and \\ in it'


def unit(text: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(
        interpolation=None, delimiters=("=",), comment_prefixes=("#",), strict=True
    )
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(text)
    return parser


def text_for(data_dir: str = "/srv/roost", shutdown_s: float = 30.0) -> str:
    return unit_text(
        program="/opt/roost/bin/python",
        data_dir=data_dir,
        search_path=PATH,
        shutdown_s=shutdown_s,
    )


def test_the_unit_names_this_python_this_directory_and_this_path(tmp_path: Path) -> None:
    done = roost(str(tmp_path), "serve", "--unit", environ={"PATH": PATH})
    assert (done.code, done.err) == (0, "")
    service = unit(done.out)["Service"]
    command = [sys.executable, "-m", "roost.daemon", "--data-dir", str(tmp_path), "--foreground"]
    assert shlex.split(service["ExecStart"]) == command
    assert service["Environment"] == f"PATH={PATH}"


def test_the_unit_lets_the_daemon_speak_and_end_itself() -> None:
    service = unit(text_for(shutdown_s=42.5))["Service"]
    assert service["Type"] == "notify"
    assert service["NotifyAccess"] == "main"
    assert service["Restart"] == "on-failure"
    assert service["KillMode"] == "mixed"
    assert int(service["WatchdogSec"]) == WATCHDOG_S
    assert int(service["TimeoutStopSec"]) == 43 + STOP_SLACK_S
    assert service["UMask"] == "0077"


def test_what_would_end_the_same_way_again_is_not_restarted() -> None:
    statuses = unit(text_for())["Service"]["RestartPreventExitStatus"].split()
    assert statuses == [str(EXIT_REFUSED), str(EXIT_FORCED)]


def test_the_stop_may_last_longer_than_the_deadline_in_the_settings(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("shutdown_deadline_s = 90\n")
    service = unit(roost(str(tmp_path), "serve", "--unit").out)["Service"]
    assert int(service["TimeoutStopSec"]) == 90 + STOP_SLACK_S


def test_bad_settings_are_told_and_no_unit_is_written(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("shutdown_deadline_s = -1\n")
    done = roost(str(tmp_path), "serve", "--unit")
    assert (done.code, done.out) == (2, "")
    assert "shutdown_deadline_s" in done.err


def test_no_secret_of_the_environment_is_in_the_unit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROOST_VAULT_KEY", "c2VjcmV0LWtleQ==")
    environ = {"PATH": PATH, "ROOST_VAULT_KEY": "c2VjcmV0LWtleQ==", "TOKEN": "hunter2"}
    text = roost(str(tmp_path), "serve", "--unit", environ=environ).out
    assert "[Service]" in text
    assert "c2VjcmV0" not in text and "hunter2" not in text and "TOKEN" not in text


def test_the_unit_as_json_is_one_line(tmp_path: Path) -> None:
    done = roost(str(tmp_path), "serve", "--unit", "--json")
    assert done.out.count("\n") == 1
    assert unit(done.json["unit"])["Service"]["Type"] == "notify"


def test_the_unit_may_be_printed_when_only_reading_is_allowed(tmp_path: Path) -> None:
    assert roost(str(tmp_path), "--read-only", "serve", "--unit").code == 0
    assert list(tmp_path.iterdir()) == []
    refused = roost(str(tmp_path), "--read-only", "serve")
    assert (refused.code, refused.out) == (4, "")


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("/usr/bin/python3.11", "/usr/bin/python3.11"),
        ("/a b", '"/a b"'),
        ("100%", "100%%"),
        ('say "hi"', '"say \\"hi\\""'),
        ("back\\slash", '"back\\\\slash"'),
        ("", '""'),
        (";", '";"'),
        ("/h\u00f6me", "/h\u00f6me"),
    ],
)
def test_words_are_quoted_as_systemd_reads_them(word: str, written: str) -> None:
    assert quoted(word) == written


def test_a_dollar_is_no_variable() -> None:
    assert "--data-dir /srv/a$$b " in text_for("/srv/a$b").replace('"', "")


@pytest.mark.parametrize("word", ["a\nb", "a\x00b", "a\x7fb"])
def test_what_no_unit_can_hold_is_refused(word: str) -> None:
    with pytest.raises(BadInput, match="control character"):
        quoted(word)


def test_without_a_path_none_is_given() -> None:
    text = unit_text(program="/p", data_dir="/d", search_path="", shutdown_s=1)
    assert "Environment" not in unit(text)["Service"]


def verified(tmp_path: Path, name: str, text: str) -> subprocess.CompletedProcess[str]:
    path = tmp_path / name
    path.write_text(text)
    return subprocess.run(
        ["systemd-analyze", "verify", "--user", "--man=no", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | {"XDG_RUNTIME_DIR": str(tmp_path), "SYSTEMD_LOG_TARGET": "console"},
    )


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd")
@pytest.mark.parametrize("data_dir", ["/srv/roost", ODD])
def test_systemd_accepts_the_unit(tmp_path: Path, data_dir: str) -> None:
    plain = "[Service]\nExecStart=/bin/sh\n"
    if verified(tmp_path, "plain.service", plain).returncode != 0:
        pytest.skip("systemd-analyze does not work here")
    assert verified(tmp_path, "bad.service", "[Service]\nExecStart=nope\n").returncode != 0
    text = unit_text(program="/bin/sh", data_dir=data_dir, search_path=PATH, shutdown_s=30.0)
    done = verified(tmp_path, "roost.service", text)
    assert done.returncode == 0, done.stderr
    assert "roost.service:" not in done.stderr, done.stderr
