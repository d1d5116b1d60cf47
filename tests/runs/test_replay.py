"""Viewers of a run resume by number, and a slow one costs nobody anything but a page."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from tests.support.ledger import Ledger

from roost.models import RunEvent, RunProgress, RunStatus
from roost.runs import Ending
from roost.runs.viewers import RunViewers
from roost.store import SqlStore

DONE = Ending(RunStatus.SUCCEEDED)


async def steps(ledger: Ledger, run_id: str, count: int) -> None:
    await ledger.recorder.steps(run_id, [RunProgress(number) for number in range(count)])


async def read(ledger: Ledger, run_id: str, after: int) -> list[int]:
    async with asyncio.timeout(30):
        return [event.seq async for event in ledger.recorder.events("main", run_id, after=after)]


@pytest.mark.parametrize("after", [-1, -(2**63), 9, 2**62])
async def test_a_number_that_was_never_given_counts_as_none(ledger: Ledger, after: int) -> None:
    run = await ledger.begin()
    await steps(ledger, run.id, 3)
    await ledger.recorder.finalize("main", run.id, DONE)
    assert await read(ledger, run.id, after) == [1, 2, 3, 4, 5]


async def test_a_viewer_that_comes_back_gets_what_was_stored_meanwhile_once_and_in_order(
    ledger: Ledger, store: SqlStore
) -> None:
    run = await ledger.begin()
    await steps(ledger, run.id, 6)
    async with aclosing(ledger.recorder.events("main", run.id)) as events:
        first = [await anext(events) for _ in range(7)]
    assert [event.seq for event in first] == list(range(1, 8))
    await steps(ledger, run.id, 2)
    resumed: list[RunEvent] = []

    async def follow() -> None:
        async for event in ledger.recorder.events("main", run.id, after=7):
            assert event in await store.runs.events(run.id, after=event.seq - 1, limit=1)
            resumed.append(event)

    following = asyncio.create_task(follow())
    for _ in range(5):
        await steps(ledger, run.id, 1)
        await asyncio.sleep(0)
    await ledger.recorder.finalize("main", run.id, DONE)
    async with asyncio.timeout(30):
        await following
    assert [event.seq for event in resumed] == list(range(8, 16))


async def test_a_viewer_that_does_not_read_holds_one_page_and_nobody_up(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roost.runs.viewers.PAGE", 10)
    run = await ledger.begin()
    async with aclosing(ledger.recorder.events("main", run.id)) as slow:
        assert (await anext(slow)).seq == 1
        reads = ledger.rows.calls["events"]
        for _ in range(20):
            await steps(ledger, run.id, 10)
        await ledger.recorder.finalize("main", run.id, DONE)
        assert await read(ledger, run.id, 0) == list(range(1, 203))
        assert ledger.rows.calls["events"] - reads == 21  # the quick viewer's pages alone
        async with asyncio.timeout(30):
            assert [event.seq async for event in slow] == list(range(2, 203))


async def test_a_viewer_reads_the_run_once_and_then_only_events_that_are_new(
    ledger: Ledger,
) -> None:
    run = await ledger.begin()
    async with aclosing(ledger.recorder.events("main", run.id)) as events:
        assert (await anext(events)).seq == 1
        calls = ledger.rows.calls.copy()
        following = asyncio.ensure_future(anext(events))
        for link in ("https://out/1", "https://out/2", "https://out/3"):
            await ledger.recorder.set_link(run.id, link)
            await asyncio.sleep(0)
        assert (ledger.rows.calls - calls)["get"] == (ledger.rows.calls - calls)["events"] == 0
        await steps(ledger, run.id, 1)
        async with asyncio.timeout(30):
            assert (await following).seq == 2
        assert (ledger.rows.calls - calls)["events"] == 1


async def test_a_row_that_is_told_late_hides_no_event(ledger: Ledger) -> None:
    run = await ledger.begin()
    viewers = RunViewers(ledger.rows)
    async with aclosing(viewers.events("main", run.id, 0)) as events:
        assert (await anext(events)).seq == 1
        await steps(ledger, run.id, 1)
        following = asyncio.ensure_future(anext(events))
        viewers.wake(run.id, await viewers.get("main", run.id))
        viewers.wake(run.id, run)
        async with asyncio.timeout(30):
            assert (await following).seq == 2
