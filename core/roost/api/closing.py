"""Lets a stream of anything end with the daemon's closing notice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final, TypeVar

from roost.events import EventBus
from roost.models import Closing

T = TypeVar("T")


class _End:
    """What a finished stream gives instead of an item."""


_END: Final = _End()


async def until_closed(items: AsyncIterator[T], bus: EventBus) -> AsyncGenerator[T | Closing, None]:
    """Yield the items; when the bus closes first, yield the closing notice and end."""
    closing = asyncio.create_task(bus.wait_closed())
    pending: asyncio.Task[T | _End] | None = None
    try:
        while True:
            pending = asyncio.create_task(_next_of(items))
            await asyncio.wait({pending, closing}, return_when=asyncio.FIRST_COMPLETED)
            item = pending.result() if pending.done() else _END
            if not isinstance(item, _End):
                yield item
                continue
            if closing.done():
                yield closing.result()
            return
    finally:
        await _cancel(closing, pending)
        await _close(items)


async def _next_of(items: AsyncIterator[T]) -> T | _End:
    return await anext(items, _END)


async def _cancel(*tasks: asyncio.Task[T] | None) -> None:
    pending = [task for task in tasks if task is not None]
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)


async def _close(items: AsyncIterator[T]) -> None:
    if isinstance(items, AsyncGenerator):
        await items.aclose()
