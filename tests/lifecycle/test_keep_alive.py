"""The signs of life: one timer however often it is started, none in a snapshot, none at the end."""

import asyncio

import pytest
from tests.lifecycle.tracing import LIMIT_S, loaded, restored, served

from roost.clock import SystemClock
from roost.lifecycle import KeepAlive, Lifecycle, watchdog_interval_s


class StillClock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.asked: asyncio.Queue[float] = asyncio.Queue()
        self._tick = asyncio.Event()

    def now(self) -> int:
        return 0

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        self.asked.put_nowait(seconds)
        await self._tick.wait()

    async def tick(self) -> None:
        """Let every sleeper go on, once."""
        self._tick.set()
        self._tick = asyncio.Event()


def timers() -> int:
    return sum(task.get_name() == "keep-alive" for task in asyncio.all_tasks())


async def test_three_starts_make_one_timer_a_snapshot_has_none_a_restore_one_a_close_none() -> None:
    lifecycle = Lifecycle("lab")
    beat = KeepAlive(lambda: None, lambda: 60.0, StillClock())

    def start_thrice() -> None:
        for _ in range(3):
            beat.start()

    lifecycle.add("signs of life", beat)
    lifecycle.add("eager", load=start_thrice)
    await loaded(lifecycle)
    assert timers() == 1
    await lifecycle.freeze()
    assert timers() == 0 and not beat.is_beating
    await restored(lifecycle)
    assert timers() == 1 and beat.is_beating
    await lifecycle.close()
    assert timers() == 0 and not beat.is_beating


async def test_it_beats_at_once_and_then_at_every_interval() -> None:
    beats: list[int] = []
    clock = StillClock()
    beat = KeepAlive(lambda: beats.append(1), lambda: 15.0, clock)
    async with asyncio.timeout(LIMIT_S):
        beat.start()
        for count in (1, 2, 3):
            assert await clock.asked.get() == 15.0
            assert len(beats) == count
            await clock.tick()
        await clock.asked.get()
        await beat.stop()
    assert len(beats) == 4


async def test_nobody_who_asks_means_no_timer_and_the_next_start_asks_again() -> None:
    wanted: list[float | None] = [None, 5.0]
    lifecycle = Lifecycle("lab")
    beat = KeepAlive(lambda: None, lambda: wanted.pop(0), StillClock())
    lifecycle.add("signs of life", beat)
    await served(lifecycle)
    assert not beat.is_beating
    await lifecycle.close()
    await served(lifecycle)
    assert beat.is_beating and timers() == 1
    await lifecycle.close()
    assert wanted == []


async def test_stopping_it_does_not_swallow_the_cancellation_of_who_stops_it() -> None:
    beat = KeepAlive(lambda: None, lambda: 60.0, StillClock())
    beat.start()
    await asyncio.sleep(0)
    stopping = asyncio.create_task(beat.stop())
    await asyncio.sleep(0)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    assert not beat.is_beating


def test_a_timer_that_died_with_its_event_loop_does_not_keep_the_next_one_from_starting() -> None:
    beat = KeepAlive(lambda: None, lambda: 60.0, SystemClock())

    async def start() -> bool:
        beat.start()
        return timers() == 1

    assert asyncio.run(start())
    assert not beat.is_beating
    assert asyncio.run(start())


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
        ({"WATCHDOG_USEC": "²"}, None),
    ],
)
def test_the_interval_is_half_of_what_the_supervisor_allows_this_process(
    environ: dict[str, str], expected: float | None
) -> None:
    assert watchdog_interval_s(environ, 7) == expected
