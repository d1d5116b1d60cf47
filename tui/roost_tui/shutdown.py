"""A daemon's shutdown as one screen sees it: what it waits for, what has ended, how it went.

A value folded from the daemon's answers by pure functions, and the watch that asks for them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from roost.clock import Clock
from roost.contract import EngineAPI
from roost.errors import DaemonUnreachable, RoostError
from roost.models import DaemonView

ASK_EVERY_S = 0.25
"""Pause between two questions: what ends is seen to end, and the daemon has better to do."""

ANSWER_S = 2.0
"""How long an answer may take before the daemon counts as silent; it answers from memory."""


@dataclass(frozen=True, slots=True)
class Awaited:
    """One thing that the shutdown waits for, or has waited for. Times are epoch milliseconds."""

    name: str
    since: int
    ended_at: int | None = None


@dataclass(frozen=True, slots=True)
class Shutdown:
    """How far a shutdown is. Times are epoch milliseconds."""

    began_at: int
    """When this screen was told."""
    at: int
    """When this was last so."""
    awaited: tuple[Awaited, ...] = ()
    """In the order in which the daemon named them."""
    deadline_at: int | None = None
    """When the daemon forces its end; None when it does not say."""
    silent_since: int | None = None
    """Since when it has not answered, though it is there."""
    gone_at: int | None = None

    @property
    def pending(self) -> tuple[Awaited, ...]:
        """What was not seen to end."""
        return tuple(entry for entry in self.awaited if entry.ended_at is None)

    @property
    def was_forced(self) -> bool:
        """Whether the daemon was gone only at its deadline, still waiting for something."""
        if self.gone_at is None or self.deadline_at is None:
            return False
        return self.gone_at >= self.deadline_at and bool(self.pending)


def begun(now: int) -> Shutdown:
    """Return the shutdown as it begins."""
    return Shutdown(now, now)


def heard(shutdown: Shutdown, view: DaemonView, now: int) -> Shutdown:
    """Return the shutdown after the daemon has told what it waits for."""
    names = set(view.waiting_for)
    known = {entry.name for entry in shutdown.awaited}
    newer = (Awaited(name, now) for name in view.waiting_for if name not in known)
    return replace(
        shutdown,
        at=now,
        awaited=(*_ticked_off(shutdown.awaited, names, now), *newer),
        deadline_at=view.stop_deadline_at,
        silent_since=None,
    )


def _ticked_off(awaited: Iterable[Awaited], names: set[str], now: int) -> Iterable[Awaited]:
    for entry in awaited:
        if entry.name in names:
            yield replace(entry, ended_at=None) if entry.ended_at is not None else entry
        else:
            yield entry if entry.ended_at is not None else replace(entry, ended_at=now)


def unheard(shutdown: Shutdown, now: int) -> Shutdown:
    """Return the shutdown after a question was not answered."""
    since = shutdown.at if shutdown.silent_since is None else shutdown.silent_since
    return replace(shutdown, at=now, silent_since=since)


def ended(shutdown: Shutdown, now: int) -> Shutdown:
    """Return the shutdown once the daemon is gone."""
    return replace(shutdown, at=now, gone_at=now)


class ShutdownWatch:
    """Asks a daemon that is stopping how far it is, until it is gone.

    Args:
        engine: the daemon; it answers until the end.
        start_id: which of its starts is stopping.
        clock: time for stamps and for the pauses between questions.
        on_change: told how far it is after each question.
    """

    def __init__(
        self,
        engine: EngineAPI,
        start_id: str,
        clock: Clock,
        on_change: Callable[[Shutdown], None],
    ) -> None:
        self._engine = engine
        self._start_id = start_id
        self._clock = clock
        self._on_change = on_change

    async def run(self) -> Shutdown:
        """Ask until nobody answers, or another start of the daemon does."""
        shutdown = begun(self._clock.now())
        while True:
            try:
                view = await self.ask()
            except DaemonUnreachable:
                return ended(shutdown, self._clock.now())
            if view is None:
                shutdown = unheard(shutdown, self._clock.now())
            elif view.start_id != self._start_id:
                return ended(shutdown, self._clock.now())
            else:
                shutdown = heard(shutdown, view, self._clock.now())
            self._on_change(shutdown)
            await self._clock.sleep(ASK_EVERY_S)

    async def ask(self) -> DaemonView | None:
        """Return what the daemon says of itself, or None when it takes too long or cannot tell.

        Raises:
            DaemonUnreachable: nobody answers.
        """
        try:
            async with asyncio.timeout(ANSWER_S):
                return await self._engine.status()
        except TimeoutError:
            return None
        except DaemonUnreachable:
            raise
        except RoostError:
            return None

    async def is_there_again(self) -> bool:
        """Say whether a later start of the daemon answers."""
        try:
            view = await self.ask()
        except DaemonUnreachable:
            return False
        return view is not None and view.start_id != self._start_id
