"""`GroupCommit`: writes that wait at the same time share one transaction, and one fsync.

A member of a group has the connection to itself while its block runs, between a savepoint and its
release, so its failure undoes its own changes only. The group is committed when a pass of the loop
brought nobody any more, and none is told of success before that COMMIT has returned. A lone writer
waits for no company: it begins, runs and commits.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple, TypeVar

from roost.errors import StoreUnavailable
from roost.store import sqlite
from roost.store.committer import Committer

MOST_MEMBERS = 128
"""Members of a group; the fsync costs each of them a hundredth by then."""

LONGEST_GROUP_S = 0.02
"""Seconds after which a group takes nobody in any more, so that its first member is told soon."""

LOCK_PAUSE_S = 0.001
"""Seconds before the second try of a lock that another process holds; each pause is longer."""

LONGEST_LOCK_PAUSE_S = 0.05
"""Seconds between tries of a lock at most."""

T = TypeVar("T")


class _Group:
    """One transaction, and whoever waits for what becomes of it."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.members = 0
        self.is_watched = False
        """Whether a pass of the loop is under way that shows whether anybody else comes."""
        self.told: list[asyncio.Future[None]] = []

    def is_full(self) -> bool:
        return self.members >= MOST_MEMBERS or time.monotonic() - self.began >= LONGEST_GROUP_S

    def ended(self) -> asyncio.Future[None]:
        """Return what is done when the group is committed or has failed."""
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.told.append(ended)
        return ended

    def end(self, error: sqlite3.Error | None) -> None:
        waiting = [told for told in self.told if not told.done()]
        for told in waiting:
            if error is None:
                told.set_result(None)
            else:
                told.set_exception(error)


class Member(NamedTuple):
    """A write in a group; the first one has no savepoint, because undoing it undoes the group."""

    group: _Group
    is_first: bool


class _Waiter:
    """A write in the queue: work to be done in one go, or a block that is to have its turn."""

    __slots__ = ("has_turn", "result", "told", "work")

    def __init__(self, work: Callable[[], object] | None) -> None:
        self.work = work
        self.told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.has_turn = False
        self.result: Any = None

    def give_turn(self) -> None:
        self.has_turn = True
        self.told.set_result(None)


