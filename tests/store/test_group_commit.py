"""Writes that are committed together: each is whole, and none is told of success too early."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text
from tests.support.programs.group_writer import ROWS

from roost.errors import StoreUnavailable
from roost.store import group_commit, writer_connection
from roost.store.committer import Committer
from roost.store.database import Database
from roost.store.fixed_statement import Execute
from roost.store.tables import facts
from roost.store.writer_connection import WriterConnection

PROGRAM = Path(__file__).parents[1] / "support" / "programs" / "group_writer.py"


class Disk:
    """Counts COMMITs, holds them up and lets them fail."""

    def __init__(self) -> None:
        self.commits = 0
        self.threads: list[int] = []
        """The thread of each COMMIT."""
        self.error: sqlite3.Error | None = None
        self.reached = threading.Semaphore(0)
        self._may_commit = threading.Event()
        self.release()

    def hold(self) -> None:
        """Let every COMMIT wait from now on."""
        self._may_commit.clear()

    def release(self) -> None:
        """Let every COMMIT pass."""
        self._may_commit.set()

    def commit(self) -> None:
        """Stand in front of a COMMIT."""
        self.commits += 1
        self.threads.append(threading.get_ident())
        self.reached.release()
        assert self._may_commit.wait(30)
        if self.error is not None:
            raise self.error

    async def is_reached(self) -> None:
        """Wait for the next COMMIT."""
        assert await asyncio.to_thread(self.reached.acquire, timeout=30)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    disk = Disk()

    class GatedConnection(WriterConnection):
        def execute(self, sql: str, *rest: Any) -> Any:
            if sql == "COMMIT":
                disk.commit()
            return super().execute(sql, *rest)

    monkeypatch.setattr(writer_connection, "WriterConnection", GatedConnection)
    # A busy machine must not cut groups short.
    monkeypatch.setattr(group_commit, "LONGEST_GROUP_S", 60.0)
    # A COMMIT that is held up would hold the loop up too.
    monkeypatch.setattr(Committer, "is_quick", lambda committer: False)
    yield disk
    disk.release()


class Desk:
    """Writes facts, and reads them as everyone else sees them.

    Args:
        is_at_once: whether writes that wait for nothing are done in one go, and are no blocks.
    """

    def __init__(self, path: Path, *, is_at_once: bool) -> None:
        self.path = path
        self.is_at_once = is_at_once
        self.database = Database(f"sqlite:///{path}")
        self.inside: asyncio.Queue[str] = asyncio.Queue()

    async def write(
        self, name: str, *, gate: asyncio.Event | None = None, fails: bool = False
    ) -> str:
        """Write two facts, waiting and failing between them if asked to."""
        if self.is_at_once and gate is None:
            await self.database.write_at_once(partial(self._write, name, fails))
            return name
        async with self.database.write() as connection:
            await connection.execute(facts.insert().values(name=f"{name}.1", value=""))
            self.inside.put_nowait(name)
            if gate is not None:
                await gate.wait()
            if fails:
                raise ValueError(name)
            await connection.execute(facts.insert().values(name=f"{name}.2", value=""))
        return name

    def _write(self, name: str, fails: bool, execute: Execute) -> None:
        execute(facts.insert(), {"name": f"{name}.1", "value": ""})
        self.inside.put_nowait(name)
        if fails:
            raise ValueError(name)
        execute(facts.insert(), {"name": f"{name}.2", "value": ""})

    def begin(self, name: str, **how: Any) -> asyncio.Task[str]:
        """Write in a task."""
        return asyncio.create_task(self.write(name, **how), name=name)

    async def reached(self, name: str) -> None:
        """Wait until a write is in its middle."""
        async with asyncio.timeout(30):
            while await self.inside.get() != name:
                pass

    def stored(self) -> list[str]:
        """Return the names of the writes that are stored, in their order; halves are an error."""
        plain = sqlite3.connect(self.path)
        query = "SELECT name FROM facts ORDER BY rowid"
        names = [str(name) for (name,) in plain.execute(query) if "." in name]
        plain.close()
        assert names[0::2] == [name.replace(".2", ".1") for name in names[1::2]]
        return [name.removesuffix(".1") for name in names[0::2]]


@pytest.fixture(params=["blocks", "at once"])
async def desk(request: pytest.FixtureRequest, tmp_path: Path, disk: Disk) -> AsyncIterator[Desk]:
    desk = Desk(tmp_path / "roost.db", is_at_once=request.param == "at once")
    await desk.database.open()
    disk.commits = 0
    disk.threads.clear()
    yield desk
    disk.release()
    async with asyncio.timeout(30):
        await desk.database.close()


@asynccontextmanager
async def busy(desk: Desk, disk: Disk) -> AsyncIterator[None]:
    """Hold up the COMMIT of a first write while the block queues others behind it."""
    disk.hold()
    first = desk.begin("first")
    await disk.is_reached()
    yield
    await settled()
    disk.release()
    async with asyncio.timeout(30):
        assert await first == "first"


async def settled() -> None:
    """Let every task go as far as it can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def outcome(*tasks: asyncio.Task[str]) -> list[Any]:
    async with asyncio.timeout(30):
        return await asyncio.gather(*tasks, return_exceptions=True)


