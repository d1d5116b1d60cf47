"""The data directory: whose it is, who may enter it, what it lies on, and what is in it."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from tests.support.data_dirs import ENVIRON, do_what_it_says

from roost.doctor import Surroundings
from roost.doctor.places import (
    NAMED_AT_MOST,
    check_data_dir,
    check_filesystem,
    check_permissions,
)
from roost.models import Severity

SENSITIVE = [
    "keys/vault.key",
    "roost.db",
    "daemon.lock",
    "daemon.log",
    "daemon.log.1",
    "logs/w/1.log",
    "crashes/cli.txt",
]

STRANGER = 54321


def test_a_private_directory_of_ours_is_fine(around: Surroundings) -> None:
    assert check_data_dir(around).severity is Severity.OK


@pytest.mark.parametrize("mode", [0o755, 0o710, 0o701])
def test_an_open_directory_is_a_problem_until_it_is_closed(around: Surroundings, mode: int) -> None:
    around.data_dir.chmod(mode)
    finding = check_data_dir(around)
    assert finding.severity is Severity.PROBLEM
    assert f"{mode:04o}" in finding.said
    do_what_it_says(finding)
    assert check_data_dir(around).severity is Severity.OK


def test_a_directory_that_is_still_to_be_made_is_fine(data_dir: Path) -> None:
    finding = check_data_dir(Surroundings(data_dir / "not" / "yet", ENVIRON))
    assert finding.severity is Severity.OK
    assert "does not exist yet" in finding.said
    assert not list(data_dir.iterdir())


def test_a_directory_that_cannot_be_made_is_a_problem(data_dir: Path) -> None:
    (data_dir / "file").write_text("mine")
    finding = check_data_dir(Surroundings(data_dir / "file" / "below", ENVIRON))
    assert finding.severity is Severity.PROBLEM
    assert "--data-dir" in finding.mend


def test_a_file_in_the_place_of_the_directory_is_a_problem(data_dir: Path) -> None:
    place = data_dir / "it's a file"
    place.write_text("mine")
    around = Surroundings(place, ENVIRON)
    finding = check_data_dir(around)
    assert finding.severity is Severity.PROBLEM
    do_what_it_says(finding)
    assert check_data_dir(around).severity is Severity.OK


def test_a_directory_of_somebody_else_is_a_problem(around: Surroundings) -> None:
    around.uid = STRANGER
    finding = check_data_dir(around)
    assert finding.severity is Severity.PROBLEM
    assert f"chown -R {STRANGER} {around.data_dir}" in finding.mend


def test_root_is_only_warned_of_a_directory_of_somebody_else(
    around: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    around.uid = 0
    found = around.data_dir.stat()
    theirs = SimpleNamespace(st_mode=found.st_mode, st_uid=STRANGER)
    monkeypatch.setattr(Path, "stat", lambda _: theirs)
    assert check_data_dir(around).severity is Severity.WARNING


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_cannot_be_written_is_a_problem(around: Surroundings) -> None:
    around.data_dir.chmod(0o500)
    finding = check_data_dir(around)
    assert finding.severity is Severity.PROBLEM
    do_what_it_says(finding)
    assert check_data_dir(around).severity is Severity.OK


def mounts(monkeypatch: pytest.MonkeyPatch, **by_place: str) -> None:
    table = [SimpleNamespace(mountpoint=at, fstype=kind) for at, kind in by_place.items()]
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: table)


@pytest.mark.parametrize(
    ("kind", "severity"),
    [
        ("ext4", Severity.OK),
        ("apfs", Severity.OK),
        ("nfs4", Severity.WARNING),
        ("fuse.sshfs", Severity.WARNING),
        ("tmpfs", Severity.WARNING),
        ("overlay", Severity.WARNING),
    ],
)
def test_not_every_file_system_keeps_a_database(
    around: Surroundings, monkeypatch: pytest.MonkeyPatch, kind: str, severity: Severity
) -> None:
    mounts(monkeypatch, **{"/": kind})
    finding = check_filesystem(around)
    assert finding.severity is severity
    assert kind in finding.said
    assert bool(finding.mend) is (severity is not Severity.OK)


def test_the_innermost_and_newest_mount_counts(
    around: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = os.path.realpath(around.data_dir.parent)
    mounts(monkeypatch, **{parent: "nfs4", "/": "ext4", f"{parent}/other": "tmpfs"})
    assert "nfs4" in check_filesystem(around).said
    mounts(monkeypatch, **{f"{parent}x": "nfs4", "/": "ext4"})
    assert "ext4" in check_filesystem(around).said
    twice = [SimpleNamespace(mountpoint="/", fstype=kind) for kind in ("nfs", "xfs")]
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: twice)
    assert "xfs" in check_filesystem(around).said


def test_private_files_are_fine(around: Surroundings) -> None:
    assert check_permissions(around).severity is Severity.OK


@pytest.mark.parametrize("name", SENSITIVE)
def test_each_sensitive_file_is_named_when_others_may_read_it(
    around: Surroundings, name: str
) -> None:
    (around.data_dir / name).chmod(0o640)
    finding = check_permissions(around)
    is_key = name.startswith("keys/")
    assert finding.severity is (Severity.PROBLEM if is_key else Severity.WARNING)
    assert name in finding.said
    assert f"chmod 600 {around.data_dir / name}" in finding.mend
    do_what_it_says(finding)
    assert check_permissions(around).severity is Severity.OK


@pytest.mark.parametrize("name", SENSITIVE)
def test_an_open_file_in_an_open_directory_is_a_problem(around: Surroundings, name: str) -> None:
    path = around.data_dir / name
    for place in (path, *path.parents):
        if around.data_dir in (place, *place.parents):
            place.chmod(0o755)
    assert check_permissions(around).severity is Severity.PROBLEM


def test_an_open_directory_of_keys_is_a_problem(around: Surroundings) -> None:
    (around.data_dir / "keys").chmod(0o755)
    finding = check_permissions(around)
    assert finding.severity is Severity.PROBLEM
    do_what_it_says(finding)
    assert check_permissions(around).severity is Severity.OK


def test_many_open_files_are_counted_and_closed_by_one_command(around: Surroundings) -> None:
    for name in SENSITIVE:
        (around.data_dir / name).chmod(0o644)
    finding = check_permissions(around)
    assert f"and {len(SENSITIVE) - NAMED_AT_MOST} more" in finding.said
    assert "chmod -R go=" in finding.mend
    do_what_it_says(finding)
    assert check_permissions(around).severity is Severity.OK


def test_the_settings_are_sensitive_once_they_hold_the_key(around: Surroundings) -> None:
    settings = around.data_dir / "settings.toml"
    settings.write_text("starts_at_once = 2\n")
    settings.chmod(0o644)
    assert check_permissions(around).severity is Severity.OK
    settings.write_text('vault_key = "c2VjcmV0"\n')
    finding = check_permissions(around)
    assert "settings.toml" in finding.said
    assert "c2VjcmV0" not in finding.said + finding.mend


def test_files_of_somebody_else_are_a_problem(around: Surroundings) -> None:
    around.uid = STRANGER
    finding = check_permissions(around)
    assert finding.severity is Severity.PROBLEM
    assert finding.said.startswith("not yours: ")
    assert "chown" in finding.mend


def test_a_link_is_not_followed_and_has_no_mode_of_its_own(
    around: Surroundings, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("open")
    elsewhere.chmod(0o666)
    (around.data_dir / "crashes" / "link").symlink_to(elsewhere)
    assert check_permissions(around).severity is Severity.OK


def test_nothing_there_yet_is_fine(data_dir: Path) -> None:
    around = Surroundings(data_dir / "none", ENVIRON)
    assert check_permissions(around).severity is Severity.OK
