"""`Wishes`: whether bundles are meant to run, kept for the next daemon."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from roost.store.base import BundleRows
from roost.supervision.owned_tasks import OwnedTasks
from roost.supervision.slot import BundleSlot

T = TypeVar("T")


class Wishes:
    """Stores the wish of each slot, so that the last one is what the store has."""

    def __init__(self, bundles: BundleRows, tasks: OwnedTasks) -> None:
        self._bundles = bundles
        self._tasks = tasks

    async def before(self, slot: BundleSlot, start: Coroutine[Any, Any, T]) -> T:
        """Begin a start only when the wish for it is stored."""
        try:
            await self.keep(slot)
        except BaseException:
            start.close()
            slot.should_run = slot.should_run and slot.kept_should_run
            raise
        return await start

    def keep_soon(self, slot: BundleSlot) -> asyncio.Task[None]:
        """Store a wish without holding up what it is about."""
        return self._tasks.own(self.keep(slot), f"write of {slot.label}")

    async def keep(self, slot: BundleSlot) -> None:
        """Store whether a slot should run, as it is meant when the store takes it."""
        async with slot.wish_lock:
            while slot.kept_should_run != slot.should_run:
                wanted = slot.should_run
                await self._bundles.set_should_run(slot.workspace, slot.name, wanted)
                slot.kept_should_run = wanted
