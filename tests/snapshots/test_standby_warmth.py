"""A template that serves one start is followed by the next, and waits as long as it has to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from tests.support.fake.clock import FakeClock
from tests.support.snapshot_fakes import FakeTemplate

from roost.snapshots.backend import TemplateReport
from roost.snapshots.decide import Readiness
from roost.snapshots.warmth import LOSSES, SETTLE_S, Warmth

IDLE_S = 60.0


class Parking:
    """A warmth whose templates serve one start each."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.opened: list[FakeTemplate] = []
        self.warmth = Warmth(
            "default/time",
            self._open,
            clock=self.clock,
            gate=asyncio.Semaphore(1),
            idle_s=IDLE_S,
            on_change=lambda: None,
        )

    async def _open(self) -> FakeTemplate:
        template = FakeTemplate(TemplateReport(loaded=2))
        template.is_lasting = True
        self.opened.append(template)
        return template

    async def parked(self, count: int) -> FakeTemplate:
        """Wait for the template of this number."""
        await settle(lambda: len(self.opened) == count and self.warmth.template is not None)
        for _ in range(3):  # what loaded it has to be done with that
            await asyncio.sleep(0)
        return self.opened[-1]


@asynccontextmanager
async def open_parking() -> AsyncIterator[Parking]:
    parking = Parking()
    parking.warmth.begin()
    try:
        yield parking
    finally:
        await parking.warmth.drop()


async def settle(holds: Callable[[], object]) -> None:
    """Let other tasks run until something holds; nothing can announce it."""
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0)


def spend(template: FakeTemplate) -> None:
    template.is_spent = True
    template.kill("it was handed over")


async def test_a_used_one_is_followed_by_the_next_once_the_start_has_the_processor() -> None:
    async with open_parking() as parking:
        spend(await parking.parked(1))
        assert parking.warmth.template is None
        assert parking.warmth.readiness is Readiness.LOADING
        await settle(lambda: parking.clock.sleepers)
        parking.clock.advance(SETTLE_S / 2)
        await asyncio.sleep(0)
        assert len(parking.opened) == 1, "not beside the start"
        parking.clock.advance(SETTLE_S)
        assert await parking.parked(2)


async def test_uses_are_no_losses_however_many_there_are() -> None:
    async with open_parking() as parking:
        for count in range(1, LOSSES + 3):
            template = await parking.parked(count)
            spend(template)
            parking.warmth.lose(template, "it was handed over, and asked once more")
            await settle(lambda: parking.clock.sleepers)
            parking.clock.advance(SETTLE_S)
        await parking.parked(LOSSES + 3)
        assert parking.warmth.trouble is None


async def test_a_start_in_between_does_without_and_has_the_next_one_loaded_at_once() -> None:
    async with open_parking() as parking:
        spend(await parking.parked(1))
        assert parking.warmth.use() is None
        second = await parking.parked(2)
        assert parking.warmth.use() is second
        await settle(lambda: parking.clock.sleepers)
        parking.clock.advance(SETTLE_S)
        assert parking.warmth.use() is second, "the pause that has passed brings no third"
        assert len(parking.opened) == 2


async def test_one_that_ends_unused_is_a_loss() -> None:
    async with open_parking() as parking:
        for count in range(1, LOSSES + 1):
            (await parking.parked(count)).kill("it ended with SIGKILL")
        await settle(lambda: parking.warmth.readiness is Readiness.GIVEN_UP)
        assert parking.warmth.trouble == "it ended with SIGKILL"


async def test_it_waits_for_a_crash_longer_than_templates_wait_for_starts() -> None:
    async with open_parking() as parking:
        template = await parking.parked(1)
        parking.clock.advance(IDLE_S * 100)
        for _ in range(10):
            await asyncio.sleep(0)
        assert parking.warmth.template is template and not template.is_closed


async def test_rest_ends_it_and_what_goes_on_until_a_start_brings_it_back() -> None:
    async with open_parking() as parking:
        first = await parking.parked(1)
        parking.warmth.rest()
        assert parking.warmth.template is None
        await settle(lambda: first.is_closed)
        assert parking.warmth.use() is None
        spend(await parking.parked(2))
        await settle(lambda: parking.clock.sleepers)
        parking.warmth.rest()
        await settle(lambda: not parking.clock.sleepers)
        assert len(parking.opened) == 2
