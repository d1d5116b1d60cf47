"""`LocalProcess`: one started tree of this machine, from spawn until none of it is left."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable

from roost.drivers.base import ProcessExit, StopReport, TreeFigures
from roost.drivers.exits import watch_exit
from roost.drivers.ladder import Ending, Ladder
from roost.drivers.pipes import ChildPipes
from roost.drivers.proctable import Identity, ProcessTable
from roost.drivers.tree import ProcessTree

EOF_WAIT_S = 0.5
"""How long a server gets to leave by itself after end of file; those measured need 7 to 220 ms."""

FIGURES_AGE_S = 0.5
"""Figures of all trees asked for together come from one scan."""


class LocalProcess:
    """A live process tree of this machine; made by `LocalDriver.spawn` only.

    Args:
        on_released: called once when nothing of the tree is left and all it used is freed.

    Raises:
        OSError: there is no descriptor left to watch the child with.
    """

    def __init__(
        self,
        child: subprocess.Popen[bytes],
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
        self._table = table
        self._loop = loop
        self._kill_bound_s = kill_bound_s
        self._on_released = on_released
        self._exit: ProcessExit | None = None
        self._exited = asyncio.Event()
        self._ladder: Ladder | None = None
        self._stopping: asyncio.Task[StopReport] | None = None
        self._survivors: tuple[int, ...] = ()
        self._is_released = False
        self._meter = _CpuMeter()
        self._watch = watch_exit(child, loop, self._record_exit)
        self._pipes = ChildPipes(child, loop)

    @property
    def handle(self) -> str:
        """JSON of the leader's identity."""
        return json.dumps(self.identity._asdict() | {"mark": self.mark})

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

    def figures(self) -> TreeFigures | None:
        """Measure the tree; processes that vanish meanwhile do not count."""
        living = self.tree.living(FIGURES_AGE_S) or self.tree.living()
        if not living:
            return None
        used = {(entry.pid, entry.start): entry.cpu_s for entry in living}
        cpu_percent = self._meter.percent(self._table.read(FIGURES_AGE_S).taken_at, used)
        return TreeFigures(cpu_percent, sum(entry.rss_bytes for entry in living), len(living))

    def survivors(self) -> tuple[int, ...]:
        """Return pids of members that the last stop could not end and that still live."""
        if not self._survivors:
            return ()
        living = {entry.pid for entry in self.tree.living(FIGURES_AGE_S)}
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


class _CpuMeter:
    """Turns processor seconds of a changing set of processes into a percentage."""

    def __init__(self) -> None:
        self._measured_at: float | None = None
        self._used: dict[tuple[int, int], float] = {}
        self._percent = 0.0

    def percent(self, now: float, used: dict[tuple[int, int], float]) -> float:
        """Return percent of one processor since the last call, 0 on the first."""
        before = self._measured_at
        if before == now:
            return self._percent
        grown = sum(max(seconds - self._used.get(key, 0.0), 0.0) for key, seconds in used.items())
        self._percent = 0.0 if before is None else 100.0 * grown / (now - before)
        self._measured_at, self._used = now, used
        return self._percent
