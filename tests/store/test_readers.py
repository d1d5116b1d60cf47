"""Transactions that read share a few connections, whatever becomes of those who read."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from roost.store import sqlite
from roost.store.migrate import migrate
from roost.store.readers import MOST_READERS, Readers

SLOW = text(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) "
    "SELECT max(i) FROM n"
)


@pytest.fixture
async def readers(tmp_path: Path) -> AsyncIterator[Readers]:
    url = make_url(f"sqlite:///{tmp_path / 'roost.db'}")
    sqlite.prepare(url)
    await asyncio.to_thread(migrate, url)
    opened = Readers(url)
    yield opened
    await opened.close()


async def test_readers_who_gave_up_are_in_nobodys_way(readers: Readers) -> None:
    async def read() -> int:
        async with readers.transaction() as connection:
            return int(await connection.scalar(SLOW))

    async with asyncio.timeout(30):
        for _ in range(3):
            given_up = [asyncio.create_task(read()) for _ in range(2 * MOST_READERS)]
            await asyncio.sleep(0)
            for task in given_up:
                task.cancel()
            await asyncio.gather(*given_up, return_exceptions=True)
        assert await asyncio.gather(*(read() for _ in range(2 * MOST_READERS))) == [300_000] * 8


async def test_a_transaction_sees_one_state_and_the_next_one_what_was_written(
    readers: Readers, tmp_path: Path
) -> None:
    count = text("SELECT count(*) FROM facts")
    writer = sqlite3.connect(tmp_path / "roost.db", isolation_level=None)
    async with asyncio.timeout(30):
        async with readers.transaction() as connection:
            before = await connection.scalar(count)
            writer.execute("INSERT INTO facts (name, value) VALUES ('new', '1')")
            assert await connection.scalar(count) == before
        async with readers.transaction() as connection:
            assert await connection.scalar(count) == before + 1
    writer.close()


async def test_to_close_waits_for_what_a_cancelled_task_reads_so_that_no_log_is_left(
    readers: Readers, tmp_path: Path
) -> None:
    async def read() -> None:
        async with readers.transaction() as connection:
            await connection.scalar(text("SELECT count(*) FROM facts"))
            begun.set()
            await connection.scalar(SLOW)

    begun = asyncio.Event()
    writer = sqlite3.connect(tmp_path / "roost.db", isolation_level=None)
    writer.execute("INSERT INTO facts (name, value) VALUES ('new', '1')")
    async with asyncio.timeout(30):
        reading = asyncio.create_task(read())
        await begun.wait()
        await asyncio.sleep(0)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        writer.close()
        await readers.close()
    assert not (tmp_path / "roost.db-wal").exists()
