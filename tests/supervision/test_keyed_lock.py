"""The lock of a key."""

import asyncio

import pytest

from roost.supervision.keyed_lock import KeyedLock


async def test_users_of_one_key_take_turns_in_the_order_they_came() -> None:
    locks: KeyedLock[str] = KeyedLock()
    order: list[int] = []
    inside = 0

    async def use(number: int) -> None:
        nonlocal inside
        async with locks.hold("a"):
            inside += 1
            assert inside == 1
            await asyncio.sleep(0)
            order.append(number)
            inside -= 1

    async with asyncio.timeout(30):
        await asyncio.gather(*(use(number) for number in range(20)))
    assert order == list(range(20))
    assert len(locks) == 0


async def test_two_keys_are_held_at_the_same_time() -> None:
    locks: KeyedLock[str] = KeyedLock()
    both = asyncio.Barrier(2)

    async def use(key: str) -> None:
        async with locks.hold(key):
            await both.wait()

    async with asyncio.timeout(30):
        await asyncio.gather(use("a"), use("b"))


async def test_an_entry_disappears_after_errors_and_cancellations() -> None:
    locks: KeyedLock[str] = KeyedLock()

    async def fail() -> None:
        async with locks.hold("a"):
            raise ValueError

    async def wait() -> None:
        async with locks.hold("b"):
            await asyncio.Event().wait()

    with pytest.raises(ValueError):
        await fail()
    holder, waiter = asyncio.create_task(wait()), asyncio.create_task(wait())
    await asyncio.sleep(0)
    for task in (waiter, holder):
        task.cancel()
    await asyncio.gather(holder, waiter, return_exceptions=True)
    assert len(locks) == 0
