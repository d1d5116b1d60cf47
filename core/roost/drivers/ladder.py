"""`Ladder`: the walk from a polite request to KILL that ends a process tree."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from dataclasses import dataclass

from roost.drivers.proctable import Identity, ProcessEntry, ProcessTable
from roost.drivers.tree import ProcessTree

FIRST_PAUSE_S = 0.01
LAST_PAUSE_S = 0.05
"""Pauses between two looks at the table double from the first to the last: most servers end within
a few milliseconds, and a slow one must not cost the daemon its processor."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a walk went."""

    ended: int
    """Processes that were seen alive and are gone."""
    survivors: tuple[int, ...]
    used_kill: bool


class LeaderGone(asyncio.Event):
    """Set when the leader of a tree has ended; knows since when."""

    def __init__(self) -> None:
        super().__init__()
        self.at: float | None = None
        """Monotonic time in seconds."""

    def set(self) -> None:
        """Note the end; the first one counts."""
        if self.at is None:
            self.at = time.monotonic()
        super().set()


class Ladder:
    """Ends one tree: wait for it to leave by itself, TERM, KILL until none is left.

    Args:
        eof_wait_s: seconds the tree gets to end by itself before TERM.
        grace_s: seconds from TERM to KILL.
        kill_bound_s: seconds after which processes that KILL does not end count as survivors.
        leader_gone: set when the leader ends, so that a look follows at once.
    """

    def __init__(
        self,
        tree: ProcessTree,
        table: ProcessTable,
        *,
        eof_wait_s: float,
        grace_s: float,
        kill_bound_s: float,
        leader_gone: LeaderGone,
    ) -> None:
        self._tree = tree
        self._table = table
        self._leader_gone = leader_gone
        self._loop = asyncio.get_running_loop()
        self._term_at = self._loop.time() + eof_wait_s
        self._kill_at = self._term_at + grace_s
        self._kill_bound_s = kill_bound_s
        self._termed: set[Identity] = set()
        self._met: set[Identity] = set()

    def hurry(self, grace_s: float) -> None:
        """Bring KILL forward to at most `grace_s` seconds from now; never puts it off."""
        self._kill_at = min(self._kill_at, self._loop.time() + grace_s)
        self._term_at = min(self._term_at, self._kill_at)

    async def walk(self) -> Ending:
        """Walk the ladder and return when the tree is gone or the bound has passed."""
        pause = FIRST_PAUSE_S
        while (now := self._loop.time()) < self._kill_at:
            living = self._look()
            if not living:
                return self._ending((), used_kill=False)
            if now >= self._term_at:
                self._term(living)
            until = self._kill_at if now >= self._term_at else self._term_at
            await self._rest(min(pause, max(until - now, 0.0)))
            pause = min(pause * 2, LAST_PAUSE_S)
        return await self._kill()

    async def _kill(self) -> Ending:
        gives_up_at = self._loop.time() + self._kill_bound_s
        used_kill = False
        while living := self._look():
            if used_kill and self._loop.time() >= gives_up_at:
                return self._ending(living, used_kill=True)
            for entry in living:
                self._table.signal(self._table.identity(entry), signal.SIGKILL)
            used_kill = True
            await self._rest(FIRST_PAUSE_S)
        return self._ending((), used_kill=used_kill)

    def _look(self) -> tuple[ProcessEntry, ...]:
        # A shared look may show what lives; only a fresh one may say that nothing does. One from
        # before the leader's end would show it alive, and cost a pause.
        gone_at = self._leader_gone.at
        since = time.monotonic() - gone_at if gone_at is not None else FIRST_PAUSE_S
        asked_at = time.monotonic()
        living = self._tree.living(min(since, FIRST_PAUSE_S / 2))
        if not living and self._tree.looked_at < asked_at:
            living = self._tree.living()
        self._met.update(map(self._table.identity, living))
        return living

    def _term(self, living: tuple[ProcessEntry, ...]) -> None:
        for entry in living:
            identity = self._table.identity(entry)
            if identity not in self._termed:
                self._termed.add(identity)
                self._table.signal(identity, signal.SIGTERM)
            # At every look: it may have been stopping when its TERM was sent.
            if entry.is_stopped:
                self._table.signal(identity, signal.SIGCONT)

    async def _rest(self, seconds: float) -> None:
        if self._leader_gone.is_set():
            await asyncio.sleep(seconds)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._leader_gone.wait()

    def _ending(self, living: tuple[ProcessEntry, ...], *, used_kill: bool) -> Ending:
        survivors = tuple(sorted(entry.pid for entry in living))
        return Ending(len(self._met) - len(survivors), survivors, used_kill)
