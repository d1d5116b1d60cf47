"""Transitions: at hand at once, written in order a moment later."""

import asyncio

import pytest

from roost.engine import journal
from roost.engine.journal import StoredTransitions
from roost.models import SlotState, Transition

BOUND_S = 30.0


class Rows:
    """Takes batches down."""

    def __init__(self) -> None:
        self.batches: list[tuple[Transition, ...]] = []
        self.has_more = asyncio.Event()

    async def add(self, batch: tuple[Transition, ...]) -> None:
        self.batches.append(batch)
        self.has_more.set()

    async def newest(self, *_: object) -> tuple[Transition, ...]:
        return ()


def move(at: int) -> Transition:
    return Transition(
        workspace="w",
        bundle="app",
        at=at,
        before=SlotState.RUNNING,
        after=SlotState.BACKING_OFF,
        cause="crash",
        actor="roost",
        step=None,
        generation=1,
        reason=None,
    )


async def test_moves_of_one_restart_are_one_write_and_the_close_does_not_wait_for_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(journal, "GATHER_S", 3600.0)
    rows = Rows()
    stored = StoredTransitions(rows)
    await stored.open()
    for at in range(3):
        stored.record(move(at))
        for _ in range(5):  # as a start goes on between its moves
            await asyncio.sleep(0)
    assert rows.batches == [] and [each.at for each in stored.recent] == [2, 1, 0]
    await stored.close()
    assert [[each.at for each in batch] for batch in rows.batches] == [[0, 1, 2]]


async def test_a_move_is_written_without_being_asked_for() -> None:
    rows = Rows()
    stored = StoredTransitions(rows)
    await stored.open()
    stored.record(move(1))
    async with asyncio.timeout(BOUND_S):
        await rows.has_more.wait()
    assert rows.batches == [(move(1),)]
    await stored.close()
