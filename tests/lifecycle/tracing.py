"""Components that write down what is done with them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from roost.lifecycle import Lifecycle, Phase

STEPS = (*Phase, "load", "listen")

LIMIT_S = 45.0
"""Bounds every wait; far above what a busy machine takes."""

Step = tuple[str, str]
"""A step and the component it was walked with."""


class Traced:
    """A component that hooks every step.

    Args:
        name: stands in the trace.
        trace: what happened, in order; a hook writes itself down when it has ended.
        is_async: whether its hooks are coroutine functions that really wait.
        faults: by step, what its hook does at its end.
    """

    def __init__(
        self,
        name: str,
        trace: list[Step],
        *,
        is_async: bool = False,
        faults: dict[str, Callable[[], object]] | None = None,
    ) -> None:
        self._name = name
        self._trace = trace
        self._faults = faults or {}
        for step in STEPS:
            setattr(self, step, self._async_hook(step) if is_async else self._sync_hook(step))

    def _sync_hook(self, step: str) -> Callable[[], None]:
        def hook() -> None:
            self._end(step)

        return hook

    def _async_hook(self, step: str) -> Callable[[], Awaitable[None]]:
        async def hook() -> None:
            for _ in range(3):
                await asyncio.sleep(0)
            self._end(step)

        return hook

    def _end(self, step: str) -> None:
        self._trace.append((str(step), self._name))
        if fault := self._faults.get(step):
            fault()


def raising(error: BaseException) -> Callable[[], object]:
    """Return a fault that raises."""

    def fault() -> object:
        raise error

    return fault


def three_components(
    trace: list[Step], *, faults_of_b: dict[str, Callable[[], object]] | None = None
) -> Lifecycle:
    """Return an app of A, B and C, of which B is async."""
    lifecycle = Lifecycle("lab")
    lifecycle.add("A", Traced("A", trace))
    lifecycle.add("B", Traced("B", trace, is_async=True, faults=faults_of_b))
    lifecycle.add("C", Traced("C", trace))
    return lifecycle


def walked(trace: list[Step], step: str) -> str:
    """Return the components that walked a step, in order."""
    return "".join(name for each, name in trace if each == step)


def steps(trace: list[Step]) -> list[str]:
    """Return the steps in the order in which each was first walked."""
    return list(dict.fromkeys(step for step, _ in trace))


async def served(lifecycle: Lifecycle) -> None:
    """Boot, and wait until every server listens."""
    async with asyncio.timeout(LIMIT_S):
        await lifecycle.boot()
        await lifecycle.serving.wait()


async def loaded(lifecycle: Lifecycle) -> None:
    """Load for a snapshot, and wait until everything is loaded."""
    async with asyncio.timeout(LIMIT_S):
        await lifecycle.load_for_snapshot()
        await lifecycle.load_finished.wait()


async def restored(lifecycle: Lifecycle) -> None:
    """Freeze, restore, and wait until every server listens."""
    async with asyncio.timeout(LIMIT_S):
        await lifecycle.freeze()
        await lifecycle.restore()
        await lifecycle.serving.wait()


async def until_waiting_for(lifecycle: Lifecycle, name: str) -> None:
    """Return once a step waits for the component."""
    async with asyncio.timeout(LIMIT_S):
        while lifecycle.waiting_for != (name,):  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(0)