async def test_writes_one_after_the_other_are_committed_one_by_one(desk: Desk, disk: Disk) -> None:
    for number in range(5):
        await desk.write(str(number))
        assert desk.stored()[-1] == str(number)
    assert disk.commits == 5


async def test_writes_that_wait_together_are_committed_together_in_their_order(
    desk: Desk, disk: Disk
) -> None:
    names = [f"w{number}" for number in range(20)]
    async with busy(desk, disk):
        writes = [desk.begin(name) for name in names]
    assert await outcome(*writes) == names
    assert disk.commits == 2
    assert desk.stored() == ["first", *names]


async def test_writes_that_begin_in_one_pass_of_the_loop_share_a_commit(
    desk: Desk, disk: Disk
) -> None:
    names = [f"w{number}" for number in range(20)]
    assert await outcome(*[desk.begin(name) for name in names]) == names
    assert disk.commits == 1
    assert desk.stored() == names


async def test_nobody_is_told_of_success_before_the_commit(desk: Desk, disk: Disk) -> None:
    disk.hold()
    gate = asyncio.Event()
    writes = [desk.begin("a", gate=gate), desk.begin("b"), desk.begin("c")]
    await desk.reached("a")
    await settled()
    gate.set()
    await disk.is_reached()
    await settled()
    assert not any(write.done() for write in writes)
    assert desk.stored() == []
    disk.release()
    assert await outcome(*writes) == list("abc")
    assert disk.commits == 1


@pytest.mark.parametrize("failing", [["a"], ["b"], ["c"], ["a", "b"], ["a", "b", "c"]])
async def test_a_write_that_fails_undoes_what_it_did_and_nothing_else(
    desk: Desk, disk: Disk, failing: list[str]
) -> None:
    async with busy(desk, disk):
        writes = [desk.begin(name, fails=name in failing) for name in "abc"]
    told = await outcome(*writes)
    assert [str(each) for each in told] == ["a", "b", "c"]
    assert [isinstance(each, ValueError) for each in told] == [name in failing for name in "abc"]
    assert desk.stored() == ["first", *(name for name in "abc" if name not in failing)]


async def test_a_commit_that_fails_fails_every_member_and_stores_none(
    desk: Desk, disk: Disk
) -> None:
    async with busy(desk, disk):
        writes = [desk.begin(name) for name in "abc"]
        gate = asyncio.Event()
        last = desk.begin("last", gate=gate)
    await desk.reached("last")
    disk.error = sqlite3.OperationalError("database or disk is full")
    gate.set()
    told = await outcome(*writes, last)
    assert disk.commits == 2
    assert all(isinstance(each, StoreUnavailable) for each in told)
    assert "disk is full" in str(told[0])
    assert desk.stored() == ["first"]
    disk.error = None
    assert await outcome(desk.begin("again")) == ["again"]
    assert desk.stored() == ["first", "again"]


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_a_write_cancelled_in_its_middle_takes_no_other_with_it(
    desk: Desk, disk: Disk, place: int
) -> None:
    gate = asyncio.Event()
    async with busy(desk, disk):
        writes = [desk.begin(name, gate=gate if name == "abc"[place] else None) for name in "abc"]
    await desk.reached("abc"[place])
    writes[place].cancel()
    told = await outcome(*writes)
    assert isinstance(told[place], asyncio.CancelledError)
    others = [name for name in "abc" if name != "abc"[place]]
    assert desk.stored() == ["first", *others]


async def test_a_write_cancelled_while_it_waits_for_its_turn_is_left_out(
    desk: Desk, disk: Disk
) -> None:
    async with busy(desk, disk):
        writes = [desk.begin(name) for name in "abc"]
        await settled()
        writes[0].cancel()
    assert [str(each) for each in await outcome(*writes)] == ["", "b", "c"]
    assert desk.stored() == ["first", "b", "c"]


