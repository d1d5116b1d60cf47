"""Staying connected."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from tests.support.fake_engine import FakeEngine

from roost.contract import EngineAPI
from roost.errors import DaemonStartFailed
from roost.models import EngineEvent, Snapshot
from roost_tui.link import FIRST_DELAY_S, LONGEST_DELAY_S, LOOK_EVERY_S, EngineLink
from roost_tui.shutdown import ASK_EVERY_S
from roost_tui.state import Link, LinkPhase

BOUND_S = 30.0


class Witness:
    """A link and everything it told."""

    def __init__(self, fake: FakeEngine) -> None:
        self.fake = fake
        self.failures = 0
        self.attempts = 0
        self.links: list[Link] = []
        self.events: list[EngineEvent] = []
        self.phases: list[LinkPhase] = []
        self.engine: EngineAPI | None = None
        self.link = EngineLink(
            self._connect,
            fake.clock,
            on_engine=self._take_engine,
            on_event=self.events.append,
            on_link=self._take_link,
        )

    def _take_link(self, link: Link) -> None:
        self.links.append(link)
        if not self.phases or self.phases[-1] is not link.phase:
            self.phases.append(link.phase)

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

    async def waiting(self) -> Link:
        """Wait until the next attempt is put off, and return what is said of it."""
        await self.asleep()
        await _until(lambda: (self.links[-1].retry_at or 0) > self.fake.clock.now())
        return self.links[-1]

    async def phase(self, phase: LinkPhase) -> Link:
        await _until(lambda: bool(self.links) and self.links[-1].phase is phase)
        return self.links[-1]


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(BOUND_S):
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
            link = await witness.waiting()
            assert link.phase is LinkPhase.LOST
            assert link.reason == "the daemon did not come up; read daemon.log"
            delay = FIRST_DELAY_S * 2 ** (number - 1)
            assert link.retry_at == witness.fake.clock.now() + delay * 1000
            witness.fake.clock.advance(delay)
        await witness.until(1, witness.events)
    assert witness.attempts == 4


async def test_the_wait_has_a_limit_however_long_the_daemon_is_away() -> None:
    witness = Witness(FakeEngine())
    witness.failures = 1200
    async with _running(witness):
        for _ in range(1200):
            link = await witness.waiting()
            witness.fake.clock.advance(LONGEST_DELAY_S)
        assert link.retry_at is not None
        await witness.until(1, witness.events)


async def test_the_wait_begins_small_again_once_a_snapshot_has_come() -> None:
    witness = Witness(FakeEngine())
    witness.failures = 4
    async with _running(witness):
        for _ in range(4):
            await witness.waiting()
            witness.fake.clock.advance(LONGEST_DELAY_S)
        await witness.until(1, witness.events)
        witness.fake.disconnect()
        link = await witness.waiting()
        assert link.retry_at == witness.fake.clock.now() + FIRST_DELAY_S * 1000


async def test_a_retry_by_hand_ends_the_wait_at_once_and_says_so() -> None:
    witness = Witness(FakeEngine())
    witness.failures = 1
    async with _running(witness):
        await witness.waiting()
        witness.link.retry_now()
        await witness.until(1, witness.events)
    assert witness.attempts == 2
    assert witness.links[-1].retry_at == witness.fake.clock.now()


async def test_a_lost_stream_begins_anew_with_a_snapshot() -> None:
    witness = Witness(FakeEngine())
    async with _running(witness):
        await witness.until(1, witness.events)
        witness.fake.disconnect()
        await witness.waiting()
        assert witness.engine is None
        witness.fake.reconnect()
        witness.fake.clock.advance(FIRST_DELAY_S)
        await witness.until(2, witness.events)
        assert witness.engine is witness.fake


async def test_a_daemon_that_stops_is_watched_to_its_end() -> None:
    witness = Witness(FakeEngine())
    async with _running(witness):
        await witness.until(1, witness.events)
        witness.fake.begin_stop("runs", reason="asked to stop")
        await witness.asleep()
        link = witness.links[-1]
        assert (link.phase, link.reason) == (LinkPhase.CLOSING, "asked to stop")
        assert link.shutdown is not None
        assert [entry.name for entry in link.shutdown.pending] == ["runs"]
        assert witness.engine is witness.fake
        witness.fake.disconnect()
        witness.fake.clock.advance(ASK_EVERY_S)
        stopped = await witness.phase(LinkPhase.STOPPED)
        assert stopped.reason == "asked to stop"
        assert stopped.shutdown is not None
        assert stopped.shutdown.gone_at == witness.fake.clock.now()
        assert witness.engine is None


async def _stop(witness: Witness) -> None:
    await witness.until(1, witness.events)
    witness.fake.begin_stop(reason="asked to stop")
    await witness.phase(LinkPhase.CLOSING)
    await witness.asleep()
    witness.fake.disconnect()
    witness.fake.clock.advance(ASK_EVERY_S)
    await witness.phase(LinkPhase.STOPPED)


async def test_a_daemon_that_was_stopped_is_not_started_again_by_itself() -> None:
    witness = Witness(FakeEngine())
    async with _running(witness):
        await _stop(witness)
        for _ in range(5):
            await witness.asleep()
            witness.fake.clock.advance(3600)
            await asyncio.sleep(0)
        assert witness.attempts == 1
        witness.link.retry_now()
        await witness.phase(LinkPhase.LOST)
        assert witness.attempts == 2
        assert witness.phases[1:] == [LinkPhase.STOPPED, LinkPhase.CONNECTING, LinkPhase.LOST]


async def test_a_daemon_that_somebody_else_started_again_is_joined_without_starting_one() -> None:
    witness = Witness(FakeEngine())
    async with _running(witness):
        await _stop(witness)
        witness.fake.restart()
        await witness.asleep()
        witness.fake.clock.advance(LOOK_EVERY_S)
        await _until(lambda: isinstance(witness.events[-1], Snapshot))
        assert witness.attempts == 1
        assert witness.phases[1:] == [LinkPhase.STOPPED, LinkPhase.CONNECTING]
        assert witness.engine is witness.fake


async def test_a_daemon_that_was_replaced_while_it_was_watched_is_joined_too() -> None:
    witness = Witness(FakeEngine())
    async with _running(witness):
        await witness.until(1, witness.events)
        witness.fake.begin_stop("runs")
        await witness.asleep()
        witness.fake.restart()
        witness.fake.clock.advance(ASK_EVERY_S)
        await _until(lambda: isinstance(witness.events[-1], Snapshot))
        assert witness.attempts == 1
