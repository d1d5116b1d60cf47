"""Settled runs are let go of when they are old or too many; active ones never."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, cast

import pytest
from sqlalchemy import func, select
from tests.support.ledger import Ledger

from roost.errors import RunNotFound
from roost.models import RunEvent, RunEventKind, RunProgress, RunQuery, RunStatus
from roost.runs import Ending, Retention, RetentionLimits
from roost.runs import retention as retention_module
from roost.store import SqlStore
from roost.store.base import RunRows
from roost.store.tables import run_events, run_payloads, runs

DONE = Ending(RunStatus.SUCCEEDED, result="done")
DAY_S = 86_400


def retention(ledger: Ledger, **changes: Any) -> Retention:
    limits: dict[str, Any] = {"days": 30.0, "runs": 10_000, "events": 10_000}
    return Retention(
        cast("RunRows", ledger.rows),
        RetentionLimits(**limits | changes),
        clock=ledger.clock,
        forget=ledger.recorder.forget,
    )


async def settled(ledger: Ledger, steps: int = 0, **changes: Any) -> str:
    ledger.clock.advance(0.001)
    run = await ledger.begin(**changes)
    for number in range(steps):
        await ledger.recorder.step(run.id, RunProgress(number))
    await ledger.recorder.finalize(run.workspace, run.id, DONE)
    return run.id


async def ids(store: SqlStore, workspace: str = "main") -> list[str]:
    return [view.id for view in await store.runs.list(RunQuery(workspace=workspace, limit=1000))]


async def counts(store: SqlStore) -> tuple[int, ...]:
    async with store.runs._database.read() as connection:
        tables = (runs, run_payloads, run_events)
        return tuple(
            [await connection.scalar(select(func.count()).select_from(t)) or 0 for t in tables]
        )


async def followed(ledger: Ledger, run_id: str, after: int) -> list[RunEvent]:
    async with asyncio.timeout(30):
        return [event async for event in ledger.recorder.events("main", run_id, after=after)]


async def test_runs_that_ended_too_long_ago_go_with_payload_and_events(
    ledger: Ledger, store: SqlStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "roost.runs")
    active = await ledger.begin(scope="a")
    old = await settled(ledger, 3, idempotency_key="k")
    ledger.clock.advance(DAY_S)
    young = await settled(ledger)
    before = await counts(store)
    ledger.clock.advance(29 * DAY_S)  # the old one ended exactly 30 days ago, and a bit
    ledger.clock.advance(0.001)

    removed = await retention(ledger).run_once()

    assert (removed.old, removed.beyond, removed.events) == (1, 0, 0)
    assert await ids(store) == [young, active.id]
    assert await counts(store) == (before[0] - 1, before[1] - 1, before[2] - 5)
    assert "removed 1 runs older than 30 days" in caplog.text
    assert old not in [view.id for view in ledger.recorder.view()]
    with pytest.raises(RunNotFound):
        await ledger.recorder.detail("main", old)
    assert (await retention(ledger).run_once()).is_empty
    assert await settled(ledger, idempotency_key="k") != old


async def test_a_workspace_keeps_its_newest_settled_runs(ledger: Ledger, store: SqlStore) -> None:
    active = [(await ledger.begin()).id for _ in range(3)]
    many = [await settled(ledger) for _ in range(7)]
    others = [await settled(ledger, workspace="other") for _ in range(4)]
    removed = await retention(ledger, runs=4).run_once()
    assert removed.beyond == 3
    assert await ids(store) == [*reversed(many[3:]), *reversed(active)]
    assert await ids(store, "other") == list(reversed(others))


async def test_events_beyond_the_newest_go_and_the_detail_says_how_many(
    ledger: Ledger, store: SqlStore
) -> None:
    run_id = await settled(ledger, 20)  # 22 events: running, 20 steps, succeeded
    active = await ledger.begin()
    for number in range(20):
        await ledger.recorder.step(active.id, RunProgress(number))
    assert (await retention(ledger, events=5).run_once()).events == 17
    detail = await ledger.recorder.detail("main", run_id)
    assert detail.events_dropped == 17
    assert [event.seq for event in detail.events] == [18, 19, 20, 21, 22]
    assert (await ledger.recorder.detail("main", active.id)).events_dropped == 0
    assert (await retention(ledger, events=5).run_once()).is_empty


async def test_a_viewer_behind_what_is_kept_is_told_to_reload_and_goes_on(
    ledger: Ledger, store: SqlStore
) -> None:
    run_id = await settled(ledger, 20)
    await retention(ledger, events=5).run_once()
    for after in (0, 7, 16, 999, -1):
        events = await followed(ledger, run_id, after)
        assert [event.kind for event in events].count(RunEventKind.RELOAD) == 1
        assert (events[0].kind, events[0].seq) == (RunEventKind.RELOAD, 17)
        assert [event.seq for event in events[1:]] == [18, 19, 20, 21, 22]
    for after in (17, 20):
        events = await followed(ledger, run_id, after)
        assert [event.seq for event in events] == list(range(after + 1, 23))
    stored = await store.runs.events(run_id, after=0, limit=99)
    assert RunEventKind.RELOAD not in [event.kind for event in stored]


async def test_a_slow_viewer_that_retention_passes_is_told_so(
    ledger: Ledger, store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roost.runs.viewers.PAGE", 4)
    run_id = await settled(ledger, 20)
    seen = []
    async with asyncio.timeout(30):
        async for event in ledger.recorder.events("main", run_id):
            seen.append((event.kind is RunEventKind.RELOAD, event.seq))
            if event.seq == 2:
                await retention(ledger, events=5).run_once()
    assert seen == [(False, n) for n in range(1, 5)] + [(True, 17)] + [
        (False, n) for n in range(18, 23)
    ]


async def test_everything_goes_in_batches_that_writers_pass_between(
    ledger: Ledger, store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention_module, "BATCH_RUNS", 3)
    monkeypatch.setattr(retention_module, "BATCH_EVENTS", 10)
    for steps in (0, 2, 25, 4, 0, 12, 1):
        await settled(ledger, steps)
    ledger.clock.advance(31 * DAY_S)
    sizes: list[int] = []
    original = store.runs.remove_settled

    async def remove(run_ids: list[str]) -> int:
        before = (await counts(store))[2]
        gone = await original(run_ids)
        sizes.append(before - (await counts(store))[2])
        return gone

    monkeypatch.setattr(store.runs, "remove_settled", remove)
    removing = asyncio.create_task(retention(ledger).run_once())
    begun = await ledger.begin()
    assert (await removing).old == 7
    assert max(sizes) <= 10 and len(sizes) > 2
    assert await ids(store) == [begun.id]


async def test_a_run_that_is_not_settled_is_never_removed_by_its_id(
    ledger: Ledger, store: SqlStore
) -> None:
    run = await ledger.begin()
    assert await store.runs.remove_settled([run.id]) == 0
    assert await store.runs.drop_events(run.id, up_to=9, limit=9) == 0
    assert (await counts(store))[2] == 1


async def test_a_pass_that_fails_is_logged_and_the_next_goes_on(
    ledger: Ledger, store: SqlStore, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        await settled(ledger)
    ledger.rows.failures["remove_settled"] = 1
    assert (await retention(ledger, runs=1).run_once()).is_empty
    assert "goes on where it ended" in caplog.text
    assert (await retention(ledger, runs=1).run_once()).beyond == 2