async def test_a_write_cancelled_as_its_turn_comes_passes_the_turn_on(
    desk: Desk, disk: Disk
) -> None:
    gate = asyncio.Event()
    holder = desk.begin("holder", gate=gate)
    assert await desk.inside.get() == "holder"
    writes = [desk.begin(name) for name in "abc"]
    await settled()
    gate.set()
    await asyncio.sleep(0)  # the holder runs, and hands its turn over
    writes[0].cancel()
    told = await outcome(holder, *writes)
    assert isinstance(told[1], asyncio.CancelledError)
    # What is done in one go is done when its turn comes, and no block has begun by then.
    done = ["a"] if desk.is_at_once else []
    assert desk.stored() == ["holder", *done, "b", "c"]


async def test_a_write_cancelled_during_the_commit_leaves_the_others_whole_and_told(
    desk: Desk, disk: Disk
) -> None:
    disk.hold()
    gate = asyncio.Event()
    writes = [desk.begin("a", gate=gate), desk.begin("b"), desk.begin("c")]
    await settled()
    gate.set()
    await disk.is_reached()
    writes[0].cancel()
    await settled()
    assert not writes[1].done()
    disk.release()
    told = await outcome(*writes)
    assert isinstance(told[0], asyncio.CancelledError)
    assert told[1:] == ["b", "c"]
    assert desk.stored() == ["a", "b", "c"]


async def test_a_write_cancelled_just_before_its_commit_is_stored_with_its_neighbour(
    desk: Desk, disk: Disk
) -> None:
    writes = [desk.begin("a"), desk.begin("b")]
    await desk.reached("a")
    writes[0].cancel()
    told = await outcome(*writes)
    assert isinstance(told[0], asyncio.CancelledError)
    assert told[1] == "b"
    assert [name for name in desk.stored() if name != "a"] == ["b"]
    assert await outcome(desk.begin("c")) == ["c"]


async def test_a_lone_commit_of_a_quick_disk_is_waited_for_in_the_loop(
    desk: Desk, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Committer, "is_quick", lambda committer: True)
    await desk.write("lone")
    assert disk.threads == [threading.get_ident()]
    await outcome(desk.begin("a"), desk.begin("b"))
    assert len(disk.threads) == 2
    assert disk.threads[1] != threading.get_ident()
    assert desk.stored() == ["lone", "a", "b"]


async def test_a_lone_commit_in_the_loop_that_fails_stores_nothing(
    desk: Desk, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Committer, "is_quick", lambda committer: True)
    disk.error = sqlite3.OperationalError("database or disk is full")
    told = await outcome(desk.begin("a"))
    assert isinstance(told[0], StoreUnavailable)
    assert desk.stored() == []
    disk.error = None
    assert await outcome(desk.begin("again")) == ["again"]
    assert desk.stored() == ["again"]


async def test_a_conditional_write_sees_what_earlier_members_have_changed(
    desk: Desk, disk: Disk
) -> None:
    await desk.write("counter")

    async def claim(number: int) -> str | None:
        async with desk.database.write() as connection:
            free = (facts.c.name == "counter.1") & (facts.c.value == "")
            claimed = facts.update().where(free).values(value=str(number))
            value = await connection.scalar(claimed.returning(facts.c.value))
            return None if value is None else str(value)

    async with busy(desk, disk):
        claims = [asyncio.create_task(claim(number)) for number in range(10)]
    async with asyncio.timeout(30):
        assert await asyncio.gather(*claims) == ["0", *[None] * 9]


async def test_a_write_inside_of_a_write_is_refused_and_harms_nothing(desk: Desk) -> None:
    async with asyncio.timeout(30):
        async with desk.database.write() as connection:
            with pytest.raises(RuntimeError, match="inside of a write"):
                await desk.write("inner")
            await connection.execute(facts.insert().values(name="outer.1", value=""))
            await connection.execute(facts.insert().values(name="outer.2", value=""))
        assert await desk.write("next") == "next"
    assert desk.stored() == ["outer", "next"]


async def test_a_group_takes_in_no_more_than_its_bound(
    desk: Desk, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "MOST_MEMBERS", 4)
    async with busy(desk, disk):
        writes = [desk.begin(str(number)) for number in range(9)]
    assert await outcome(*writes) == [str(number) for number in range(9)]
    assert disk.commits == 4


