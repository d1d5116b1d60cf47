"""`EngineLink`: keeps the screen connected, and says so when it is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from roost.clock import Clock
from roost.contract import EngineAPI
from roost.errors import DaemonUnreachable, RoostError
from roost.models import Change, Closing, EngineEvent, Snapshot
from roost_tui.state import Link, LinkPhase

TYPE_CHECKING = False
if TYPE_CHECKING:
    from roost_tui.shutdown import Shutdown, ShutdownWatch

FIRST_DELAY_S = 1.0
"""Wait after the first failure; doubles with each further one."""

LONGEST_DELAY_S = 30.0
"""Longest wait: a daemon that comes back is seen within half a minute."""

LOOK_EVERY_S = 1.0
"""How often to look whether somebody else has started a stopped daemon again."""

YIELD_EVERY = 200
"""Events after which the loop gets a turn, so that a backlog never holds keys up."""

Connect = Callable[[], Awaitable[EngineAPI]]


class EngineLink:
    """Connects, reads events and connects again.

    A daemon that was lost is brought up again by itself. One that was stopped on purpose is only
    watched until it is gone: it is started again when the operator asks for it, and joined again
    when somebody else has started it.

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
        self._start_id = ""

    def retry_now(self) -> None:
        """End the present wait."""
        self._retry.set()

    async def run(self) -> None:
        """Stay connected until cancelled."""
        engine: EngineAPI | None = None
        while True:
            try:
                engine = engine or await self._connect()
                closing = await self._session(engine)
            except RoostError as error:
                engine = None
                self._on_engine(None)
                await self._wait_after(error.message)
            else:
                engine = await self._stay_after(closing, engine)

    async def _session(self, engine: EngineAPI) -> str:
        """Read events until the daemon closes the stream, and return the reason it gave."""
        self._on_engine(engine)
        async for event in _with_turns(engine.events()):
            if isinstance(event, Snapshot):
                self._failures = 0
                self._start_id = event.start_id
            self._on_event(event)
            if isinstance(event, Change) and isinstance(event.body, Closing):
                return event.body.reason
        raise DaemonUnreachable("the daemon ended the stream of events without a word")

    async def _wait_after(self, reason: str) -> None:
        delay = min(FIRST_DELAY_S * 2**self._failures, LONGEST_DELAY_S)
        self._failures += delay < LONGEST_DELAY_S
        self._retry.clear()
        self._on_link(Link(LinkPhase.LOST, reason, self._clock.now() + round(delay * 1000)))
        await self._pause(delay)
        self._on_link(Link(LinkPhase.LOST, reason, self._clock.now()))

    async def _stay_after(self, reason: str, engine: EngineAPI) -> EngineAPI | None:
        """Watch a stop to its end, then wait until there is a daemon again, or is to be one.

        Returns:
            The engine that answers again; None when the operator wants one to be brought up.
        """
        from roost_tui.shutdown import ShutdownWatch  # most screens never see a daemon stop

        def tell(shutdown: Shutdown) -> None:
            self._on_link(Link(LinkPhase.CLOSING, reason, shutdown=shutdown))

        watch = ShutdownWatch(engine, self._start_id, self._clock, tell)
        shutdown = await watch.run()
        self._on_engine(None)
        self._retry.clear()
        self._on_link(Link(LinkPhase.STOPPED, reason, shutdown=shutdown))
        is_there = await self._wait_until_wanted(watch)
        self._on_link(Link(LinkPhase.CONNECTING))
        return engine if is_there else None

    async def _wait_until_wanted(self, watch: ShutdownWatch) -> bool:
        """Wait for the operator, or for a daemon that somebody else started; true for the latter.

        A daemon that was stopped on purpose is not started again from here.
        """
        while not self._retry.is_set():
            if await watch.is_there_again():
                return True
            await self._pause(LOOK_EVERY_S)
        return False

    async def _pause(self, seconds: float) -> None:
        """Wait, but no longer than until the operator has had enough."""
        waits = (
            asyncio.ensure_future(self._clock.sleep(seconds)),
            asyncio.ensure_future(self._retry.wait()),
        )
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()


async def _with_turns(events: AsyncIterator[EngineEvent]) -> AsyncIterator[EngineEvent]:
    count = 0
    async for event in events:
        yield event
        count += 1
        if count % YIELD_EVERY == 0:
            await asyncio.sleep(0)
