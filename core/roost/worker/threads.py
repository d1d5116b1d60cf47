"""`in_thread`: blocking work beside an event loop, in a thread that nobody has to wait for."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ended(Generic[T]):
    """How a function ended: with a value or with an error, whichever kind it is."""

    value: T | None = None
    error: BaseException | None = None


async def ended_in_thread(work: Callable[[], T], name: str) -> Ended[T]:
    """Do blocking work in a thread of its own and return how it ended.

    The loop's own threads are a few that handlers may have taken all of, and a program's exit
    waits for them; this one neither waits for a place nor holds up the exit.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Ended[T]] = loop.create_future()
    context = contextvars.copy_context()

    def tell(ended: Ended[T]) -> None:
        if not future.done():
            future.set_result(ended)

    def do() -> None:
        ended = caught(lambda: context.run(work))
        with suppress(RuntimeError):  # the loop has closed: nobody waits any more
            loop.call_soon_threadsafe(tell, ended)

    threading.Thread(target=do, name=name, daemon=True).start()
    return await future


async def in_thread(work: Callable[[], T], name: str = "roost-ask") -> T:
    """Do blocking work in a thread of its own and return its value, or raise its error."""
    ended = await ended_in_thread(work, name)
    if ended.error is not None:
        raise ended.error
    return ended.value  # type: ignore[return-value]  # without an error it is the value


def caught(work: Callable[[], T]) -> Ended[T]:
    """Call a function and return how it ended: an exit in a handler is no exit of the worker."""
    try:
        return Ended(work())
    except BaseException as error:  # noqa: BLE001 - told to the worker, which goes on
        return Ended(error=error)


async def awaited(work: Callable[[], Any]) -> Ended[Any]:
    """Await what a function returns and return how it ended; see `caught`."""
    try:
        return Ended(await work())
    except BaseException as error:  # noqa: BLE001 - told to the worker, which goes on
        return Ended(error=error)