class GroupCommit:
    """Gives writers their turns on one connection and commits what they did together.

    Statements run in the thread of the event loop: none of them waits for a lock once the group
    has begun, and a hop into another thread takes longer than most of them. So does the COMMIT of
    a lone write while the disk is quick; any other has a thread of its own, see `Committer`.

    Args:
        connection: begins no transaction by itself and may be used from any thread.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._control = sqlite3.Cursor(connection)
        self._committer = Committer(connection)
        self._waiting: deque[_Waiter] = deque()
        self._is_taken = False
        """Whether someone has the turn, or the group is being committed."""
        self._holder: asyncio.Task[object] | None = None
        self._group: _Group | None = None
        self._is_closed = False

    async def run(self, work: Callable[[], T]) -> T:
        """Do work that awaits nothing as a member of a group; return when it is committed.

        It costs the loop less than a block: whatever work waits is done in one go, and its tasks
        are woken once. What it did is undone when it raises.

        Raises:
            sqlite3.Error: the group could not begin or was not committed; nothing has changed.
            StoreUnavailable: the store was closed meanwhile.
            RuntimeError: the caller has a turn already.
        """
        if self._is_taken or self._is_closed or not (self._group or self._has_begun()):
            return await self._run_later(work)
        try:
            result, group = self._do(work)
        except BaseException:
            self._go_on()
            raise
        ended = group.ended()
        if group.members == 1:
            await self._wait_for_others(group)
        else:
            self._go_on()
        await ended
        return result

    async def enter(self) -> Member:
        """Wait for a turn and become a member of a group; `leave` must follow.

        Raises:
            sqlite3.Error: the group could not begin.
            StoreUnavailable: the store was closed meanwhile.
            RuntimeError: the caller has a turn already.
        """
        await self._take_turn()
        return await self._join()

    async def leave(self, member: Member, error: BaseException | None) -> None:
        """Undo what a member did if it failed, else wait until its group is committed.

        Raises:
            sqlite3.Error: the group was not committed; nothing of it has changed anything.
        """
        try:
            if error is not None:
                self._undo(member)
                return
            self._keep(member)
            ended = member.group.ended()
        finally:
            self._go_on()
        await ended

    async def close(self) -> None:
        """Commit what is under way and close the connection; whoever still waits is refused."""
        self._is_closed = True
        await self._take_turn()
        while (group := self._group) is not None:
            ended = group.ended()
            self._holder = None
            self._commit(group)
            with suppress(sqlite3.Error):
                await ended
            await self._take_turn()
        self._committer.stop()
        self._connection.close()
        self._go_on()

    # Turns

    async def _take_turn(self) -> None:
        await self._waited(None)
        self._is_taken = True
        self._holder = asyncio.current_task()

    async def _run_later(self, work: Callable[[], T]) -> T:
        waiter = await self._waited(work)
        if waiter is not None and not waiter.has_turn:
            result: T = waiter.result
            return result
        # Its group is still to begin, and that has to be waited for, or fails.
        self._is_taken = True
        self._holder = asyncio.current_task()
        member = await self._join()
        try:
            result = work()
        except BaseException as error:
            await self.leave(member, error)
            raise
        await self.leave(member, None)
        return result

    async def _waited(self, work: Callable[[], object] | None) -> _Waiter | None:
        """Wait while the turn is taken; None when it is free."""
        if self._holder is not None and self._holder is asyncio.current_task():
            raise RuntimeError("a write was begun inside of a write; pass its connection on")
        if not self._is_taken:
            return None
        waiter = _Waiter(work)
        self._waiting.append(waiter)
        try:
            await waiter.told
        except asyncio.CancelledError:
            if waiter.has_turn:
                self._go_on()
            raise
        return waiter

    def _go_on(self) -> None:
        """Give the turn back: to those who wait, to the COMMIT, or to whoever comes next."""
        self._holder = None
        while True:
            group = self._group
            if group is not None and not self._connection.in_transaction:
                self._end(group, sqlite3.OperationalError("a failed write undid its neighbours"))
            elif group is not None and group.is_full():
                return self._commit(group)
            if (waiter := self._next()) is None:
                break
            if waiter.work is None or self._is_closed or not (self._group or self._has_begun()):
                self._is_taken = True
                return waiter.give_turn()
            self._do_for(waiter, waiter.work)
        self._is_taken = False
        if self._group is not None and not self._group.is_watched:
            self._watch(self._group)

    def _next(self) -> _Waiter | None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.told.done():
                return waiter
        return None

    async def _wait_for_others(self, group: _Group) -> None:
        """Watch a group that has just begun, in the task of its first member: a pass less."""
        group.is_watched = True
        try:
            await asyncio.sleep(0)
        finally:
            self._look(group, 1)

    def _watch(self, group: _Group) -> None:
        # Tasks that can run now may be about to write too; a pass of the loop shows them.
        group.is_watched = True
        asyncio.get_running_loop().call_soon(self._look, group, group.members)

    def _look(self, group: _Group, members: int) -> None:
        group.is_watched = False
        if self._is_taken or self._group is not group:
            return
        if group.members == members:
            self._commit(group)
        else:
            self._watch(group)

    # Transactions

    async def _join(self) -> Member:
        try:
            if self._is_closed:
                raise StoreUnavailable("the store is closed; start the daemon again")
            if self._group is None:
                await self._begin()
            return self._member()
        except BaseException:
            self._go_on()
            raise

    async def _begin(self) -> None:
        """Take the lock, waiting without blocking the loop for another process that has it."""
        deadline = time.monotonic() + sqlite.BUSY_TIMEOUT_MS / 1000
        pause = LOCK_PAUSE_S
        while True:
            try:
                self._control.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if not sqlite.is_busy(error) or time.monotonic() >= deadline:
                    raise
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_LOCK_PAUSE_S)

    def _has_begun(self) -> bool:
        try:
            self._control.execute("BEGIN IMMEDIATE")
        except sqlite3.Error:
            return False  # whoever takes the turn tries again, and raises what cannot be waited for
        return True

    def _member(self) -> Member:
        """Make whoever has the turn a member of the group that has begun."""
        group, is_first = self._group, self._group is None
        if group is None:
            group = self._group = _Group()
        else:
            self._control.execute("SAVEPOINT member")
        group.members += 1
        return Member(group, is_first)

    def _do(self, work: Callable[[], T]) -> tuple[T, _Group]:
        member = self._member()
        try:
            result = work()
        except BaseException:
            self._undo(member)
            raise
        self._keep(member)
        return result, member.group

    def _do_for(self, waiter: _Waiter, work: Callable[[], object]) -> None:
        try:
            waiter.result, group = self._do(work)
        except BaseException as error:  # noqa: BLE001 - raised where the write is awaited
            waiter.told.set_exception(error)
        else:
            group.told.append(waiter.told)

    def _keep(self, member: Member) -> None:
        if not member.is_first:
            self._control.execute("RELEASE member")

    def _undo(self, member: Member) -> None:
        # Some errors, such as a full disk, make SQLite undo the whole transaction by itself.
        try:
            if member.is_first and self._connection.in_transaction:
                self._control.execute("ROLLBACK")
            elif self._connection.in_transaction:
                self._control.execute("ROLLBACK TO member")
                self._control.execute("RELEASE member")
        except sqlite3.Error:
            self._control.execute("ROLLBACK")  # rather all than the half of one
            raise
        finally:
            if member.is_first:
                self._group = None

    def _commit(self, group: _Group) -> None:
        if group.members == 1 and not self._waiting and self._committer.is_quick():
            self._committed(group, self._committer.commit())
        else:
            self._is_taken = True
            self._committer.ask(partial(self._committed, group))

    def _committed(self, group: _Group, error: sqlite3.Error | None) -> None:
        self._end(group, error)
        self._go_on()

    def _end(self, group: _Group, error: sqlite3.Error | None) -> None:
        self._group = None
        group.end(error)