async def test_a_group_that_is_old_is_committed_although_others_wait(
    desk: Desk, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "LONGEST_GROUP_S", 0.0)
    async with busy(desk, disk):
        writes = [desk.begin(str(number)) for number in range(5)]
    await outcome(*writes)
    assert disk.commits == 6


async def test_closing_finishes_what_has_begun_and_refuses_what_waits(
    desk: Desk, disk: Disk
) -> None:
    gate = asyncio.Event()
    writes = [desk.begin("under way", gate=gate), desk.begin("waiting")]
    assert await desk.inside.get() == "under way"
    closing = asyncio.create_task(desk.database.close())
    await settled()
    assert not closing.done()
    gate.set()
    told = await outcome(*writes)
    async with asyncio.timeout(30):
        await closing
    assert told[0] == "under way"
    assert isinstance(told[1], StoreUnavailable)
    assert "closed" in str(told[1])
    with pytest.raises(StoreUnavailable, match="closed"):
        await desk.write("late")
    assert desk.stored() == ["under way"]


@contextmanager
def another_holder(path: Path) -> Iterator[sqlite3.Connection]:
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        yield holder
    finally:
        holder.close()


async def test_a_lock_of_another_program_is_waited_for_without_stopping_the_loop(
    desk: Desk,
) -> None:
    with another_holder(desk.path) as holder:
        write = desk.begin("waits")
        async with asyncio.timeout(30), desk.database.read() as reader:
            assert await reader.scalar(select(func.count()).select_from(facts)) == 0
        assert not write.done()
        holder.execute("ROLLBACK")
        assert await outcome(write) == ["waits"]


async def test_a_write_cancelled_before_it_has_the_lock_frees_the_turn(
    desk: Desk,
) -> None:
    with another_holder(desk.path) as holder:
        first, second = desk.begin("first"), desk.begin("second")
        await settled()
        first.cancel()
        await settled()
        holder.execute("ROLLBACK")
    told = await outcome(first, second)
    assert isinstance(told[0], asyncio.CancelledError)
    assert desk.stored() == ["second"]


async def test_a_failed_write_that_cannot_be_undone_alone_takes_its_group_with_it(
    desk: Desk, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = desk.database._groups
    assert groups is not None
    control = groups._control

    class Reluctant:
        def execute(self, sql: str) -> None:
            if sql.startswith("ROLLBACK TO"):
                raise sqlite3.OperationalError("disk I/O error")
            control.execute(sql)

    monkeypatch.setattr(groups, "_control", Reluctant())
    async with busy(desk, disk):
        writes = [desk.begin("a"), desk.begin("b", fails=True), desk.begin("c")]
    told = await outcome(*writes)
    assert [type(each) for each in told] == [StoreUnavailable, StoreUnavailable, str]
    assert desk.stored() == ["first", "c"]


async def test_a_full_disk_stores_only_what_it_has_told(desk: Desk, disk: Disk) -> None:
    async with desk.database.write() as connection:
        pages = int(await connection.scalar(text("PRAGMA page_count")) or 0)
        await connection.execute(text(f"PRAGMA max_page_count = {pages + 1}"))

    async def write_much(name: str) -> str:
        async with desk.database.write() as connection:
            for half in (1, 2):
                values = {"name": f"{name}.{half}", "value": "x" * 50_000}
                await connection.execute(facts.insert().values(values))
        return name

    async with busy(desk, disk):
        writes = [desk.begin("a"), asyncio.create_task(write_much("b")), desk.begin("c")]
    told = await outcome(*writes)
    assert isinstance(told[1], StoreUnavailable)
    assert desk.stored() == ["first", *(each for each in told if isinstance(each, str))]


@pytest.mark.real
@pytest.mark.parametrize("lines", [1, 40, 400])
def test_a_kill_amid_groups_leaves_whole_writes_and_all_that_were_told(
    tmp_path: Path, lines: int
) -> None:
    path = tmp_path / "roost.db"
    command = [sys.executable, str(PROGRAM), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            told = {process.stdout.readline().strip() for _ in range(lines)}
        finally:
            process.kill()
    plain = sqlite3.connect(path)
    rows = [str(name) for (name,) in plain.execute("SELECT name FROM facts WHERE value = 'kept'")]
    plain.close()
    writes = [name.rpartition("-")[0] for name in rows]
    assert {writes.count(write) for write in writes} == {ROWS}
    assert "" not in told
    assert told <= set(writes)
    assert not any(int(write.partition("-")[2]) % 5 == 0 for write in writes)
