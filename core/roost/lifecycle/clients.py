"""Entering a client's context manager, async or plain, so that it can be left at another time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import TypeVar

T = TypeVar("T")


async def enter(
    manager: AbstractAsyncContextManager[T] | AbstractContextManager[T],
) -> tuple[T, Callable[[], Awaitable[None]]]:
    """Enter it, and return what it gave and how to leave it."""
    if isinstance(manager, AbstractAsyncContextManager):
        entered = await manager.__aenter__()

        async def leave() -> None:
            await manager.__aexit__(None, None, None)
    else:
        entered = manager.__enter__()

        async def leave() -> None:
            manager.__exit__(None, None, None)

    return entered, leave
