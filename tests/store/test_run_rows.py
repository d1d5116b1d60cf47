"""The store contract: runs, their payloads and their events."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError
from tests.support.stored_runs import payload
from tests.support.stores import OWNER, new_run

from roost.errors import AlreadyActive, IdempotencyConflict, RunNotFound
from roost.models import (
    RunError,
    RunEvent,
    RunEventKind,
    RunProgress,
    RunQuery,
    RunStatus,
    RunTrigger,
    RunView,
)
from roost.store import SqlStore

PROGRAMS = Path(__file__).parents[1] / "support" / "programs"
ROOT = Path(__file__).parents[2]


async def settle(
    store: SqlStore, run_id: str, status: RunStatus = RunStatus.SUCCEEDED, **changes: Any
) -> RunView | None:
    values = {"at": 9_000, "error": None, "result": None, "is_truncated": False} | changes
    return await store.runs.finalize(run_id, status=status, **values)


async def step(
    store: SqlStore, run_id: str, *, owner: str = OWNER, epoch: int = 1, current: float = 1.0
) -> tuple[RunEvent, RunView] | None:
    return await store.runs.append_event(
        run_id,
        at=5_000,
        kind=RunEventKind.STEP,
        message="working",
        progress=RunProgress(current, 10.0, "working"),
        owner=owner,
        epoch=epoch,
    )


async def test_a_new_run_with_defaults_is_pending_and_unseen_by_other_workspaces(
    store: SqlStore,
) -> None:
    await store.runs.insert(new_run("r-1", input={"q": ["ä", None, 1.5]}))
    view = await store.runs.get("main", "r-1")
    assert view is not None
    assert (view.status, view.trigger, view.step_count) == (RunStatus.PENDING, RunTrigger.USER, 0)
    assert await payload(store.runs, "r-1") == ({"q": ["ä", None, 1.5]}, None, False)
    assert await store.runs.get("other", "r-1") is None
    assert await store.runs.list(RunQuery(workspace="other")) == ()
    assert await store.runs.request_stop("other", "r-1", at=1, by="x") is None
    with pytest.raises(RunNotFound):
        await store.runs.detail("other", "r-1", newest=9)


async def test_a_second_active_run_of_a_scope_is_refused_until_the_first_has_settled(
    store: SqlStore,
) -> None:
    await store.runs.insert(new_run("r-1", scope="chat"))
    with pytest.raises(AlreadyActive) as refused:
        await store.runs.insert(new_run("r-2", scope="chat"))
    assert refused.value.details == {"scope": "chat", "run": "r-1"}
    await store.runs.insert(new_run("r-3", scope="chat", workspace="other"))
    await settle(store, "r-1")
    await store.runs.insert(new_run("r-2", scope="chat"))


async def test_runs_without_a_scope_never_stand_in_each_others_way(store: SqlStore) -> None:
    await store.runs.insert(new_run("r-1"))
    await store.runs.insert(new_run("r-2"))
    assert len(await store.runs.list(RunQuery(workspace="main"))) == 2


async def test_of_many_concurrent_begins_on_one_scope_one_wins(store: SqlStore) -> None:
    async def begin(number: int) -> str | None:
        try:
            await store.runs.insert(new_run(f"r-{number}", scope="chat"))
        except AlreadyActive as error:
            return str(error.details["run"])
        return None

    outcomes = await asyncio.gather(*(begin(number) for number in range(20)))
    (active,) = await store.runs.list(RunQuery(scope="chat"))
    assert sorted(outcomes, key=str) == sorted([None, *[active.id] * 19], key=str)


async def test_of_begins_in_several_processes_one_wins(store: SqlStore, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'roost.db'}"
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            str(PROGRAMS / "begin_runs.py"),
            url,
            f"p{number}",
            "5",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={"PYTHONPATH": str(ROOT)},
        )
        for number in range(4)
    ]
    async with asyncio.timeout(60):
        for process in processes:
            assert process.stdout is not None
            assert await process.stdout.readline() == b"ready\n"
        answers = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    outcomes = [json.loads(line) for out, _ in answers for line in out.splitlines()]
    (active,) = await store.runs.list(RunQuery(scope="chat"))
    assert len(outcomes) == 20
    assert [outcome["tried"] for outcome in outcomes if outcome["active"] is None] == [active.id]
    assert {outcome["active"] for outcome in outcomes} == {None, active.id}


async def test_an_idempotency_key_is_taken_once_in_each_workspace(store: SqlStore) -> None:
    await store.runs.insert(new_run("r-1", idempotency_key="k", input_hash="one"))
    await store.runs.insert(new_run("r-2", idempotency_key="k", workspace="other"))
    await settle(store, "r-1")
    with pytest.raises(IdempotencyConflict) as refused:
        await store.runs.insert(new_run("r-3", idempotency_key="k"))
    assert refused.value.details == {"key": "k", "run": "r-1"}
    found = await store.runs.find_by_key("main", "k")
    assert found is not None
    assert (found[0].id, found[1]) == ("r-1", "one")
    assert await store.runs.find_by_key("main", "unknown") is None


async def test_other_constraint_failures_pass_through_as_themselves(store: SqlStore) -> None:
    await store.runs.insert(new_run("r-1", scope="chat"))
    with pytest.raises(IntegrityError, match=r"runs\.id"):
        await store.runs.insert(new_run("r-1", scope="another"))
    with pytest.raises(IntegrityError, match="FOREIGN KEY"):
        await store.runs.insert(new_run("r-2", workspace="nowhere"))
    with pytest.raises(IntegrityError, match="NOT NULL"):
        await store.runs.insert(new_run("r-3", title=None))


async def test_a_run_starts_once_and_only_under_its_lease(store: SqlStore) -> None:
    await store.runs.insert(new_run("r-1", epoch=2))
    start = store.runs.mark_started
    assert await start("r-1", at=5, generation=3, owner="other", epoch=2) is None
    assert await start("r-1", at=5, generation=3, owner=OWNER, epoch=1) is None
    view = await start("r-1", at=5, generation=3, owner=OWNER, epoch=2)
    assert view is not None
    assert (view.status, view.started_at, view.generation) == (RunStatus.RUNNING, 5, 3)
    assert await start("r-1", at=6, generation=3, owner=OWNER, epoch=2) is None


async def test_events_are_numbered_without_gaps_and_move_the_row(store: SqlStore) -> None:
    await store.runs.insert(new_run("r-1"))
    stored = [await step(store, "r-1", current=float(number)) for number in range(3)]
    assert [pair[0].seq for pair in stored if pair] == [1, 2, 3]
    output = await store.runs.append_event(
        "r-1",
        at=6_000,
        kind=RunEventKind.OUTPUT,
        message="line",
        progress=None,
        owner=OWNER,
        epoch=1,
    )
    assert output is not None
    event, view = output
    assert (event.seq, event.message, event.current) == (4, "line", None)
    assert (view.step_count, view.last_seq, view.last_progress_at) == (3, 4, 6_000)
    assert view.progress == RunProgress(2.0, 10.0, "working")
    assert view == await store.runs.get("main", "r-1")


async def test_several_steps_are_one_write_with_a_number_for_each(store: SqlStore) -> None:
    await store.runs.insert(new_run("r-1", epoch=2))
    await step(store, "r-1", epoch=2)
    steps = [("one", RunProgress(2.0)), ("two", RunProgress(3.0, 9.0, "two")), ("three", None)]
    append = store.runs.append_steps
    assert await append("r-1", steps, at=6_000, owner="other", epoch=2) is None
    assert await append("r-1", steps, at=6_000, owner=OWNER, epoch=1) is None
    stored = await append("r-1", steps, at=6_000, owner=OWNER, epoch=2)
    assert stored is not None
    events, view = stored
    assert [(event.seq, event.message, event.current) for event in events] == [
        (2, "one", 2.0),
        (3, "two", 3.0),
        (4, "three", None),
    ]
    assert events == await store.runs.events("r-1", after=1, limit=10)
    assert (view.step_count, view.last_seq, view.last_progress_at) == (4, 4, 6_000)
    assert view.progress == RunProgress(3.0, 9.0, "two")
    assert view == await store.runs.get("main", "r-1")
    await settle(store, "r-1")
    assert await append("r-1", steps, at=7_000, owner=OWNER, epoch=2) is None


async def test_concurrent_events_of_one_run_leave_no_gap(store: SqlStore) -> None:
    await store.runs.insert(new_run("r-1"))
    await asyncio.gather(*(step(store, "r-1") for _ in range(20)))
    events = await store.runs.events("r-1", after=0, limit=100)
    assert [event.seq for event in events] == list(range(1, 21))


async def test_events_are_read_on_from_a_number(store: SqlStore) -> None:
    await store.runs.insert(new_run("r-1"))
    for _ in range(5):
        await step(store, "r-1")
    events = await store.runs.events("r-1", after=2, limit=2)
    assert [event.seq for event in events] == [3, 4]


async def test_an_event_under_another_lease_or_after_the_end_is_not_stored(
    store: SqlStore,
) -> None:
    await store.runs.insert(new_run("r-1", epoch=2))
    assert await step(store, "r-1", owner="other", epoch=2) is None
    assert await step(store, "r-1", epoch=1) is None
    await settle(store, "r-1")
    assert await step(store, "r-1", epoch=2) is None
    assert [event.kind for event in await store.runs.events("r-1", after=0, limit=9)] == [
        RunEventKind.STATUS
    ]


async def test_the_end_is_written_once_with_a_closing_event(store: SqlStore) -> None:
    await store.runs.insert(new_run("r-1", scope="chat"))
    await step(store, "r-1")
    error = RunError("tool_error", "no such file")
    view = await settle(
        store, "r-1", RunStatus.FAILED, error=error, result=[{"text": "x"}], is_truncated=True
    )
    assert view is not None
    assert (view.status, view.finished_at, view.error) == (RunStatus.FAILED, 9_000, error)
    assert await settle(store, "r-1", RunStatus.ABORTED) is None
    assert await store.runs.get("main", "r-1") == view
    assert await payload(store.runs, "r-1") == (None, [{"text": "x"}], True)
    events = await store.runs.events("r-1", after=1, limit=9)
    assert [(event.seq, event.kind, event.message) for event in events] == [
        (2, RunEventKind.STATUS, "failed: no such file")
    ]


async def test_of_two_concurrent_ends_one_is_written(store: SqlStore) -> None:
    await store.runs.insert(new_run("r-1"))
    ends = await asyncio.gather(
        settle(store, "r-1", RunStatus.SUCCEEDED), settle(store, "r-1", RunStatus.ABORTED)
    )
    (written,) = [view for view in ends if view]
    assert await store.runs.get("main", "r-1") == written
    assert written.last_seq == 1


async def test_an_end_can_be_bound_to_a_lease(store: SqlStore) -> None:
    await store.runs.insert(new_run("r-1", epoch=2))
    assert await settle(store, "r-1", owner=OWNER, epoch=1) is None
    assert await settle(store, "r-1", owner="other", epoch=2) is None
    assert await settle(store, "r-1", owner=OWNER, epoch=2) is not None


async def test_a_stop_is_stamped_once_and_never_on_a_settled_run(store: SqlStore) -> None:
    await store.runs.insert(new_run("r-1"))
    first = await store.runs.request_stop("main", "r-1", at=5, by="ann")
    assert first is not None
    assert (first.stop_requested_at, first.stop_requested_by) == (5, "ann")
    assert await store.runs.request_stop("main", "r-1", at=6, by="ben") == first
    settled = await settle(store, "r-1", RunStatus.ABORTED)
    assert await store.runs.request_stop("main", "r-1", at=7, by="cem") is None
    assert await store.runs.get("main", "r-1") == settled


async def test_runs_are_listed_newest_first_and_filtered(store: SqlStore) -> None:
    for number in range(1, 5):
        await store.runs.insert(
            new_run(f"r-{number}", created_at=1_001 + number // 2, bundle=f"b{number % 2}")
        )
    await store.runs.insert(new_run("x-1", workspace="other", scope="chat"))
    await settle(store, "r-1")

    async def ids(**query: Any) -> list[str]:
        return [view.id for view in await store.runs.list(RunQuery(**query))]

    assert await ids() == ["r-4", "r-3", "r-2", "r-1", "x-1"]
    assert await ids(workspace="main", limit=2) == ["r-4", "r-3"]
    assert await ids(workspace="main", before="r-3") == ["r-2", "r-1"]
    assert await ids(workspace="main", bundle="b0") == ["r-4", "r-2"]
    assert await ids(scope="chat") == ["x-1"]
    assert await ids(statuses=(RunStatus.SUCCEEDED, RunStatus.FAILED)) == ["r-1"]
    assert await ids(workspace="main", before="x-1") == []
    assert await ids(before="unknown") == []


async def test_active_runs_of_other_daemons_are_told_from_ours(store: SqlStore) -> None:
    await store.runs.insert(new_run("r-1", owner="earlier"))
    await store.runs.insert(new_run("r-2", owner="earlier"))
    await store.runs.insert(new_run("r-3"))
    await settle(store, "r-2")
    assert [view.id for view in await store.runs.active_of_other_owners(OWNER)] == ["r-1"]
