"""Lets a stream of anything end with the daemon's closing notice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, Final, TypeVar

from roost.events import EventBus
from roost.models import Closing

T = TypeVar("T")


class _End:
    """What a finished stream gives instead of an item."""


_END: Final = _End()


async def until_closed(items: AsyncIterator[T], bus: EventBus) -> AsyncGenerator[T | Closing, None]:
    """Yield the items; once the bus is closed, yield the closing notice and end.

    The notice does not wait for items that are still to come, however fast they do.
    """
    closed = asyncio.create_task(bus.wait_closed())
    pending: asyncio.Task[T | _End] | None = None
    item: T | _End | None = None
    try:
        while bus.closing is None and not isinstance(item, _End):
            pending = asyncio.create_task(_next_of(items))
            await asyncio.wait({pending, closed}, return_when=asyncio.FIRST_COMPLETED)
            if pending.done() and not isinstance(item := pending.result(), _End):
                yield item
        if bus.closing is not None:
            yield bus.closing
    finally:
        await _cancel(closed, pending)
        await _close(items)


async def _next_of(items: AsyncIterator[T]) -> T | _End:
    return await anext(items, _END)


async def _cancel(*tasks: asyncio.Task[Any] | None) -> None:
    pending = [task for task in tasks if task is not None]
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)


async def _close(items: AsyncIterator[T]) -> None:
    if isinstance(items, AsyncGenerator):
        await items.aclose()
