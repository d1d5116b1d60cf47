"""A worker in the test's own event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from tests.sdk.fake_daemon import BOUND_S
from tests.support.task_daemon import TaskDaemon

from roost.sdk.place import Place
from roost.sdk.post import Post
from roost.worker import declare
from roost.worker.post import TaskPost
from roost.worker.service import Worker


def worker_of(daemon: TaskDaemon, *, slots: int = 4, grace_s: float = 10) -> Worker:
    """Return a worker that does what was declared."""
    post = TaskPost(Post(Place(daemon.socket_path, "default")))
    return Worker(post, declare.OFFER, slots=slots, grace_s=grace_s)


@asynccontextmanager
async def working(
    daemon: TaskDaemon, *, slots: int = 4, grace_s: float = 10
) -> AsyncIterator[Worker]:
    """Let a worker do what was declared, inside the block."""
    worker = worker_of(daemon, slots=slots, grace_s=grace_s)
    task = asyncio.create_task(worker.work())
    try:
        await seen(daemon, lambda: bool(daemon.hello) or task.done())
        yield worker
    finally:
        worker.leave()
        async with asyncio.timeout(BOUND_S):
            await task


async def seen(daemon: TaskDaemon, holds: Callable[[], bool]) -> None:
    """Wait until something holds at the daemon, within a bound."""
    await asyncio.to_thread(daemon.until, holds)


async def ended(daemon: TaskDaemon, run: dict[str, Any]) -> dict[str, Any]:
    """Wait until a run has settled, and return what it ended with."""
    return await asyncio.to_thread(daemon.until_ended, run)


async def done(daemon: TaskDaemon, task: str, input: object = None) -> dict[str, Any]:
    """Submit a run, let a worker do it, and return the run."""
    run = daemon.submit(task, input)
    async with working(daemon):
        await ended(daemon, run)
    return run
