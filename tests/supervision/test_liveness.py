"""Probes of running processes: what counts as a miss, and what a miss too many does."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.fake.clock import FakeClock
from tests.support.supervised import World

from roost.models import BundleKind, BundleSettings, SlotState, Transitioned
from roost.supervision import BundleSlot
from roost.supervision.liveness import Liveness

S = SlotState

SETTINGS = BundleSettings(probe_interval_s=10.0, probe_misses=3)

MISS = "no answer"


class Watched:
    """A process whose answers a test gives.

    Args:
        findings: what each probe finds; None is an answer. Every later one is answered.
        draw: where in each span the pauses fall, from 0 to 1.
    """

    def __init__(self, findings: Iterable[str | None], draw: float = 0.5) -> None:
        self.clock = FakeClock()
        self.settings = SETTINGS
        self.owed: float | None = None
        self.asked: list[float] = []
        """When each probe came, in seconds."""
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self._findings = itertools.chain(findings, itertools.repeat(None))
        self.liveness = Liveness(
            self._ask,
            owed_s=lambda: self.owed,
            settings=lambda: self.settings,
            clock=self.clock,
            draw=lambda: draw,
        )
        self.waiting = asyncio.create_task(self.liveness.wait_not_live())

    async def _ask(self, bound_s: float) -> str | None:
        self.asked.append(self.clock.monotonic())
        await self.may_answer.wait()
        return next(self._findings)

    async def run(self, seconds: float) -> None:
        """Let time pass, second by second."""
        for _ in range(round(seconds)):
            self.clock.advance(1)
            await settle()


async def settle() -> None:
    """Let everything that is ready run."""
    for _ in range(10):
        await asyncio.sleep(0)


@asynccontextmanager
async def watched(*findings: str | None, draw: float = 0.5) -> AsyncIterator[Watched]:
    process = Watched(findings, draw)
    await settle()
    try:
        yield process
    finally:
        process.waiting.cancel()
        await asyncio.gather(process.waiting, return_exceptions=True)


async def test_what_answers_is_asked_at_the_interval_for_ever() -> None:
    async with watched() as process:
        await process.run(60)
        assert process.asked == [5, 15, 25, 35, 45, 55] and not process.waiting.done()


async def test_three_misses_in_a_row_are_not_live_and_say_what_was_found() -> None:
    async with watched(MISS, MISS, "no answer to ping") as process:
        await process.run(24)
        assert not process.waiting.done()
        await process.run(1)
        assert process.waiting.done()
        assert (process.liveness.misses, process.liveness.evidence) == (3, "no answer to ping")


async def test_an_answer_between_misses_starts_the_count_again() -> None:
    async with watched(MISS, MISS, None, MISS, MISS) as process:
        await process.run(100)
        assert not process.waiting.done()


async def test_bundles_that_started_together_are_not_probed_together() -> None:
    firsts = []
    for draw in (0.0, 0.3, 0.9):
        async with watched(draw=draw) as process:
            await process.run(10)
            firsts.append(process.asked[0])
    assert firsts == [0, 3, 9]
    async with watched(draw=0.0) as early, watched(draw=1.0) as late:
        await early.run(100)
        await late.run(100)
        assert early.asked[1] - early.asked[0] == 9 and late.asked[1] - late.asked[0] == 11


async def test_probes_never_overlap_however_long_one_takes() -> None:
    async with watched() as process:
        process.may_answer.clear()
        await process.run(60)
        assert len(process.asked) == 1
        process.may_answer.set()
        await settle()
        await process.run(10)
        assert len(process.asked) == 2


async def test_a_call_within_its_idle_time_keeps_the_probes_away() -> None:
    async with watched(MISS, MISS, MISS) as process:
        process.owed = 0.5
        await process.run(100)
        assert process.asked == [] and not process.waiting.done()


async def test_silence_for_twice_the_idle_time_of_a_call_counts_again() -> None:
    async with watched(MISS, MISS, MISS) as process:
        process.settings = replace(SETTINGS, call_idle_s=60.0)
        process.owed = 119.0
        await process.run(10)
        assert process.asked == []
        process.owed = 121.0
        await process.run(30)
        assert len(process.asked) == 3 and process.waiting.done()


async def test_a_miss_that_the_daemon_itself_was_too_late_to_see_does_not_count() -> None:
    async with watched(MISS, MISS, MISS, MISS) as process:
        process.settings = replace(SETTINGS, probe_misses=1)
        process.may_answer.clear()
        await process.run(5)
        process.clock.advance(3600)  # the machine slept
        process.may_answer.set()
        await settle()
        assert len(process.asked) == 1 and not process.waiting.done()
        await process.run(10)
        assert process.waiting.done()


async def test_probes_can_be_switched_off_and_on_for_a_running_process() -> None:
    async with watched() as process:
        process.settings = replace(SETTINGS, probe_interval_s=0.0)
        await process.run(100)
        assert process.asked == []
        process.settings = SETTINGS
        await process.run(11)
        assert len(process.asked) == 1


# In a slot ----------------------------------------------------------------------------------------


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def probed_server(world: World) -> BundleSlot:
    """Bring up a server whose answers are waited for a twentieth of a second."""
    settings = BundleSettings(settle_s=0.1, probe_interval_s=0.05, probe_misses=3)
    slot = await world.running(settings=settings, kind=BundleKind.MCP_STDIO)
    async with asyncio.timeout(30):
        while not world.sessions.links[0].probes:
            await world.tick(0.005)
    return slot


async def test_a_server_that_answers_no_probes_is_replaced_and_says_so_once(world: World) -> None:
    slot = await probed_server(world)
    world.sessions.links[0].answers_probes = False
    async with asyncio.timeout(30):
        while len(world.driver.processes) < 2 or slot.state is not S.RUNNING:
            await world.tick(0.005)
    assert world.driver.processes[0].exit is not None and len(world.driver.alive) == 1
    assert slot.crash is not None and slot.crash.not_live.startswith("3 probes in a row")
    [crash] = [
        event.transition
        for event in world.events
        if isinstance(event, Transitioned) and event.transition.cause == "crash"
    ]
    assert crash.reason is not None and "missed 3 probes in a row" in crash.reason
    assert "no answer to ping" in crash.reason
    assert world.sessions.links[0].ended[0] == "lost"
    assert "it missed 3 probes" in "\n".join(
        line.text for line in world.logs.page("w", "app", generation=1).lines
    )


async def test_probes_end_with_the_process_and_a_stop_of_a_silent_one_is_no_crash(
    world: World,
) -> None:
    slot = await probed_server(world)
    link = world.sessions.links[0]
    link.answers_probes = False
    result = await world.until_done(world.supervisor.stop("w", "app", actor="ops"))
    assert result.ok and slot.state is S.STOPPED and slot.crash is None
    asked = link.probes
    for _ in range(20):
        await world.tick(1)
    assert link.probes == asked and world.clock.sleepers == 0
