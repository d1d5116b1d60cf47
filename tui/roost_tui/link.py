"""`EngineLink`: keeps the screen connected, and says so when it is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from roost.clock import Clock
from roost.contract import EngineAPI
from roost.errors import DaemonUnreachable, RoostError
from roost.models import Change, Closing, EngineEvent
from roost_tui.state import Link, LinkPhase

FIRST_DELAY_S = 1.0
"""Wait after the first failure; doubles with each further one."""

LONGEST_DELAY_S = 30.0
"""Longest wait: a daemon that comes back is seen within half a minute."""

YIELD_EVERY = 200
"""Events after which the loop gets a turn, so that a backlog never holds keys up."""

Connect = Callable[[], Awaitable[EngineAPI]]


class EngineLink:
    """Connects, reads events and connects again.

    Args:
        connect: brings up a connection; raises `RoostError` when it cannot.
        clock: time for the waits between attempts.
        on_engine: told of every new connection, and of None while there is none.
        on_event: told of every event, in order.
        on_link: told how the connection stands, except that it is live: the snapshot says so.
    """

    def __init__(
        self,
        connect: Connect,
        clock: Clock,
        *,
        on_engine: Callable[[EngineAPI | None], None],
        on_event: Callable[[EngineEvent], None],
        on_link: Callable[[Link], None],
    ) -> None:
        self._connect = connect
        self._clock = clock
        self._on_engine = on_engine
        self._on_event = on_event
        self._on_link = on_link
        self._retry = asyncio.Event()
        self._failures = 0

    def retry_now(self) -> None:
        """End the present wait."""
        self._retry.set()

    async def run(self) -> None:
        """Stay connected until cancelled."""
        while True:
            try:
                closing = await self._session()
            except RoostError as error:
                self._on_engine(None)
                await self._wait_after(error.message)
            else:
                self._on_engine(None)
                await self._wait_until_asked(closing)

    async def _session(self) -> str:
        """Read events until the daemon closes the stream, and return the reason it gave."""
        engine = await self._connect()
        self._on_engine(engine)
        async for event in _with_turns(engine.events()):
            self._failures = 0
            self._on_event(event)
            if isinstance(event, Change) and isinstance(event.body, Closing):
                return event.body.reason
        raise DaemonUnreachable("the daemon ended the stream of events without a word")

    async def _wait_after(self, reason: str) -> None:
        delay = min(FIRST_DELAY_S * 2**self._failures, LONGEST_DELAY_S)
        self._failures += 1
        self._retry.clear()
        self._on_link(Link(LinkPhase.LOST, reason, self._clock.now() + round(delay * 1000)))
        waits = (
            asyncio.ensure_future(self._clock.sleep(delay)),
            asyncio.ensure_future(self._retry.wait()),
        )
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _wait_until_asked(self, reason: str) -> None:
        """Wait for the operator: a daemon that was stopped on purpose is not started again."""
        self._retry.clear()
        self._on_link(Link(LinkPhase.STOPPED, reason))
        await self._retry.wait()
        self._on_link(Link(LinkPhase.CONNECTING))


async def _with_turns(events: AsyncIterator[EngineEvent]) -> AsyncIterator[EngineEvent]:
    count = 0
    async for event in events:
        yield event
        count += 1
        if count % YIELD_EVERY == 0:
            await asyncio.sleep(0)
