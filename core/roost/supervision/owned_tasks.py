"""`OwnedTasks`: tasks that outlive the caller who asked for them, until their owner closes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

logger = logging.getLogger(__name__)

T = TypeVar("T")


class OwnedTasks:
    """A set of named tasks; what one of them raises is logged, whoever waits for it or not."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        """How many are not done."""
        return len(self._tasks)

    @property
    def names(self) -> tuple[str, ...]:
        """What is under way."""
        return tuple(sorted(task.get_name() for task in self._tasks))

    def own(self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Begin work that no caller can cancel by going away."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        return task

    async def run(self, work: Coroutine[Any, Any, T], name: str) -> T:
        """Begin work and wait for it; a cancelled caller only stops waiting."""
        return await asyncio.shield(self.own(work, name))

    async def close(self, bound_s: float) -> None:
        """Wait for all, `bound_s` at most, then cancel what is left."""
        if self._tasks:
            await asyncio.wait(tuple(self._tasks), timeout=bound_s)
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("%s failed", task.get_name(), exc_info=task.exception())
