"""`LocalProcess`: one started tree of this machine, from spawn until none of it is left."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator

from roost.drivers.base import ProcessExit, StopReport
from roost.drivers.exits import ExitWatch, OnExit
from roost.drivers.ladder import Ending, Ladder, LeaderGone
from roost.drivers.listeners import foreign_listener
from roost.drivers.pipes import ChildEnds, ChildPipes
from roost.drivers.proctable import Identity, ProcessTable
from roost.drivers.tree import ProcessTree

EOF_WAIT_S = 0.5
"""How long a server gets to leave by itself after end of file; those measured need 7 to 220 ms."""

LOOK_AGE_S = 0.5
"""What survives a stop is a display figure; a table this old will do."""


class LocalProcess:
    """A live process tree of this machine; made by `LocalDriver` only.

    Args:
        begin_watch: watches for the leader's end from now on.
        ends: our ends of its pipes.
        on_released: called once when nothing of the tree is left and all it used is freed.

    Raises:
        OSError: there is no descriptor left to watch the child with.
    """

    def __init__(
        self,
        begin_watch: Callable[[OnExit], ExitWatch],
        ends: ChildEnds,
        identity: Identity,
        mark: str,
        tree: ProcessTree,
        table: ProcessTable,
        *,
        loop: asyncio.AbstractEventLoop,
        kill_bound_s: float,
        on_released: Callable[[LocalProcess], None],
    ) -> None:
        self.identity = identity
        self.mark = mark
        self.tree = tree
        self.handle = json.dumps(identity._asdict() | {"mark": mark})
        """JSON of the leader's identity."""
        self._table = table
        self._loop = loop
        self._kill_bound_s = kill_bound_s
        self._on_released = on_released
        self._exit: ProcessExit | None = None
        self._exited = LeaderGone()
        self._ladder: Ladder | None = None
        self._stopping: asyncio.Task[StopReport] | None = None
        self._survivors: tuple[int, ...] = ()
        self._is_released = False
        self._watch = begin_watch(self._record_exit)
        self._pipes = ChildPipes(ends, loop)
        self._closing_pipes: asyncio.Task[None] | None = None
        """Of those that it had before it was handed over."""

    @property
    def display_pid(self) -> int | None:
        return self.identity.pid

    @property
    def stdin(self) -> asyncio.StreamWriter | None:
        return self._pipes.stdin

    @property
    def stdout(self) -> asyncio.StreamReader:
        return self._pipes.stdout

    @property
    def stderr(self) -> asyncio.StreamReader:
        return self._pipes.stderr

    @property
    def exit(self) -> ProcessExit | None:
        """How the leader ended, or None while it lives."""
        return self._exit

    async def connect(self) -> None:
        """Attach the pipes to the running loop."""
        await self._pipes.connect()

    def hand_over(self, mark: str, tree: ProcessTree, ends: ChildEnds | None) -> bool:
        """Belong to another start from now on: with its mark and its pipes, not connected yet.

        Args:
            mark: of the other start.
            tree: what belongs to it.
            ends: our ends of other pipes; None leaves it those that it has.

        Returns:
            False where its end was asked for already, or came; nothing is changed then.
        """
        if self._stopping is not None or self._exit is not None:
            return False
        if ends is not None:
            before, self._pipes = self._pipes, ChildPipes(ends, self._loop)
            self._closing_pipes = self._loop.create_task(before.close())
        self.mark, self.tree = mark, tree
        self.handle = json.dumps(self.identity._asdict() | {"mark": mark})
        return True

    async def wait(self) -> ProcessExit:
        """Wait for the leader's end."""
        while self._exit is None:
            await self._exited.wait()
        return self._exit

    async def stop(self, grace_s: float, *, eof_first: bool) -> StopReport:
        """End the whole tree; concurrent calls share one walk, and the shortest grace wins.

        A cancelled caller does not cancel the walk.
        """
        if self._stopping is None or (self._stopping.done() and not self._is_released):
            self._ladder = self._make_ladder(grace_s, eof_first)
            self._stopping = self._loop.create_task(self._walk(self._ladder))
        elif self._ladder is not None:
            self._ladder.hurry(grace_s)
        return await asyncio.shield(self._stopping)

    def is_at_rest(self) -> bool:
        """Whether the leader waits for something now; an ended one does."""
        return self._table.is_at_rest(self.identity.pid)

    async def clients(self) -> int | None:
        """Count the connections to the ports that the tree listens on."""
        # Deferred: it needs psutil, and is asked for at the handover of a web bundle only.
        from roost.drivers.clients import client_count

        pids = [entry.pid for entry in self.tree.living(LOOK_AGE_S)]
        return await asyncio.to_thread(client_count, pids)

    def suspended(self) -> tuple[int, ...]:
        """Return pids of the tree's processes that a signal has stopped."""
        return tuple(entry.pid for entry in self.tree.living(LOOK_AGE_S) if entry.is_stopped)

    def foreign_listener(self, host: str, port: int) -> str | None:
        """Name the program outside this tree that answers on an address, where that can be told."""
        return foreign_listener(host, port, self._pids())

    def _pids(self) -> Iterator[int]:
        """Yield the tree's processes; the leader without a look at the table, which takes long."""
        yield self.identity.pid
        yield from (entry.pid for entry in self.tree.living())

    @property
    def has_survivors(self) -> bool:
        """Whether the last stop left members that it could not end."""
        return bool(self._survivors)

    def survivors(self) -> tuple[int, ...]:
        """Return pids of members that the last stop could not end and that still live."""
        if not self._survivors:
            return ()
        living = {entry.pid for entry in self.tree.living(LOOK_AGE_S)}
        return tuple(pid for pid in self._survivors if pid in living)

    def _make_ladder(self, grace_s: float, eof_first: bool) -> Ladder:
        waits_for_eof = eof_first and self._pipes.close_stdin()
        return Ladder(
            self.tree,
            self._table,
            eof_wait_s=EOF_WAIT_S if waits_for_eof else 0.0,
            grace_s=grace_s,
            kill_bound_s=self._kill_bound_s,
            leader_gone=self._exited,
        )

    async def _walk(self, ladder: Ladder) -> StopReport:
        began = self._loop.time()
        ending = await ladder.walk()
        self._survivors = ending.survivors
        await self._pipes.close()
        if self._closing_pipes is not None:
            await self._closing_pipes
        if not ending.survivors:
            await self._release()
        return self._report(ending, began)

    async def _release(self) -> None:
        # The leader is no longer among the living, so its end is about to be seen.
        await self.wait()
        self._watch.release()
        self._is_released = True
        self._on_released(self)

    def _report(self, ending: Ending, began: float) -> StopReport:
        return StopReport(
            exit=self._exit,
            survivors=ending.survivors,
            used_kill=ending.used_kill,
            duration_ms=round((self._loop.time() - began) * 1000),
        )

    def _record_exit(self, exit: ProcessExit) -> None:
        self._exit = exit
        self._exited.set()
