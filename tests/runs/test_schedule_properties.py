"""Whatever happens to daemon, store and clock: every fire has its run, and has it once."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Literal, get_args

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.fake.clock import FIXED_START, FakeClock
from tests.support.schedules import MINUTE_MS, Daemon, FakeQueue

from roost.errors import StoreUnavailable
from roost.models import MissedFires, ScheduleView
from roost.runs.cron import fire_name
from roost.runs.schedule_fires import AGAIN_S

EVERY = 5
"""Minutes between two fires."""

Happening = Literal[
    "later",
    "killed",
    "killed before a submit",
    "killed after a submit",
    "store down",
    "set back",
    "paused",
]


class MemoryRows:
    """Rows that outlive a daemon, and are not written for a while when they are told so."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], ScheduleView] = {}
        self.failures = 0

    async def list(self) -> tuple[ScheduleView, ...]:
        return tuple(self.kept.values())

    async def put(self, schedule: ScheduleView) -> None:
        await asyncio.sleep(0)
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("the disk is full; make room")
        self.kept[schedule.workspace, schedule.spec.name] = schedule

    async def remove(self, workspace: str, name: str) -> None:
        del self.kept[workspace, name]


class Life:
    """One schedule over several daemons."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.queue = FakeQueue(self.clock)
        self.rows = MemoryRows()
        self.latest = FIXED_START
        self._stack = AsyncExitStack()

    async def start(self) -> None:
        daemon = Daemon(self.rows, self.clock, self.queue)
        self.daemon = await self._stack.enter_async_context(daemon.running())

    async def kill(self) -> None:
        await self.daemon.kill()
        await self._stack.aclose()

    async def later(self, minutes: int) -> None:
        await self.daemon.jump(self.clock.now() + minutes * MINUTE_MS)
        self.latest = max(self.latest, self.clock.now())

    async def happen(self, what: Happening, minutes: int) -> None:
        """Let something happen, and time pass meanwhile."""
        if what == "killed":
            await self.kill()
            self.clock.advance(minutes * 60)
            await self.start()
        elif what == "killed before a submit":
            self.queue.before_submit = asyncio.Event()
            await self._killed_while_held(minutes)
        elif what == "killed after a submit":
            self.queue.after_submit = asyncio.Event()
            await self._killed_while_held(minutes)
        elif what == "store down":
            self.rows.failures = 1000
            await self.later(minutes)
            self.rows.failures = 0
            await self.daemon.jump(self.clock.now() + round(AGAIN_S * 1000))
        elif what == "set back":
            self.clock._start -= minutes * MINUTE_MS
        elif what == "paused":
            await self.daemon.schedules.pause("main", "often", paused=True)
            await self.later(minutes)
            await self.daemon.schedules.pause("main", "often", paused=False)
            await self.daemon.rested()
        else:
            await self.later(minutes)
        self.latest = max(self.latest, self.clock.now())

    async def _killed_while_held(self, minutes: int) -> None:
        self.clock.advance(minutes * 60)
        for _ in range(20):
            await asyncio.sleep(0)
        await self.kill()
        self.queue.before_submit = self.queue.after_submit = None
        await self.start()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(get_args(Happening)),
            st.integers(1, 17),
        ),
        max_size=8,
    )
)
def test_every_fire_has_its_run_and_has_it_once(happenings: list[tuple[Happening, int]]) -> None:
    asyncio.run(_live(happenings))


async def _live(happenings: list[tuple[Happening, int]]) -> None:
    life = Life()
    await life.start()
    await life.daemon.put(missed=MissedFires.ALL)
    for what, minutes in happenings:
        await life.happen(what, minutes)
    missing = (life.latest - life.clock.now()) // MINUTE_MS
    await life.later(missing + EVERY)
    await life.kill()
    fires = range(FIXED_START + EVERY * MINUTE_MS, life.latest + 1, EVERY * MINUTE_MS)
    assert sorted(life.queue.taken) == [f"schedule:often:{fire_name(at)}" for at in fires]
    assert life.daemon.view().failures == 0
