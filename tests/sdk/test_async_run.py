"""The same block of work in a program with an event loop."""

import asyncio
import threading

import pytest
from tests.sdk.fake_daemon import BOUND_S, FakeDaemon

from roost import LeaseLost, StopRequested, begin_run_async
from roost.sdk import outbox


async def until(daemon: FakeDaemon, requests: int) -> None:
    await asyncio.to_thread(daemon.until, lambda: len(daemon.asked) >= requests)


async def test_an_async_block_tells_in_order_and_succeeds(daemon: FakeDaemon) -> None:
    async with begin_run_async("nightly", input={"day": 3}) as run:
        await run.step("fetch", 1, 2)
        await run.emit("12 rows")
        await run.link("file:///tmp/x")
        async with run.child("part") as part:
            await part.step("half")
        run.result = 12
    assert daemon.told.index(("run-1", "fetch")) < daemon.told.index(("run-1", "12 rows"))
    assert ("run-2", "half") in daemon.told
    assert [run["status"] for run in daemon.runs.values()] == ["succeeded"] * 2
    assert daemon.run["end"]["result"] == 12 and daemon.run["link"] == "file:///tmp/x"


async def test_a_silent_async_block_learns_of_a_stop(daemon: FakeDaemon) -> None:
    with pytest.raises(StopRequested):
        async with begin_run_async("silent", lease_s=0.15) as run:
            daemon.stop_requested = True
            await until(daemon, 3)
            await until(daemon, len(daemon.asked) + 2)
            run.check_stop()
    assert daemon.run["status"] == "aborted"


async def test_a_cancelled_block_is_aborted(daemon: FakeDaemon) -> None:
    entered = asyncio.Event()

    async def work() -> None:
        async with begin_run_async("cancelled") as run:
            await run.emit("one")
            entered.set()
            await asyncio.Event().wait()

    async with asyncio.timeout(BOUND_S):
        task = asyncio.create_task(work())
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert daemon.run["status"] == "aborted" and daemon.told == [("run-1", "one")]


async def test_a_begin_that_is_cancelled_leaves_no_run_behind(daemon: FakeDaemon) -> None:
    daemon.hold = threading.Event()

    async def work() -> None:
        async with begin_run_async("cancelled"):
            pytest.fail("the block was entered")

    async with asyncio.timeout(BOUND_S):
        task = asyncio.create_task(work())
        await asyncio.to_thread(daemon.until, lambda: daemon.holding > 0)
        task.cancel()
        await asyncio.sleep(0)
        daemon.hold.set()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert daemon.run["status"] == "aborted"


async def test_a_failing_async_block_fails(daemon: FakeDaemon) -> None:
    with pytest.raises(KeyError):
        async with begin_run_async("failing"):
            raise KeyError("gone")
    assert daemon.run["end"]["error"]["sentence"] == "KeyError: 'gone'"


async def test_a_lost_lease_ends_async_work_at_its_next_call(daemon: FakeDaemon) -> None:
    daemon.faults.extend(["fine", "lease_lost"])
    async with asyncio.timeout(BOUND_S):
        with pytest.raises(LeaseLost):
            async with begin_run_async("replaced", lease_s=0.15) as run:
                await until(daemon, 2)
                while True:
                    await run.emit("more")
                    await asyncio.sleep(0)


async def test_a_restart_under_async_work_loses_nothing_and_never_blocks_the_loop(
    daemon: FakeDaemon,
) -> None:
    count = outbox.ITEMS_KEPT + 200
    async with asyncio.timeout(BOUND_S), begin_run_async("long") as run:
        await asyncio.to_thread(daemon.stop)

        async def tell() -> None:
            for number in range(count):
                await run.step(f"s{number}")

        telling = asyncio.create_task(tell())
        await asyncio.sleep(0)
        assert not telling.done()
        daemon.start()
        await telling
    assert [what for _, what in daemon.told] == [f"s{number}" for number in range(count)]
    assert daemon.run["status"] == "succeeded"
