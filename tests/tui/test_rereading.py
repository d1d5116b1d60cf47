"""What is read anew while it changes: one question at a time, and none left unanswered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

from tests.support.fake_engine import FakeEngine
from textual.screen import Screen

from roost.errors import DaemonUnreachable, StoreUnavailable
from roost_tui.rereading import Rereading

BOUND_S = 30.0


class _Worker:
    def __init__(self, task: asyncio.Task[None]) -> None:
        self.task = task

    @property
    def is_finished(self) -> bool:
        return self.task.done()


class _Workers:
    """Runs workers as a screen does: one of a group at a time."""

    def __init__(self) -> None:
        self.begun: list[_Worker] = []

    def run_worker(self, work: Callable[[], Awaitable[None]], **_: object) -> _Worker:
        async def run() -> None:
            await work()

        if self.begun:
            self.begun[-1].task.cancel()
        self.begun.append(_Worker(asyncio.create_task(run())))
        return self.begun[-1]

    async def rest(self) -> None:
        """Wait until nothing is read any more."""
        async with asyncio.timeout(BOUND_S):
            await asyncio.gather(*(worker.task for worker in self.begun), return_exceptions=True)


class _Desk:
    """Answers questions, each when the test lets it."""

    def __init__(self) -> None:
        self.workers = _Workers()
        self.asked: list[str] = []
        self.answered: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.question = asyncio.Event()
        self.error: Exception | None = None
        engine = FakeEngine()
        self.reading: Rereading[str, int] = Rereading(
            "read", lambda: engine, self._read, lambda: None
        )

    async def _read(self, engine: object, about: str) -> int:
        self.asked.append(about)
        self.question.set()
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        self.answered.append(about)
        return len(self.asked)

    def follow(self, about: str, version: object) -> None:
        self.reading.follow(cast("Screen[Any]", self.workers), about, version)


@asynccontextmanager
async def _desk() -> AsyncIterator[_Desk]:
    desk = _Desk()
    yield desk
    desk.gate.set()
    await desk.workers.rest()


async def test_the_same_version_is_read_once() -> None:
    async with _desk() as desk:
        for _ in range(3):
            desk.follow("a", 1)
        await desk.workers.rest()
        desk.follow("a", 1)
        assert desk.asked == ["a"]
        assert desk.reading.known_of("a") == 1
        assert desk.reading.known_of("b") is None


async def test_a_reading_under_way_is_not_given_up_for_a_newer_one_of_the_same_thing() -> None:
    async with _desk() as desk:
        desk.gate.clear()
        desk.follow("a", 1)
        await asyncio.wait_for(desk.question.wait(), BOUND_S)
        for version in range(2, 50):
            desk.follow("a", version)
        assert desk.asked == ["a"]
        desk.gate.set()
        await desk.workers.rest()
        assert desk.answered == ["a", "a"]
        assert len(desk.workers.begun) == 1


async def test_something_else_is_read_at_once_in_its_place() -> None:
    async with _desk() as desk:
        desk.gate.clear()
        desk.follow("a", 1)
        await asyncio.wait_for(desk.question.wait(), BOUND_S)
        desk.follow("b", 1)
        desk.gate.set()
        await desk.workers.rest()
        assert desk.answered == ["b"]
        assert desk.reading.known_of("a") is None


async def test_what_rested_is_read_again_although_its_version_is_the_same() -> None:
    async with _desk() as desk:
        desk.follow("a", 1)
        await desk.workers.rest()
        desk.reading.rest()
        desk.follow("a", 1)
        await desk.workers.rest()
        assert desk.asked == ["a", "a"]


async def test_a_reading_that_fails_keeps_what_was_known_and_says_why_until_one_succeeds() -> None:
    async with _desk() as desk:
        desk.follow("a", 1)
        await desk.workers.rest()
        desk.error = StoreUnavailable("the store is locked")
        desk.follow("a", 2)
        await desk.workers.rest()
        assert desk.reading.known_of("a") == 1
        assert desk.reading.problem_of("a") == "the store is locked"
        desk.error = DaemonUnreachable("no daemon")
        desk.follow("a", 3)
        await desk.workers.rest()
        assert desk.reading.problem_of("a") == "the store is locked"
        desk.error = None
        desk.follow("a", 4)
        await desk.workers.rest()
        assert desk.reading.problem_of("a") == ""
