"""`Rereading`: what was read about one thing, read anew for as long as that changes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Generic, TypeVar

from textual.screen import Screen
from textual.worker import Worker

from roost.contract import EngineAPI
from roost.errors import DaemonUnreachable, RoostError

About = TypeVar("About")
Known = TypeVar("Known")

FRAME_S = 0.05
"""Time between two readings: the changes of one frame are seen by one of them."""


class Rereading(Generic[About, Known]):
    """Asks one question at a time, and again when the answer is older than the newest change.

    What changes fast does not keep the answers about it from coming: a reading that is under way
    is never given up for another one of the same thing.

    Args:
        name: of the worker and of its group.
        engine: the engine, or None while there is no connection.
        read: asks the engine about something.
        changed: told when more is known.
        settle_s: how long something else must stay wanted before it is read.
    """

    def __init__(
        self,
        name: str,
        engine: Callable[[], EngineAPI | None],
        read: Callable[[EngineAPI, About], Awaitable[Known]],
        changed: Callable[[], None],
        *,
        settle_s: float = 0.0,
    ) -> None:
        self._name = name
        self._engine = engine
        self._read = read
        self._changed = changed
        self._settle_s = settle_s
        self._wanted: tuple[About, object] | None = None
        self._known: tuple[About, Known] | None = None
        self._problem: tuple[About, str] | None = None
        self._worker: Worker[None] | None = None

    def known_of(self, about: About) -> Known | None:
        """Return what was read last; None while nothing is known."""
        return self._known[1] if self._known is not None and self._known[0] == about else None

    def problem_of(self, about: About) -> str:
        """Return why the newest reading failed, if it did."""
        return self._problem[1] if self._problem is not None and self._problem[0] == about else ""

    def rest(self) -> None:
        """Read no more; what is followed next is read in any case."""
        self._wanted = None

    def follow(self, screen: Screen[Any], about: About, version: object) -> None:
        """See to it that what is known of something is as new as this version of it.

        Args:
            screen: owns the worker.
            about: what is read.
            version: another one makes outdated what was read.
        """
        wanted = about, version
        if wanted == self._wanted:
            return
        is_other = self._wanted is None or self._wanted[0] != about
        self._wanted = wanted
        if not is_other and self._worker is not None and not self._worker.is_finished:
            return
        work = partial(self._read_until_true, self._settle_s if is_other else FRAME_S)
        self._worker = screen.run_worker(work, name=self._name, group=self._name, exclusive=True)

    async def _read_until_true(self, wait: float) -> None:
        """Read until nothing has changed since: the body of one worker."""
        read_for: object = None
        while self._wanted is not None and self._wanted != read_for:
            await asyncio.sleep(wait)
            if self._wanted is None:
                return
            read_for, wait = self._wanted, FRAME_S
            await self._read_once(self._wanted[0])
            self._changed()

    async def _read_once(self, about: About) -> None:
        engine = self._engine()
        if engine is None:
            return
        try:
            known = await self._read(engine, about)
        except DaemonUnreachable:
            return  # the banner says so, and it is read again once there is a connection
        except RoostError as error:
            self._problem = about, error.message
        else:
            self._known, self._problem = (about, known), None
