"""The store contract: leases of runs, run families, and what retention removes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.store.test_run_rows import settle
from tests.support.stores import new_run

from roost.errors import BadInput
from roost.models import (
    KeptRun,
    NewRun,
    RunEventKind,
    RunKind,
    RunProgress,
    RunQuery,
    RunStatus,
    RunView,
    StopPhase,
)
from roost.store import SqlStore

LEASE_MS = 60_000


def outside_run(run_id: str, **changes: Any) -> NewRun:
    values: dict[str, Any] = {
        "kind": RunKind.EXTERNAL,
        "status": RunStatus.RUNNING,
        "started_at": 1_000,
        "lease_until": 1_000 + LEASE_MS,
        "last_seq": 1,
    }
    new = new_run(run_id, owner="outside-1", **values | changes)
    return NewRun(new.run, None, new.lease_owner, new.lease_epoch, new.input_hash, LEASE_MS)


async def report(
    store: SqlStore, run_id: str, *, owner: str = "outside-1", epoch: int = 1, at: int = 5_000
) -> RunView | None:
    return await store.runs.report(
        run_id,
        at=at,
        steps=[("one", RunProgress(1)), ("two", None)],
        outputs=["line"],
        link="https://out/1",
        owner=owner,
        epoch=epoch,
    )


async def take_over(store: SqlStore, run_id: str, new_owner: str) -> RunView | None:
    return await store.runs.take_over(
        run_id, at=2_000, owner="outside-1", epoch=1, new_owner=new_owner, lease_ms=9_000
    )


async def test_a_run_that_is_running_is_stored_with_the_event_that_says_so(
    store: SqlStore,
) -> None:
    await store.runs.insert(outside_run("r-1"))
    (event,) = await store.runs.events("r-1", after=0, limit=9)
    assert (event.seq, event.kind, event.message) == (1, RunEventKind.STATUS, "running")


async def test_a_report_moves_the_row_its_events_and_the_lease_together(store: SqlStore) -> None:
    await store.runs.insert(outside_run("r-1"))
    view = await report(store, "r-1")
    assert view is not None and view == await store.runs.get("main", "r-1")
    assert (view.step_count, view.last_seq, view.link) == (2, 4, "https://out/1")
    assert (view.lease_until, view.last_progress_at) == (5_000 + LEASE_MS, 5_000)
    events = await store.runs.events("r-1", after=1, limit=9)
    assert [(event.seq, event.message) for event in events] == [(2, "one"), (3, "two"), (4, "line")]


async def test_a_report_under_another_owner_or_epoch_or_after_the_end_stores_nothing(
    store: SqlStore,
) -> None:
    new = outside_run("r-1")
    await store.runs.insert(new)
    assert await report(store, "r-1", owner="outside-2") is None
    assert await report(store, "r-1", epoch=2) is None
    assert await store.runs.get("main", "r-1") == new.run
    ended = await settle(store, "r-1")
    assert await report(store, "r-1") is None
    assert await store.runs.get("main", "r-1") == ended


async def test_of_concurrent_take_overs_of_one_lease_one_wins(store: SqlStore) -> None:
    await store.runs.insert(outside_run("r-1"))
    outcomes = await asyncio.gather(*(take_over(store, "r-1", f"new-{n}") for n in range(8)))
    winners = [n for n, view in enumerate(outcomes) if view is not None]
    assert len(winners) == 1
    found = await store.runs.leased("main", "r-1")
    assert found is not None
    assert (found.owner, found.epoch, found.lease_ms) == (f"new-{winners[0]}", 2, 9_000)
    assert found.run.lease_until == 11_000
    assert await report(store, "r-1") is None
    assert await store.runs.leased("other", "r-1") is None


async def test_an_end_can_be_bound_to_a_lease_that_ran_out(store: SqlStore) -> None:
    await store.runs.insert(outside_run("r-1"))
    early = await settle(store, "r-1", lapsed_at=1_000 + LEASE_MS - 1)
    assert early is None
    late = await settle(store, "r-1", lapsed_at=1_000 + LEASE_MS, link="https://out/2")
    assert late is not None and late.link == "https://out/2"


async def test_an_active_run_can_be_amended_and_a_settled_one_not(store: SqlStore) -> None:
    await store.runs.insert(new_run("r-1"))
    view = await store.runs.amend("r-1", stop_phase=StopPhase.ASKED, link="x")
    assert view is not None and (view.stop_phase, view.link) == (StopPhase.ASKED, "x")
    ended = await settle(store, "r-1")
    assert await store.runs.amend("r-1", stop_phase=StopPhase.KILLING) is None
    assert await store.runs.get("main", "r-1") == ended


async def test_a_child_needs_a_parent_that_could_stop_it(store: SqlStore) -> None:
    await store.runs.insert(new_run("r-1"))
    await store.runs.insert(new_run("r-2", parent="r-1"))
    for workspace, parent in (("main", "r-9"), ("other", "r-1")):
        with pytest.raises(BadInput):
            await store.runs.insert(new_run("r-3", workspace=workspace, parent=parent))
    await store.runs.request_stop("main", "r-1", at=1, by="ann")
    with pytest.raises(BadInput):
        await store.runs.insert(new_run("r-3", parent="r-1"))
    await settle(store, "r-2")
    with pytest.raises(BadInput):
        await store.runs.insert(new_run("r-3", parent="r-2"))
    assert await store.runs.get("main", "r-3") is None


async def test_runs_are_filtered_by_kind_parent_and_time(store: SqlStore) -> None:
    await store.runs.insert(new_run("r-1", created_at=1_000))
    await store.runs.insert(new_run("r-2", created_at=2_000, parent="r-1"))
    await store.runs.insert(outside_run("r-3", created_at=3_000, parent="r-1"))

    async def ids(**query: Any) -> list[str]:
        return [view.id for view in await store.runs.list(RunQuery(workspace="main", **query))]

    assert await ids(kinds=(RunKind.EXTERNAL,)) == ["r-3"]
    assert await ids(kinds=(RunKind.EXTERNAL, RunKind.TOOL_CALL), since=2_000) == ["r-3", "r-2"]
    assert await ids(parent="r-1", since=3_000) == ["r-3"]
    assert await ids(since=3_001) == []


async def test_retention_sees_settled_runs_alone_oldest_first(store: SqlStore) -> None:
    for number in range(4):
        await store.runs.insert(new_run(f"r-{number}", created_at=1_000 + number))
    for number in (2, 0, 3):
        await settle(store, f"r-{number}")
    old = await store.runs.settled_before(9_001, limit=2)
    assert old == (KeptRun("r-0", "main", 1, 1), KeptRun("r-2", "main", 1, 1))
    assert await store.runs.settled_before(9_000, limit=9) == ()
    beyond = await store.runs.settled_beyond(1, limit=9)
    assert [run.id for run in beyond] == ["r-0", "r-2"]
    assert await store.runs.settled_beyond(3, limit=9) == ()


async def test_the_oldest_events_go_in_bounded_pieces(store: SqlStore) -> None:
    await store.runs.insert(outside_run("r-1"))
    await report(store, "r-1")
    await settle(store, "r-1")
    (run,) = await store.runs.settled_with_more_events(2, limit=9)
    assert (run.last_seq, run.event_count) == (5, 5)
    assert await store.runs.drop_events("r-1", up_to=3, limit=2) == 2
    assert await store.runs.drop_events("r-1", up_to=3, limit=2) == 1
    assert await store.runs.drop_events("r-1", up_to=3, limit=2) == 0
    assert (await store.runs.detail("main", "r-1", newest=9)).events_dropped == 3
    assert [event.seq for event in await store.runs.events("r-1", after=0, limit=9)] == [4, 5]
    assert await store.runs.settled_with_more_events(2, limit=9) == ()
    assert await store.runs.remove_settled(["r-1", "r-9"]) == 1
    assert await store.runs.events("r-1", after=0, limit=9) == ()
