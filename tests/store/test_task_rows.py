"""The store contract: tasks, and what only their runs have: claims, journals, attempts."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.store.test_run_rows import settle
from tests.support.stores import STORES, add_workspaces, new_run

from roost.errors import TaskTaken
from roost.models import (
    JournalWrite,
    NewRun,
    Recovery,
    RetryPolicy,
    RunError,
    RunEventKind,
    RunKind,
    RunProgress,
    RunStatus,
    RunView,
    StepState,
    TaskRow,
    TaskSpec,
    WaitReason,
)
from roost.models.record import WAITING_OWNER
from roost.store import SqlStore

PROGRAM = Path(__file__).parents[1] / "support" / "programs" / "task_claimer.py"
LEASE_MS = 30_000
LOST = RunError("lost", "its worker ended")


def task_run(run_id: str, **changes: Any) -> NewRun:
    values: dict[str, Any] = {
        "kind": RunKind.TASK,
        "task": "send",
        "bundle": "worker",
        "tool": None,
    }
    return new_run(run_id, owner=WAITING_OWNER, epoch=0, input={"a": 1}, **values | changes)


async def claim(
    store: SqlStore, run_id: str, *, owner: str = "g-1", epoch: int = 0, at: int = 5_000
) -> RunView | None:
    claimed = await store.tasks.claim(
        run_id, at=at, owner=owner, epoch=epoch, bundle="worker", generation=3, lease_ms=LEASE_MS
    )
    return claimed and claimed[0]


async def tell(
    store: SqlStore, run_id: str, *journal: JournalWrite, epoch: int = 1, owner: str = "g-1"
) -> RunView | None:
    return await store.tasks.report_work(
        run_id,
        at=6_000,
        owner=owner,
        epoch=epoch,
        lease_until=40_000,
        events=[
            (RunEventKind.STEP, "one", RunProgress(1), None),
            (RunEventKind.EMIT, "{}", None, "mailed"),
        ],
        journal=journal,
        link="https://out",
    )


async def requeue(
    store: SqlStore, run_id: str, *, epoch: int = 1, owner: str = "g-1", **changes: Any
) -> RunView | None:
    values: dict[str, Any] = {"waits": None, "available_at": None, "journal": "kept"}
    return await store.tasks.requeue(
        run_id, at=9_000, owner=owner, epoch=epoch, error=LOST, **values | changes
    )


async def test_tasks_are_kept_as_they_were_offered(store: SqlStore) -> None:
    spec = TaskSpec(
        "send",
        "sends",
        Recovery.RERUN,
        age_limit_s=3.5,
        retry=RetryPolicy(2),
        slots=4,
        queue_limit=9,
    )
    await store.tasks.put("main", "worker", [spec, TaskSpec("mail")], at=1)
    await store.tasks.put("other", "worker", [TaskSpec("send")], at=1)
    assert await store.tasks.list() == (
        TaskRow("main", "worker", TaskSpec("mail")),
        TaskRow("main", "worker", spec),
        TaskRow("other", "worker", TaskSpec("send")),
    )


async def test_what_a_bundle_offers_now_replaces_what_it_offered(store: SqlStore) -> None:
    await store.tasks.put("main", "worker", [TaskSpec("send"), TaskSpec("old")], at=1)
    await store.tasks.put("main", "worker", [TaskSpec("send")], at=2)
    assert [row.spec.name for row in await store.tasks.list()] == ["send"]
    await store.tasks.forget_bundle("main", "worker")
    assert await store.tasks.list() == ()


async def test_a_name_of_another_bundle_is_refused_and_nothing_changes(store: SqlStore) -> None:
    await store.tasks.put("main", "worker", [TaskSpec("send")], at=1)
    await store.tasks.put("main", "other", [TaskSpec("mail")], at=1)
    with pytest.raises(TaskTaken) as caught:
        await store.tasks.put("main", "other", [TaskSpec("more"), TaskSpec("send")], at=2)
    assert caught.value.details == {"task": "send", "bundle": "worker"}
    assert [row.spec.name for row in await store.tasks.list()] == ["mail", "send"]


async def test_of_concurrent_claims_of_one_run_one_wins(store: SqlStore) -> None:
    await store.runs.insert(task_run("r-1"))
    claims = [claim(store, "r-1", owner=f"g-{number}") for number in range(8)]
    winners = [number for number, view in enumerate(await asyncio.gather(*claims)) if view]
    assert len(winners) == 1
    found = await store.runs.leased("main", "r-1")
    assert found is not None
    assert (found.owner, found.epoch, found.lease_ms) == (f"g-{winners[0]}", 1, LEASE_MS)
    assert (found.run.started_at, found.run.lease_until) == (5_000, 35_000)
    assert [event.message for event in await store.runs.events("r-1", after=0, limit=9)] == [
        "running"
    ]


@pytest.mark.real
async def test_two_processes_never_claim_one_run(tmp_path: Path) -> None:
    run_ids = [f"r-{number:02}" for number in range(40)]
    async with STORES["sqlite"](tmp_path) as store:
        await add_workspaces(store, "main")
        for run_id in run_ids:
            await store.runs.insert(task_run(run_id))
    claimers = [await _claimer(tmp_path, name, run_ids) for name in ("one", "two")]
    for claimer in claimers:
        assert claimer.stdin is not None
        claimer.stdin.write(b"go\n")
    async with asyncio.timeout(60):
        outputs = [(await claimer.communicate())[0] for claimer in claimers]
    got = [line for output in outputs for line in output.decode().split()]
    assert sorted(got) == run_ids


async def _claimer(directory: Path, name: str, run_ids: list[str]) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(PROGRAM),
        str(directory / "roost.db"),
        name,
        *run_ids,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    async with asyncio.timeout(60):
        assert await process.stdout.readline() == b"ready\n"
    return process


@pytest.mark.parametrize(
    ("changes", "at"),
    [
        ({"waits": WaitReason.USER}, 5_000),
        ({"available_at": 5_001}, 5_000),
        ({"stop_requested_at": 2_000}, 5_000),
        ({"status": RunStatus.RUNNING}, 5_000),
        ({"status": RunStatus.ABORTED}, 5_000),
    ],
)
async def test_a_run_that_may_not_begin_is_not_claimed(
    store: SqlStore, changes: dict[str, Any], at: int
) -> None:
    new = task_run("r-1", **changes)
    await store.runs.insert(new)
    assert await claim(store, "r-1", at=at) is None
    assert await store.runs.get("main", "r-1") == new.run


async def test_a_claim_names_the_epoch_under_which_the_run_waits(store: SqlStore) -> None:
    await store.runs.insert(task_run("r-1", available_at=5_000))
    assert await claim(store, "r-1", epoch=1) is None
    view = await claim(store, "r-1")
    assert view is not None
    assert (view.available_at, view.waits) == (None, None)


async def test_a_report_moves_the_row_its_events_and_its_journal_together(store: SqlStore) -> None:
    await store.runs.insert(task_run("r-1"))
    await claim(store, "r-1")
    view = await tell(
        store, "r-1", JournalWrite("a", StepState.DONE, [1]), JournalWrite("b", StepState.STARTED)
    )
    assert view is not None and view == await store.runs.get("main", "r-1")
    assert (view.step_count, view.last_seq, view.link) == (1, 3, "https://out")
    assert (view.lease_until, view.last_progress_at) == (40_000, 6_000)
    events = await store.runs.events("r-1", after=1, limit=9)
    assert [(event.seq, event.kind, event.name) for event in events] == [
        (2, RunEventKind.STEP, None),
        (3, RunEventKind.EMIT, "mailed"),
    ]
    journal, _ = await store.tasks.history("r-1")
    assert [(entry.name, entry.state, entry.value) for entry in journal] == [
        ("a", StepState.DONE, [1]),
        ("b", StepState.STARTED, None),
    ]


async def test_a_claim_gives_the_input_and_the_journal_as_the_attempts_before_left_them(
    store: SqlStore,
) -> None:
    await store.runs.insert(task_run("r-1"))
    await claim(store, "r-1")
    await tell(store, "r-1", JournalWrite("b", StepState.STARTED))
    await tell(
        store, "r-1", JournalWrite("a", StepState.DONE, [1]), JournalWrite("c", StepState.STARTED)
    )
    await tell(store, "r-1", JournalWrite("c", StepState.FAILED, error="broke"))
    await requeue(store, "r-1")
    claimed = await store.tasks.claim(
        "r-1", at=9_500, owner="g-2", epoch=1, bundle="worker", generation=4, lease_ms=LEASE_MS
    )
    assert claimed is not None
    view, given = claimed
    assert view == await store.runs.get("main", "r-1")
    assert (view.attempt, view.generation, view.lease_until) == (2, 4, 9_500 + LEASE_MS)
    assert given.input == {"a": 1}
    assert given.journal == (await store.tasks.history("r-1"))[0]
    assert [(entry.name, entry.state, entry.value) for entry in given.journal] == [
        ("b", StepState.STARTED, None),
        ("a", StepState.DONE, [1]),
        ("c", StepState.FAILED, "broke"),
    ]
    assert [entry.was_interrupted for entry in given.journal] == [True, False, False]


async def test_a_report_under_another_owner_or_epoch_stores_nothing(store: SqlStore) -> None:
    await store.runs.insert(task_run("r-1"))
    before = await claim(store, "r-1")
    done = JournalWrite("a", StepState.DONE)
    assert await tell(store, "r-1", done, owner="g-2") is None
    assert await tell(store, "r-1", done, epoch=2) is None
    await requeue(store, "r-1")
    assert await tell(store, "r-1", done) is None
    assert before is not None
    assert (await store.tasks.history("r-1"))[0] == ()


async def test_a_run_goes_back_with_its_attempt_its_journal_and_an_event(store: SqlStore) -> None:
    await store.runs.insert(task_run("r-1"))
    await claim(store, "r-1")
    await tell(
        store, "r-1", JournalWrite("a", StepState.DONE, 1), JournalWrite("b", StepState.STARTED)
    )
    assert await requeue(store, "r-1", owner="g-2") is None
    view = await requeue(store, "r-1", waits=WaitReason.RETRY, available_at=10_000)
    assert view is not None
    assert (view.status, view.attempt, view.waits, view.available_at, view.lease_until) == (
        RunStatus.PENDING,
        2,
        WaitReason.RETRY,
        10_000,
        None,
    )
    journal, attempts = await store.tasks.history("r-1")
    assert [(entry.name, entry.was_interrupted) for entry in journal] == [("a", False), ("b", True)]
    (attempt,) = attempts
    assert (attempt.number, attempt.started_at, attempt.ended_at) == (1, 5_000, 9_000)
    assert (attempt.generation, attempt.error) == (3, LOST)
    assert await claim(store, "r-1", epoch=1, at=9_999) is None
    again = await claim(store, "r-1", epoch=1, at=10_000)
    assert again is not None
    assert (again.started_at, again.attempt) == (5_000, 2)
    assert await requeue(store, "r-1") is None  # of the first attempt
    await requeue(store, "r-1", epoch=2, journal="emptied")
    assert (await store.tasks.history("r-1"))[0] == ()


async def test_a_step_that_is_done_is_never_written_over(store: SqlStore) -> None:
    await store.runs.insert(task_run("r-1"))
    await claim(store, "r-1")
    await tell(store, "r-1", JournalWrite("a", StepState.DONE, 1))
    await tell(store, "r-1", JournalWrite("a", StepState.FAILED, error="late"))
    await tell(store, "r-1", JournalWrite("b", StepState.FAILED, error="broke"))
    await tell(store, "r-1", JournalWrite("b", StepState.DONE, 2))
    journal, _ = await store.tasks.history("r-1")
    assert [(entry.name, entry.state, entry.value) for entry in journal] == [
        ("a", StepState.DONE, 1),
        ("b", StepState.DONE, 2),
    ]


async def test_the_end_of_a_run_ends_its_attempt(store: SqlStore) -> None:
    await store.runs.insert(task_run("r-1", waits=None))
    await claim(store, "r-1")
    ended = await settle(store, "r-1")
    _, (attempt,) = await store.tasks.history("r-1")
    assert ended is not None
    assert attempt.ended_at == ended.finished_at


async def test_a_run_that_waits_for_a_person_goes_on_once(store: SqlStore) -> None:
    await store.runs.insert(task_run("r-1", waits=WaitReason.USER))
    resumed = await store.tasks.resume("r-1", at=7_000, waits=None, message="resumed by ann")
    assert resumed is not None
    assert (resumed.waits, resumed.last_seq) == (None, 1)
    assert await store.tasks.resume("r-1", at=7_000, waits=None, message="again") is None


async def test_what_a_run_waits_for_is_only_changed_from_what_was_known(store: SqlStore) -> None:
    await store.runs.insert(task_run("r-1", waits=WaitReason.RETRY))
    slot, worker = WaitReason.SLOT, WaitReason.WORKER
    assert await store.tasks.set_waits("r-1", before=worker, after=slot) is None
    assert await store.tasks.set_waits("r-1", before=None, after=slot) is None
    changed = await store.tasks.set_waits("r-1", before=WaitReason.RETRY, after=slot)
    assert changed is not None
    assert changed.waits == slot


async def test_active_runs_of_tasks_are_found_oldest_first(store: SqlStore) -> None:
    await store.runs.insert(task_run("r-2", created_at=2_000))
    await store.runs.insert(task_run("r-1", created_at=1_000))
    await store.runs.insert(task_run("r-3", status=RunStatus.SUCCEEDED))
    await store.runs.insert(new_run("r-4"))
    assert [view.id for view in await store.tasks.active()] == ["r-1", "r-2"]
