"""`GroupCommit`: writes that wait at the same time share one transaction, and one fsync.

A member of a group has the connection to itself while its block runs, between a savepoint and its
release, so its failure undoes its own changes only. The member after which nobody waits any more
commits for all, and none is told of success before that COMMIT has returned. A lone writer waits
for no company: it begins, runs and commits.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import deque
from functools import partial
from typing import NamedTuple

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


class _Group:
    """One transaction, and what became of it."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.members = 0
        self.ended = asyncio.Event()
        self.error: sqlite3.Error | None = None

    def is_full(self) -> bool:
        return self.members >= MOST_MEMBERS or time.monotonic() - self.began >= LONGEST_GROUP_S


class Member(NamedTuple):
    """A write in a group; the first one has no savepoint, because undoing it undoes the group."""

    group: _Group
    is_first: bool


class GroupCommit:
    """Gives writers their turns on one connection and commits what they did together.

    Statements run in the thread of the event loop: none of them waits for a lock once the group
    has begun, and a hop into another thread takes longer than most of them. The COMMIT waits for
    the disk, so it has a thread of its own.

    Args:
        connection: begins no transaction by itself and may be used from any thread.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._control = sqlite3.Cursor(connection)
        self._committer = Committer(connection)
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_taken = False
        """Whether someone has the turn, or the group is about to be committed."""
        self._holder: asyncio.Task[object] | None = None
        self._group: _Group | None = None
        self._is_closed = False

    async def enter(self) -> Member:
        """Wait for a turn and become a member of a group; `leave` must follow.

        Raises:
            sqlite3.Error: the group could not begin.
            StoreUnavailable: the store was closed meanwhile.
            RuntimeError: the caller has a turn already.
        """
        await self._take_turn()
        try:
            return await self._join()
        except BaseException:
            self._pass_on()
            raise

    async def leave(self, member: Member, error: BaseException | None) -> None:
        """Undo what a member did if it failed, else wait until its group is committed.

        Raises:
            sqlite3.Error: the group was not committed; nothing of it has changed anything.
        """
        if error is not None:
            self._undo(member)
            return
        self._keep(member)
        await member.group.ended.wait()
        if member.group.error is not None:
            raise member.group.error

    async def close(self) -> None:
        """Commit what is under way and close the connection; whoever still waits is refused."""
        self._is_closed = True
        await self._take_turn()
        while (group := self._group) is not None:
            self._holder = None
            self._commit(group)
            await group.ended.wait()
            await self._take_turn()
        self._committer.stop()
        self._connection.close()
        self._pass_on()

    # Turns

    async def _take_turn(self) -> None:
        task = asyncio.current_task()
        if task is not None and task is self._holder:
            raise RuntimeError("a write was begun inside of a write; pass its connection on")
        if self._is_taken:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if not turn.cancelled():  # the turn had been handed over already
                    self._pass_on()
                raise
        self._is_taken = True
        self._holder = task

    def _pass_on(self) -> None:
        """Give the turn back: to the next member, or to the COMMIT."""
        self._holder = None
        group = self._group
        if group is None:
            self._is_taken = self._hand_over()
        elif not self._connection.in_transaction:
            self._end(group, sqlite3.OperationalError("a failed write undid its neighbours"))
        elif group.is_full():
            self._commit(group)
        elif not self._hand_over():
            # Tasks that can run now may be about to write too; a pass of the loop shows them.
            asyncio.get_running_loop().call_soon(self._hand_over_or_commit, group)

    def _hand_over_or_commit(self, group: _Group) -> None:
        if not self._hand_over():
            self._commit(group)

    def _hand_over(self) -> bool:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return True
        return False

    # Transactions

    async def _join(self) -> Member:
        if self._is_closed:
            raise StoreUnavailable("the store is closed; start the daemon again")
        is_first = self._group is None
        if self._group is None:
            await self._begin()
            self._group = _Group()
        else:
            self._control.execute("SAVEPOINT member")
        self._group.members += 1
        return Member(self._group, is_first)

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

    def _keep(self, member: Member) -> None:
        try:
            if not member.is_first:
                self._control.execute("RELEASE member")
        finally:
            self._pass_on()

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
            self._pass_on()

    def _commit(self, group: _Group) -> None:
        self._committer.ask(partial(self._end, group))

    def _end(self, group: _Group, error: sqlite3.Error | None) -> None:
        self._group = None
        group.error = error
        group.ended.set()
        self._is_taken = self._hand_over()
