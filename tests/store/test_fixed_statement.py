"""Statements that are compiled once do what SQLAlchemy does with them, only sooner."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import bindparam, func, select
from sqlalchemy.exc import IntegrityError
from tests.support.stored_runs import payload
from tests.support.stores import add_workspaces, new_run

from roost.models import RunEvent, RunEventKind, RunProgress, RunStatus, RunTrigger, RunView
from roost.store import SqlStore, open_store, run_statements, sqlite
from roost.store.fixed_statement import Execute, fixed, is_fixed
from roost.store.run_columns import VIEW_COLUMNS, view_of
from roost.store.tables import facts, run_events, runs

RUN = new_run(
    "r-1",
    scope="scope",
    trigger=RunTrigger.USER,
    progress=RunProgress(1.5, 2.0, "half"),
    input={"key": ["hunter2"]},
).run


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    store = await open_store(tmp_path)
    await add_workspaces(store, "main")
    yield store
    await store.close()


async def insert(store: SqlStore, **changes: Any) -> None:
    new = replace(new_run("r-1"), run=replace(RUN, **changes))
    await store._database.write_at_once(lambda execute: run_statements.insert_new(execute, new))


async def change_active(store: SqlStore, **change: Any) -> RunView | None:
    return await store._database.write_at_once(
        lambda execute: run_statements.change_active_now(execute, "r-1", **change)
    )


async def stored(store: SqlStore) -> RunView:
    async with store._database.read() as connection:
        return view_of((await connection.execute(select(*VIEW_COLUMNS))).one())


async def test_a_new_run_is_read_back_as_it_was(store: SqlStore) -> None:
    await insert(store)
    assert await stored(store) == RUN
    assert await payload(store.runs, "r-1") == (None, None, False)


async def test_a_change_returns_what_is_stored_with_words_as_members(store: SqlStore) -> None:
    await insert(store)
    changed = await change_active(
        store,
        owner="daemon-1",
        epoch=1,
        events=2,
        steps=1,
        status=RunStatus.RUNNING,
        started_at=7,
    )
    expected = replace(RUN, status=RunStatus.RUNNING, started_at=7, last_seq=2, step_count=1)
    assert changed == expected == await stored(store)
    assert changed is not None and type(changed.status) is RunStatus


@pytest.mark.parametrize(
    ("status", "lease"),
    [
        (RunStatus.PENDING, {"owner": "daemon-2", "epoch": 1}),
        (RunStatus.PENDING, {"owner": "daemon-1", "epoch": 2}),
        (RunStatus.PENDING, {"owner": None, "epoch": 0, "lapsed_at": 10}),
        (RunStatus.SUCCEEDED, {"owner": "daemon-1", "epoch": 1}),
        (RunStatus.ABORTED, {"owner": None, "epoch": 0}),
    ],
)
async def test_a_run_that_is_not_active_under_the_lease_is_left_alone(
    store: SqlStore, status: RunStatus, lease: dict[str, Any]
) -> None:
    await insert(store, status=status)
    assert await change_active(store, events=1, **lease) is None
    assert (await stored(store)).last_seq == 0


async def test_a_lease_that_has_run_out_is_found(store: SqlStore) -> None:
    await insert(store, lease_until=10)
    for then, is_found in ((9, False), (10, True)):
        changed = await change_active(store, owner=None, epoch=0, lapsed_at=then, events=1)
        assert (changed is not None) is is_found


@pytest.mark.parametrize("count", [1, 3])
async def test_events_and_a_result_are_stored(store: SqlStore, count: int) -> None:
    await insert(store)
    events = tuple(
        RunEvent("r-1", seq, 5, RunEventKind.STEP, f"step {seq}", 1.0)
        for seq in range(1, count + 1)
    )

    def write(execute: Execute) -> None:
        run_statements.insert_events(execute, events)
        run_statements.set_result(execute, "r-1", {"a": 1}, is_truncated=True)

    await store._database.write_at_once(write)
    assert await store.runs.events("r-1", after=0, limit=9) == events
    assert await payload(store.runs, "r-1") == (None, {"a": 1}, True)


async def test_a_violated_constraint_is_the_error_sqlalchemy_raises_and_shows_no_values(
    store: SqlStore,
) -> None:
    await insert(store, title="hunter2")
    with pytest.raises(IntegrityError) as refused:
        await insert(store, id="r-2", title="hunter2")
    assert sqlite.violated(refused.value) == "uq_runs_active_scope"
    assert "hunter2" not in str(refused.value)


async def test_the_same_statement_works_on_any_connection_of_sqlalchemy(store: SqlStore) -> None:
    query = fixed(select(facts.c.value).where(facts.c.name == bindparam("named")))
    assert is_fixed(query)
    async with store._database.write() as writer, store._database.read() as reader:
        for connection in (writer, reader):
            found = await connection.execute(query, {"named": "data_id"})
            assert found.scalar_one() == store.data_id


async def test_a_fixed_insert_of_many_rows_is_undone_with_its_block(store: SqlStore) -> None:
    await insert(store)
    event = RunEvent("r-1", 1, 5, RunEventKind.STEP, "step")
    events = (event, replace(event, seq=2), event)
    with pytest.raises(IntegrityError):
        await store._database.write_at_once(
            lambda execute: run_statements.insert_events(execute, events)
        )
    async with store._database.read() as connection:
        assert await connection.scalar(select(func.count()).select_from(run_events)) == 0
        assert await connection.scalar(select(func.count()).select_from(runs)) == 1
