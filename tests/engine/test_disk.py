"""Looking at disks that may never answer holds nobody else up."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress

import pytest

from roost.engine.why.disk import on_disk

MORE_THAN_THE_POOL = 40
"""Threads; the pool of asyncio has 32 at most."""


async def test_a_result_and_an_error_come_back() -> None:
    assert await on_disk(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        await on_disk(lambda: 1 // 0)


async def test_looks_that_hang_take_no_place_in_the_pool_that_others_share() -> None:
    answers = threading.Event()
    looks = [asyncio.create_task(on_disk(answers.wait)) for _ in range(MORE_THAN_THE_POOL)]
    try:
        async with asyncio.timeout(30):
            assert await asyncio.to_thread(lambda: "served") == "served"
    finally:
        for look in looks:
            look.cancel()
        answers.set()
        for look in looks:
            with suppress(asyncio.CancelledError):
                await look


def test_a_look_that_outlives_its_loop_is_no_error() -> None:
    answers, ended = threading.Event(), threading.Event()

    def look() -> None:
        answers.wait()
        ended.set()

    async def give_up() -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(0.05):
                await on_disk(look)

    asyncio.run(give_up())
    answers.set()
    assert ended.wait(30)
