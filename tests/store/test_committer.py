"""How long COMMITs may stop the loop, and when the log is copied into the database."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from roost.store import committer
from roost.store.committer import CHECKPOINT_COMMITS, SLOW_CREDIT_S, SLOW_SHARE, Committer


class Disk:
    """A disk whose COMMITs take as long as they are told to, by a clock of its own."""

    def __init__(self, path: Path) -> None:
        disk = self

        class TimedConnection(sqlite3.Connection):
            def execute(self, sql: str, *rest: Any) -> sqlite3.Cursor:
                if sql == "COMMIT":
                    disk.now += disk.takes
                return super().execute(sql, *rest)

        self.now = 1000.0
        self.takes = 0.0
        self.connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, factory=TimedConnection
        )
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("CREATE TABLE rows (text)")
        self.committer = Committer(self.connection)

    def write(self) -> None:
        """Put a row into a transaction that is to be committed."""
        self.connection.execute("BEGIN")
        self.connection.execute("INSERT INTO rows VALUES ('row')")

    def commit(self, takes: float) -> None:
        """Commit a row in the loop."""
        self.takes = takes
        self.write()
        assert self.committer.commit() is None


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    disk = Disk(tmp_path / "roost.db")
    monkeypatch.setattr(committer, "time", SimpleNamespace(monotonic=lambda: disk.now))
    yield disk
    disk.committer.stop()
    disk.connection.close()


def test_a_slow_commit_now_and_then_is_made_up_for(disk: Disk) -> None:
    for _ in range(20):
        assert disk.committer.is_quick()
        disk.commit(0.01)
        disk.now += SLOW_CREDIT_S


def test_a_stall_of_the_disk_keeps_commits_out_of_the_loop_for_a_multiple_of_it(
    disk: Disk,
) -> None:
    disk.commit(1.0)
    disk.now += SLOW_SHARE - SLOW_CREDIT_S - 0.1
    assert not disk.committer.is_quick()
    disk.now += 0.2
    assert disk.committer.is_quick()


def test_a_disk_that_is_always_slow_stops_the_loop_for_its_share_only(disk: Disk) -> None:
    began, stopped = disk.now, 0.0
    while disk.now < began + 100:
        if disk.committer.is_quick() and stopped < 50:
            disk.commit(0.02)
            stopped += 0.02
            disk.committer._commits = 0
        else:
            disk.now += 0.02
    assert 1 < stopped <= 100 / SLOW_SHARE + 1


async def test_the_log_is_copied_by_the_thread_and_not_in_a_commit_of_the_loop(
    disk: Disk, tmp_path: Path
) -> None:
    for _ in range(CHECKPOINT_COMMITS):
        assert disk.committer.is_quick()
        disk.commit(0.0)
    assert not disk.committer.is_quick()
    told: asyncio.Future[sqlite3.Error | None] = asyncio.get_running_loop().create_future()
    disk.write()
    disk.committer.ask(told.set_result)
    async with asyncio.timeout(30):
        assert await told is None
    assert disk.committer.is_quick()
    (tmp_path / "copy.db").write_bytes((tmp_path / "roost.db").read_bytes())
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        assert copy.execute("SELECT count(*) FROM rows").fetchone() == (CHECKPOINT_COMMITS + 1,)
