"""The database, the disk and the daemon's own log."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.support.data_dirs import ENVIRON, make_database, opener, with_openers

from roost.doctor import Surroundings, storage
from roost.doctor.storage import check_database, check_disk, check_log, schema_versions
from roost.models import Severity
from roost.settings.daemon_settings import DaemonSettings
from roost.store.migrate import REVISIONS

MIB = 1024 * 1024


def contents(data_dir: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return every file with its mode, the time it was changed and what is in it."""
    return {
        str(path.relative_to(data_dir)): (
            path.lstat().st_mode,
            path.lstat().st_mtime_ns,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in data_dir.rglob("*")
    }


def test_the_schema_versions_are_those_the_store_migrates_through() -> None:
    assert schema_versions() == REVISIONS


def test_a_sound_database_is_fine_and_left_as_it_is(around: Surroundings) -> None:
    before = contents(around.data_dir)
    finding = check_database(around)
    assert finding.severity is Severity.OK
    assert "its pages are sound" in finding.said
    assert contents(around.data_dir) == before


def test_no_database_yet_is_fine(data_dir: Path) -> None:
    assert "none yet" in check_database(Surroundings(data_dir, ENVIRON)).said


def test_a_database_that_a_daemon_writes_is_read_beside_it(around: Surroundings) -> None:
    with closing(sqlite3.connect(around.database)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("INSERT INTO credentials VALUES (x'01')")
        with_openers(around, opener(holds_lock=True, writes_database=True))
        assert check_database(around).severity is Severity.OK  # amid a write
        writer.commit()
        assert writer.execute("SELECT count(*) FROM credentials").fetchone() == (2,)


def test_what_an_ended_daemon_left_to_be_taken_over_is_told_and_not_touched(
    around: Surroundings,
) -> None:
    around.write_ahead_log.write_bytes(b"x" * 5000)
    before = contents(around.data_dir)
    finding = check_database(with_openers(around))
    assert finding.severity is Severity.OK
    assert "the next start takes over 5 KiB" in finding.said
    assert contents(around.data_dir) == before


def test_a_damaged_page_is_a_problem(around: Surroundings) -> None:
    with closing(sqlite3.connect(around.database)) as connection:
        connection.execute("CREATE TABLE t (x TEXT)")
        connection.executemany("INSERT INTO t VALUES (?)", [("y" * 900,)] * 50)
        connection.commit()
    with around.database.open("r+b") as file:
        file.seek(around.database.stat().st_size - 8000)
        file.write(os.urandom(6000))
    finding = check_database(around)
    assert finding.severity is Severity.PROBLEM
    assert "put a backup back" in finding.mend


def test_a_file_that_is_no_database_is_a_problem(around: Surroundings) -> None:
    around.database.write_bytes(b"hello" * 1000)
    finding = check_database(around)
    assert finding.severity is Severity.PROBLEM
    assert "cannot be read (DatabaseError)" in finding.said


def test_a_database_of_a_newer_version_is_a_problem(around: Surroundings) -> None:
    around.database.unlink()
    make_database(around.database, "9999")
    finding = check_database(around)
    assert finding.severity is Severity.PROBLEM
    assert "schema 9999" in finding.said and REVISIONS[-1] in finding.said


def test_the_pages_of_a_large_database_are_not_all_read(
    around: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "CHECKED_WHOLE", 1)
    assert "too large to look at every page" in check_database(around).said


def test_a_grown_write_ahead_log_is_a_warning(
    around: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "LARGE_LOG", 1)
    with closing(sqlite3.connect(around.database)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("INSERT INTO credentials VALUES (x'01')")
        writer.commit()
        finding = check_database(with_openers(around, opener(writes_database=True)))
    assert finding.severity is Severity.WARNING
    assert "write-ahead log" in finding.said


def test_an_old_sqlite_is_a_problem(around: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    assert check_database(around).severity is Severity.PROBLEM


def disk(
    monkeypatch: pytest.MonkeyPatch, free: int, total: int = 500_000 * MIB, **files: int
) -> None:
    found: dict[str, Any] = {
        "f_bavail": free,
        "f_blocks": total,
        "f_frsize": 1,
        "f_files": 10**6,
        "f_favail": 10**6,
    }
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(**(found | files)))


@pytest.mark.parametrize(
    ("free", "total", "severity"),
    [
        (300_000 * MIB, 500_000 * MIB, Severity.OK),
        (20_000 * MIB, 500_000 * MIB, Severity.WARNING),  # less than a twentieth
        (1000 * MIB, 2000 * MIB, Severity.WARNING),
        (99 * MIB, 500 * MIB, Severity.PROBLEM),
        (0, 500 * MIB, Severity.PROBLEM),
    ],
)
def test_room_on_the_disk(
    around: Surroundings,
    monkeypatch: pytest.MonkeyPatch,
    free: int,
    total: int,
    severity: Severity,
) -> None:
    disk(monkeypatch, free, total)
    assert check_disk(around).severity is severity


@pytest.mark.parametrize(
    ("count", "left", "severity"),
    [
        (10**6, 0, Severity.PROBLEM),
        (10**6, 500, Severity.WARNING),
        (0, 0, Severity.OK),  # a file system that does not count files
    ],
)
def test_room_for_files(
    around: Surroundings,
    monkeypatch: pytest.MonkeyPatch,
    count: int,
    left: int,
    severity: Severity,
) -> None:
    disk(monkeypatch, 300_000 * MIB, f_files=count, f_favail=left)
    assert check_disk(around).severity is severity


def test_the_disk_of_a_directory_that_is_still_to_be_made_is_the_one_above(data_dir: Path) -> None:
    around = Surroundings(data_dir / "not" / "yet", ENVIRON)
    assert around.nearest() == data_dir
    assert "are free" in check_disk(around).said


def test_a_log_within_its_bounds_is_fine(around: Surroundings) -> None:
    finding = check_log(around)
    assert finding.severity is Severity.OK
    assert "7 bytes, 1 older beside it" in finding.said


def test_a_log_that_is_not_rotated_is_a_warning(data_dir: Path) -> None:
    (data_dir / "daemon.log").write_bytes(b"x" * 140_000)
    settings = DaemonSettings(data_dir=data_dir, daemon_log_bytes=65536)
    finding = check_log(Surroundings(data_dir, ENVIRON, running=settings))
    assert finding.severity is Severity.WARNING
    assert "137 KiB" in finding.said and "64 KiB" in finding.said


def test_a_directory_in_the_place_of_the_log_is_a_problem(data_dir: Path) -> None:
    (data_dir / "daemon.log").mkdir()
    assert check_log(Surroundings(data_dir, ENVIRON)).severity is Severity.PROBLEM


def test_bad_settings_do_not_keep_the_log_from_being_looked_at(around: Surroundings) -> None:
    (around.data_dir / "settings.toml").write_text("daemon_log_bytes = 1\n")
    assert check_log(around).severity is Severity.OK
