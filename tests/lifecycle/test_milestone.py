"""A milestone: its first outcome stays, and it waits in whatever loop asks."""

import asyncio

import pytest
from tests.lifecycle.tracing import LIMIT_S

from roost.lifecycle import Milestone


async def test_everyone_who_waits_goes_on_when_it_is_reached() -> None:
    milestone = Milestone()
    async with asyncio.timeout(LIMIT_S), asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(milestone.wait())
        await asyncio.sleep(0)
        assert not milestone.is_settled
        milestone.reach()
    assert milestone.is_reached and milestone.is_settled


async def test_the_first_outcome_stays() -> None:
    reached, failed = Milestone(), Milestone()
    reached.reach()
    reached.fail(ValueError("late"))
    failed.fail(ValueError("first"))
    failed.reach()
    await reached.wait()
    with pytest.raises(ValueError, match="first"):
        await failed.wait()
    assert failed.is_settled and not failed.is_reached


async def test_a_waiter_that_is_cancelled_leaves_the_others_waiting() -> None:
    milestone = Milestone()
    impatient, patient = (asyncio.create_task(milestone.wait()) for _ in range(2))
    await asyncio.sleep(0)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    milestone.reach()
    async with asyncio.timeout(LIMIT_S):
        await patient


def test_it_may_be_waited_for_in_one_loop_after_another() -> None:
    milestone = Milestone()

    async def wait_in_vain() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await milestone.wait()

    asyncio.run(wait_in_vain())
    milestone.reach()
    asyncio.run(milestone.wait())
