"""Staying connected."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from tests.support.fake_engine import FakeEngine

from roost.contract import EngineAPI
from roost.errors import DaemonStartFailed
from roost.models import EngineEvent
from roost_tui.link import FIRST_DELAY_S, EngineLink
from roost_tui.state import Link, LinkPhase


class Witness:
    """A link and everything it told."""

    def __init__(self, fake: FakeEngine) -> None:
        self.fake = fake
        self.failures = 0
        self.attempts = 0
        self.links: list[Link] = []
        self.events: list[EngineEvent] = []
        self.engine: EngineAPI | None = None
        self.link = EngineLink(
            self._connect,
            fake.clock,
            on_engine=self._take_engine,
            on_event=self.events.append,
            on_link=self.links.append,
        )

    async def _connect(self) -> EngineAPI:
        self.attempts += 1
        if self.failures:
            self.failures -= 1
            raise DaemonStartFailed("the daemon did not come up; read daemon.log")
        return self.fake

    def _take_engine(self, engine: EngineAPI | None) -> None:
        self.engine = engine

    async def until(self, count: int, of: list[Link] | list[EngineEvent]) -> None:
        await _until(lambda: len(of) >= count)

    async def asleep(self) -> None:
        await _until(lambda: self.fake.clock.sleepers > 0)


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while True:
            if holds():
                return
            await asyncio.sleep(0)


@asynccontextmanager
async def _running(witness: Witness) -> AsyncIterator[Witness]:
    task = asyncio.create_task(witness.link.run())
    try:
        yield witness
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_waits_double_while_the_daemon_does_not_come_up() -> None:
    witness = Witness(FakeEngine())
    witness.failures = 3
    async with _running(witness):
        for number in range(1, 4):
            await witness.until(number, witness.links)
            await witness.asleep()
            link = witness.links[-1]
            assert link.phase is LinkPhase.LOST
            assert link.reason == "the daemon did not come up; read daemon.log"
            delay = FIRST_DELAY_S * 2 ** (number - 1)
            assert link.retry_at == witness.fake.clock.now() + delay * 1000
            witness.fake.clock.advance(delay)
        await witness.until(1, witness.events)
    assert witness.attempts == 4


async def test_a_retry_by_hand_ends_the_wait() -> None:
    witness = Witness(FakeEngine())
    witness.failures = 1
    async with _running(witness):
        await witness.asleep()
        witness.link.retry_now()
        await witness.until(1, witness.events)
    assert witness.attempts == 2


async def test_a_lost_stream_begins_anew_with_a_snapshot() -> None:
    witness = Witness(FakeEngine())
    async with _running(witness):
        await witness.until(1, witness.events)
        witness.fake.disconnect()
        await witness.asleep()
        assert witness.engine is None
        witness.fake.reconnect()
        witness.fake.clock.advance(FIRST_DELAY_S)
        await witness.until(2, witness.events)
        assert witness.engine is witness.fake


async def test_a_daemon_that_was_stopped_is_not_started_again_by_itself() -> None:
    witness = Witness(FakeEngine())
    async with _running(witness):
        await witness.until(1, witness.events)
        witness.fake.close("asked to stop")
        await witness.until(1, witness.links)
        assert witness.links == [Link(LinkPhase.STOPPED, "asked to stop")]
        witness.fake.clock.advance(3600)
        await asyncio.sleep(0)
        assert witness.attempts == 1
        witness.link.retry_now()
        await witness.until(2, witness.links)
        assert witness.links[-1].phase is LinkPhase.CONNECTING
