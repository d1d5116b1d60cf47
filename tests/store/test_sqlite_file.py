"""The SQLite file: who may read it, how it is set up, what its failures become."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from pathlib import Path

import pytest
from sqlalchemy import func, select, text
from tests.support.stores import add_workspaces, new_run

from roost.errors import StoreUnavailable
from roost.models import AuditEntry, RunQuery, SlotState, Transition
from roost.store import SqlStore, open_store, sqlite
from roost.store.database import Database
from roost.store.tables import credential_sets


async def test_the_data_directory_and_every_file_of_the_store_are_private(tmp_path: Path) -> None:
    data_dir = tmp_path / "odd? #name%20"
    store = await open_store(data_dir)
    await add_workspaces(store, "main")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in data_dir.iterdir()}
    await store.close()
    assert modes == {"roost.db": 0o600, "roost.db-wal": 0o600, "roost.db-shm": 0o600}
    assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700


async def test_a_database_that_others_could_read_becomes_private(tmp_path: Path) -> None:
    path = tmp_path / "roost.db"
    path.touch(0o644)
    async with SqlStore(f"sqlite:///{path}"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_every_connection_is_set_up_for_durability(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'roost.db'}")
    await database.open()
    async with database.write() as writer, database.read() as reader:
        for connection, timeout in ((writer, 0), (reader, sqlite.BUSY_TIMEOUT_MS)):
            found = [
                await connection.scalar(text(f"PRAGMA {name}"))
                for name in ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
            ]
            assert found == ["wal", 1, 2, timeout]  # the writer waits without blocking the loop
    await database.close()


async def test_a_locked_database_is_unavailable_and_works_again_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", 20)
    store = await open_store(tmp_path)
    await add_workspaces(store, "main")
    holder = sqlite3.connect(tmp_path / "roost.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked") as refused:
        await store.runs.insert(new_run("r-1", input={"key": "hunter2"}))
    assert "hunter2" not in str(refused.value) + repr(refused.value.__cause__)
    assert await store.runs.list(RunQuery()) == ()
    holder.execute("ROLLBACK")
    holder.close()
    await store.runs.insert(new_run("r-1"))
    await store.close()


async def test_a_writer_that_reads_first_is_not_overtaken_by_another_process(
    tmp_path: Path,
) -> None:
    ours, theirs = await open_store(tmp_path), await open_store(tmp_path)
    newest = select(func.max(credential_sets.c.revision))
    async with ours._database.write() as connection:
        assert await connection.scalar(newest) is None
        other = asyncio.create_task(
            theirs.credentials.replace("main", "files", expected_revision=0, rows=())
        )
        done, _ = await asyncio.wait({other}, timeout=0.3)
        assert not done
        values = {"workspace": "main", "bundle": "files", "revision": 1}
        await connection.execute(credential_sets.insert().values(**values))
    assert await other is False
    await ours.close()
    await theirs.close()


async def test_a_cancelled_write_leaves_the_store_usable(tmp_path: Path) -> None:
    store = await open_store(tmp_path)
    await add_workspaces(store, "main")
    for number in range(10):
        write = asyncio.create_task(store.runs.insert(new_run(f"r-{number}")))
        for _ in range(number):
            await asyncio.sleep(0)
        write.cancel()
        await asyncio.gather(write, return_exceptions=True)
    async with asyncio.timeout(30):
        await store.runs.insert(new_run("last"))
    await store.close()


async def test_a_directory_in_the_place_of_the_database_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "roost.db").mkdir()
    with pytest.raises(StoreUnavailable, match=r"roost\.db"):
        await open_store(tmp_path)


async def test_a_file_in_the_place_of_the_data_directory_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(StoreUnavailable, match="cannot be made"):
        await open_store(tmp_path / "data")


async def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "roost.db").write_text("no database at all, only some text")
    with pytest.raises(StoreUnavailable, match="not a database"):
        await open_store(tmp_path)


@pytest.mark.parametrize("url", ["sqlite://", "postgresql+psycopg://x:pw@h/d"])
async def test_an_address_that_is_no_sqlite_file_is_refused(url: str) -> None:
    with pytest.raises(StoreUnavailable, match="SQLite") as refused:
        await SqlStore(url).open()
    assert "pw" not in str(refused.value)


async def test_a_python_with_an_old_sqlite_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 9))
    with pytest.raises(StoreUnavailable, match=r"3\.35"):
        await open_store(tmp_path)


async def test_a_damaged_database_is_named_as_such_and_left_as_it_is(tmp_path: Path) -> None:
    content = b"this is no database at all " * 400
    (tmp_path / "roost.db").write_bytes(content)
    with pytest.raises(StoreUnavailable, match=r"is damaged .*put a backup in its place"):
        await open_store(tmp_path)
    assert (tmp_path / "roost.db").read_bytes() == content


async def test_a_database_that_cannot_be_opened_asks_for_permissions(tmp_path: Path) -> None:
    (tmp_path / "roost.db").mkdir()
    with pytest.raises(StoreUnavailable, match=r"roost\.db cannot be opened for writing"):
        await open_store(tmp_path)


async def test_a_closed_store_leaves_no_log_beside_its_database(tmp_path: Path) -> None:
    store = await open_store(tmp_path)
    await add_workspaces(store, "main")
    await store.audit.add(AuditEntry(1, "uid:0", "bundle.stop", "main", "files", "ok"))
    assert [entry.at for entry in await store.audit.newest(2)] == [1]
    move = Transition("main", "files", 5, SlotState.STOPPED, SlotState.STARTING, "start", "uid:0")
    await store.transitions.add((move, move))
    await store.close()
    assert [path.name for path in tmp_path.iterdir()] == ["roost.db"]
