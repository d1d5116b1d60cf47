"""Bounded waits on what an engine tells."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import TypeVar, cast

from roost.contract import EngineAPI
from roost.models import (
    BundleChanged,
    BundleView,
    EngineEvent,
    RunDetail,
    RunStatus,
    SlotState,
    Snapshot,
)

WAIT_S = 60
"""Enough for real processes on a busy machine."""

T = TypeVar("T")


@asynccontextmanager
async def reading(items: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """Read a stream within the bound and leave it properly."""
    async with asyncio.timeout(WAIT_S), aclosing(cast(AsyncGenerator[T, None], items)) as stream:
        yield stream


async def bundle_in(engine: EngineAPI, name: str, state: SlotState) -> BundleView:
    """Wait until a bundle of ``w`` is in a state."""
    async with reading(engine.events()) as events:
        async for event in events:
            for view in _bundles_in(event):
                if (view.workspace, view.name, view.state) == ("w", name, state):
                    return view
    raise AssertionError("the stream ended")


def _bundles_in(event: EngineEvent) -> tuple[BundleView, ...]:
    if isinstance(event, Snapshot):
        return event.state.bundles
    return (event.body.bundle,) if isinstance(event.body, BundleChanged) else ()


async def settled(engine: EngineAPI, run_id: str) -> RunDetail:
    """Wait until a run of ``w`` has settled and return it."""
    async with reading(engine.run_events("w", run_id)) as events:
        async for _ in events:
            pass
    return await engine.run("w", run_id)


async def in_status(engine: EngineAPI, run_id: str, status: RunStatus) -> None:
    """Wait until a run of ``w`` has had a status, as its events tell."""
    async with reading(engine.run_events("w", run_id)) as events:
        async for event in events:
            if event.message == status:
                return
    raise AssertionError("the run settled before")
