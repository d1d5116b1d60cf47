"""Looking at disks that may never answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


async def on_disk(work: Callable[[], T]) -> T:
    """Run something that waits for a disk; cancel it to wait no longer.

    It gets a thread of its own: one that hangs on a dead network disk takes no place in the pool
    that everybody else shares, and does not hold up the end of the daemon.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def tell(finish: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(lambda: None if done.done() else finish())

    def run() -> None:
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to who waits
            failure = error
            tell(lambda: done.set_exception(failure))
        else:
            tell(lambda: done.set_result(result))

    threading.Thread(target=run, name="why", daemon=True).start()
    return await done
