"""Outside work: programs of others report it, each under the lease it holds."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from tests.support.ledger import SECRET, Ledger, request
from tests.support.stored_runs import payload

from roost.errors import (
    AlreadyActive,
    BadInput,
    IdempotencyConflict,
    LeaseLost,
    RunNotFound,
    StoreUnavailable,
)
from roost.models import (
    BeginRequest,
    FinishRequest,
    RunError,
    RunEventKind,
    RunKind,
    RunLease,
    RunProgress,
    RunReport,
    RunStatus,
    RunView,
    StopPhase,
)
from roost.runs import OutsideWork
from roost.runs.outside import LINK_LIMIT, NAME_LIMIT, OUTPUT_LIMIT, STEPS_LIMIT
from roost.store import SqlStore
from roost.store.tables import runs


class Program:
    """A program that reports its work, as the daemon hears it."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.outside = OutsideWork(ledger.recorder)

    async def begin(self, **changes: Any) -> RunLease:
        values: dict[str, Any] = {"title": "index the mail", "lease_s": 60.0} | changes
        return await self.outside.begin("main", BeginRequest(**values), actor="ann")

    async def report(self, lease: RunLease, **what: Any) -> RunLease:
        return await self.outside.report("main", lease.run.id, RunReport(lease.epoch, **what))

    async def finish(self, lease: RunLease, **changes: Any) -> RunView:
        values: dict[str, Any] = {"epoch": lease.epoch, "status": RunStatus.SUCCEEDED} | changes
        return await self.outside.finish("main", lease.run.id, FinishRequest(**values))


@pytest.fixture
def program(ledger: Ledger) -> Program:
    return Program(ledger)


async def restarted(program: Program, store: SqlStore, directory: Path) -> Program:
    """Return the program as a second daemon start hears it, some seconds later."""
    now = program.ledger.clock.now()
    ledger = Ledger(store.runs, directory, owner="daemon-2")
    ledger.clock.advance((now - ledger.clock.now()) / 1000 + 3)
    await ledger.recorder.boot_sweep()
    await ledger.recorder.load_recent()
    return Program(ledger)


async def test_outside_work_runs_at_once_under_a_lease(program: Program, store: SqlStore) -> None:
    lease = await program.begin(input={"since": 3}, scope="mail", on_behalf_of="bob")
    run = lease.run
    assert (run.kind, run.status) == (RunKind.EXTERNAL, RunStatus.RUNNING)
    assert (run.created_by, run.on_behalf_of, run.scope) == ("ann", "bob", "mail")
    assert (lease.epoch, lease.is_new, lease.stop_requested) == (1, True, False)
    assert lease.until == run.lease_until == program.ledger.clock.now() + 60_000
    assert await store.runs.get("main", run.id) == run == program.ledger.published[-1]
    (event,) = await store.runs.events(run.id, after=0, limit=9)
    assert (event.seq, event.kind, event.message) == (1, RunEventKind.STATUS, "running")
    detail = await program.ledger.recorder.detail("main", run.id)
    assert detail.input == {"since": 3}


async def test_a_report_is_one_write_that_renews_the_lease(
    program: Program, store: SqlStore
) -> None:
    lease = await program.begin()
    program.ledger.clock.advance(40)
    steps = (RunProgress(1, 3, "read"), RunProgress(2, 3, "sorted"))
    told = await program.report(lease, steps=steps, output="a line\n", link="https://out/1")
    run = told.run
    assert (run.step_count, run.progress, run.link) == (2, steps[1], "https://out/1")
    assert told.until == run.lease_until == program.ledger.clock.now() + 60_000
    events = await store.runs.events(run.id, after=1, limit=9)
    assert [(event.seq, event.kind, event.message) for event in events] == [
        (2, RunEventKind.STEP, "read"),
        (3, RunEventKind.STEP, "sorted"),
        (4, RunEventKind.OUTPUT, "a line\n"),
    ]
    assert program.ledger.rows.calls["report"] == 1


async def test_a_heartbeat_renews_the_lease_and_stores_no_event(program: Program) -> None:
    lease = await program.begin()
    program.ledger.clock.advance(30)
    told = await program.report(lease)
    assert told.until == lease.until + 30_000
    assert told.run.last_seq == lease.run.last_seq


async def test_long_output_becomes_events_without_losing_a_character(
    program: Program, store: SqlStore
) -> None:
    lease = await program.begin()
    text = "".join(f"line {number}\n" for number in range(2000))
    await program.report(lease, output=text)
    events = await store.runs.events(lease.run.id, after=1, limit=99)
    assert len(events) > 1
    assert "".join(event.message for event in events) == text


async def test_a_report_that_the_store_refuses_changes_nothing(
    program: Program, store: SqlStore
) -> None:
    lease = await program.begin()
    program.ledger.rows.failures["report"] = 1
    with pytest.raises(StoreUnavailable):
        await program.report(lease, steps=(RunProgress(1),))
    assert await store.runs.get("main", lease.run.id) == lease.run
    assert (await program.report(lease, steps=(RunProgress(1),))).run.step_count == 1


async def test_finished_work_keeps_its_result_and_link(program: Program) -> None:
    lease = await program.begin(scope="mail")
    view = await program.finish(lease, result={"mails": 4}, link="https://out/2")
    assert (view.status, view.link) == (RunStatus.SUCCEEDED, "https://out/2")
    detail = await program.ledger.recorder.detail("main", lease.run.id)
    assert detail.result == {"mails": 4}
    assert (await program.begin(scope="mail")).is_new


async def test_the_first_end_stays_and_is_told_again(program: Program) -> None:
    lease = await program.begin()
    first = await program.finish(lease, error=RunError("odd", "no"), status=RunStatus.FAILED)
    assert await program.finish(lease) == first
    with pytest.raises(LeaseLost, match="failed"):
        await program.report(lease)


async def test_of_two_ends_at_once_one_is_written_and_both_are_told_it(program: Program) -> None:
    lease = await program.begin()
    ends = [program.finish(lease), program.finish(lease, status=RunStatus.ABORTED)]
    one, other = await asyncio.gather(*ends)
    assert one == other
    assert program.ledger.published[-1] == one


async def test_an_end_that_is_not_stored_is_kept_and_never_reported_settled(
    program: Program, store: SqlStore
) -> None:
    lease = await program.begin(scope="mail")
    program.ledger.rows.break_down()
    with pytest.raises(StoreUnavailable, match="kept"):
        await program.finish(lease, result=5, link="https://out/3")
    assert (await program.ledger.recorder.get("main", lease.run.id)).status.is_active
    with pytest.raises(LeaseLost):
        await program.report(lease)
    program.ledger.rows.recover()
    view = await program.finish(lease, status=RunStatus.FAILED)
    assert (view.status, view.link) == (RunStatus.SUCCEEDED, "https://out/3")
    assert await payload(store.runs, lease.run.id) == (None, 5, False)


async def test_attaching_by_key_takes_the_next_epoch_and_cuts_the_older_reporter_off(
    program: Program,
) -> None:
    old = await program.begin(idempotency_key="k", input=[1])
    new = await program.begin(idempotency_key="k", input=[1], lease_s=600)
    assert (new.run.id, new.epoch, new.is_new) == (old.run.id, 2, False)
    assert new.until == program.ledger.clock.now() + 600_000
    with pytest.raises(LeaseLost, match="epoch 2"):
        await program.report(old, steps=(RunProgress(1),))
    with pytest.raises(LeaseLost, match="epoch 2"):
        await program.finish(old)
    assert (await program.report(new)).run.step_count == 0
    assert (await program.finish(new)).status is RunStatus.SUCCEEDED
    with pytest.raises(LeaseLost):
        await program.finish(old)


async def test_each_of_many_attaching_at_once_gets_an_epoch_of_its_own(program: Program) -> None:
    begins = [program.begin(idempotency_key="k") for _ in range(8)]
    leases = await asyncio.gather(*begins)
    assert sorted(lease.epoch for lease in leases) == list(range(1, 9))
    assert len({lease.run.id for lease in leases}) == 1
    told = [program.report(lease) for lease in leases]
    outcomes = await asyncio.gather(*told, return_exceptions=True)
    assert sum(isinstance(outcome, RunLease) for outcome in outcomes) == 1


async def test_a_finished_run_is_replayed_and_other_input_conflicts(program: Program) -> None:
    lease = await program.begin(idempotency_key="k", input=[1])
    with pytest.raises(IdempotencyConflict):
        await program.begin(idempotency_key="k", input=[2])
    done = await program.finish(lease)
    again = await program.begin(idempotency_key="k", input=[1])
    assert (again.run, again.epoch, again.is_new) == (done, 1, False)
    assert await program.ledger.recorder.get("main", lease.run.id) == done


async def test_a_taken_scope_refuses_with_the_active_run(program: Program) -> None:
    lease = await program.begin(scope="mail")
    with pytest.raises(AlreadyActive) as refused:
        await program.begin(scope="mail")
    assert refused.value.details["run"] == lease.run.id


async def test_every_answer_says_whether_a_stop_was_asked_for(program: Program) -> None:
    lease = await program.begin(idempotency_key="k")
    stamped = await program.ledger.recorder.request_stop("main", lease.run.id, by="bob")
    await program.ledger.recorder.set_stop_phase(lease.run.id, StopPhase.ASKED)
    assert stamped is not None and stamped.status is RunStatus.RUNNING
    told = await program.report(lease)
    assert told.stop_requested and told.run.stop_phase is StopPhase.ASKED
    attached = await program.begin(idempotency_key="k")
    assert attached.stop_requested
    view = await program.finish(attached, status=RunStatus.ABORTED)
    assert (view.status, view.stop_requested_by) == (RunStatus.ABORTED, "bob")


async def test_a_stop_of_work_whose_lease_ran_out_settles_it_at_once(program: Program) -> None:
    lease = await program.begin(scope="mail")
    program.ledger.clock.advance(61)
    await program.ledger.recorder.request_stop("main", lease.run.id, by="bob")
    view = await program.ledger.recorder.get("main", lease.run.id)
    assert (view.status, view.error and view.error.code) == (RunStatus.ABORTED, "stopped")
    with pytest.raises(LeaseLost, match="aborted"):
        await program.report(lease)


async def test_a_program_goes_on_reporting_to_the_next_daemon(
    program: Program, store: SqlStore, tmp_path: Path
) -> None:
    lease = await program.begin(scope="mail")
    await program.report(lease, steps=(RunProgress(1),))
    later = await restarted(program, store, tmp_path)
    assert [view.id for view in later.ledger.recorder.view()] == [lease.run.id]
    told = await later.report(lease, steps=(RunProgress(2),), output="still here")
    assert (told.run.step_count, told.run.last_seq) == (2, 4)
    assert (await later.finish(lease)).status is RunStatus.SUCCEEDED


async def test_two_daemons_on_one_database_never_both_take_a_report(
    program: Program, store: SqlStore, tmp_path: Path
) -> None:
    lease = await program.begin(idempotency_key="k")
    other = await restarted(program, store, tmp_path)
    taken = await other.begin(idempotency_key="k")
    assert taken.epoch == 2
    with pytest.raises(LeaseLost):
        await program.report(lease, steps=(RunProgress(1),))
    view = await store.runs.get("main", lease.run.id)
    assert view is not None and view.step_count == 0


async def test_work_of_the_daemon_itself_takes_no_reports_of_others(
    program: Program, ledger: Ledger
) -> None:
    run = await ledger.begin()
    lease = RunLease(run, 1, 0, stop_requested=False)
    with pytest.raises(LeaseLost, match="no outside work"):
        await program.report(lease, steps=(RunProgress(1),))
    with pytest.raises(LeaseLost, match="no outside work"):
        await program.finish(lease)
    assert (await ledger.recorder.get("main", run.id)) == run


async def test_outside_work_of_another_workspace_does_not_exist(program: Program) -> None:
    lease = await program.begin()
    with pytest.raises(RunNotFound):
        await program.outside.report("other", lease.run.id, RunReport(lease.epoch))
    with pytest.raises(RunNotFound):
        await program.outside.finish(
            "other", lease.run.id, FinishRequest(lease.epoch, RunStatus.FAILED)
        )


@pytest.mark.parametrize(
    "wrong",
    [
        {"lease_s": 4.9},
        {"lease_s": 86_401.0},
        {"lease_s": float("nan")},
        {"title": " "},
        {"title": "x" * (NAME_LIMIT + 1)},
        {"title": "two\nlines"},
        {"scope": ""},
        {"scope": "x" * (NAME_LIMIT + 1)},
        {"idempotency_key": "\x1b[2J"},
        {"on_behalf_of": "x" * (NAME_LIMIT + 1)},
        {"title": f"with {SECRET}", "bundle": "files"},
        {"parent": "r-unknown"},
    ],
)
async def test_what_cannot_be_kept_begins_nothing(
    program: Program, store: SqlStore, wrong: dict[str, Any]
) -> None:
    with pytest.raises(BadInput):
        await program.begin(**wrong)
    assert program.ledger.recorder.view() == ()


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": (RunProgress(1),) * (STEPS_LIMIT + 1)},
        {"output": "x" * (OUTPUT_LIMIT + 1)},
        {"link": "x" * (LINK_LIMIT + 1)},
        {"link": "https://a/\x1b[2J"},
    ],
)
async def test_a_report_past_the_bounds_changes_nothing(
    program: Program, store: SqlStore, wrong: dict[str, Any]
) -> None:
    lease = await program.begin()
    with pytest.raises(BadInput):
        await program.report(lease, **wrong)
    assert await store.runs.get("main", lease.run.id) == lease.run


async def test_an_end_that_is_none_changes_nothing(program: Program, store: SqlStore) -> None:
    lease = await program.begin()
    with pytest.raises(BadInput, match="no end"):
        await program.finish(lease, status=RunStatus.RUNNING)
    assert await store.runs.get("main", lease.run.id) == lease.run


async def test_reports_are_scrubbed_of_the_secrets_of_their_bundle(
    program: Program, store: SqlStore, tmp_path: Path
) -> None:
    lease = await program.begin(bundle="files", input={"token": SECRET})
    link = f"https://out/?token={SECRET}"
    await program.report(lease, steps=(RunProgress(1, message=SECRET),), output=SECRET, link=link)
    await program.finish(lease, result=[SECRET], error=RunError("odd", SECRET))
    assert SECRET.encode() not in b"".join(
        path.read_bytes() for path in tmp_path.iterdir() if path.is_file()
    )


async def test_a_parent_is_an_active_run_of_the_same_workspace(
    program: Program, ledger: Ledger
) -> None:
    parent = await program.begin()
    child = await program.begin(parent=parent.run.id)
    call = await ledger.begin(parent=parent.run.id)
    assert child.run.parent == call.parent == parent.run.id
    children = await ledger.recorder.children("main", parent.run.id)
    assert {run.id for run in children} == {child.run.id, call.id}
    await program.finish(child)
    assert [run.id for run in await ledger.recorder.children("main", parent.run.id)] == [call.id]
    assert await ledger.recorder.children("other", parent.run.id) == ()
    with pytest.raises(BadInput, match="no run of this workspace"):
        await ledger.recorder.begin(request(workspace="other", parent=parent.run.id))
    with pytest.raises(BadInput, match="goes on"):
        await program.begin(parent=child.run.id)
    await ledger.recorder.request_stop("main", parent.run.id, by="bob")
    with pytest.raises(BadInput, match="goes on"):
        await program.begin(parent=parent.run.id)


async def test_a_client_that_goes_away_while_it_reports_leaves_the_ledger_in_step(
    program: Program, store: SqlStore
) -> None:
    lease = await program.begin()
    program.ledger.rows.gates["report"] = asyncio.Event()
    reporting = asyncio.create_task(program.report(lease, steps=(RunProgress(1),)))
    await program.ledger.rows.called("report")
    reporting.cancel()
    program.ledger.rows.gates.pop("report").set()
    async with asyncio.timeout(30):
        told = await program.report(lease)
    assert told.run.step_count == 1
    assert await store.runs.get("main", lease.run.id) == told.run


async def raw_row(store: SqlStore, run_id: str) -> tuple[Any, ...]:
    async with store.runs._database.read() as connection:
        return tuple((await connection.execute(select(runs).where(runs.c.id == run_id))).one())


async def test_work_that_nobody_looked_at_is_all_there_on_reconnect(
    program: Program, store: SqlStore, tmp_path: Path
) -> None:
    lease = await program.begin(input=["in"])
    await program.report(lease, steps=(RunProgress(1, 2, "one"), RunProgress(2, 2, "two")))
    await program.finish(lease, result=["out"], link="https://out/4")
    later = await restarted(program, store, tmp_path)
    detail = await later.ledger.recorder.detail("main", lease.run.id)
    assert (detail.run.status, detail.run.step_count) == (RunStatus.SUCCEEDED, 2)
    assert (detail.run.link, detail.result) == ("https://out/4", ["out"])
    assert detail.run.finished_at is not None
    assert [event.message for event in detail.events] == ["running", "one", "two", "succeeded"]


async def test_nothing_changes_a_settled_run_by_a_byte(program: Program, store: SqlStore) -> None:
    lease = await program.begin(idempotency_key="k", scope="mail")
    await program.finish(lease, status=RunStatus.FAILED, error=RunError("odd", "it broke"))
    before = await raw_row(store, lease.run.id)
    recorder = program.ledger.recorder
    assert await recorder.request_stop("main", lease.run.id, by="bob") is None
    assert await recorder.set_stop_phase(lease.run.id, StopPhase.ASKED) is None
    assert await recorder.set_link(lease.run.id, "https://out/5") is None
    await program.begin(idempotency_key="k")
    with pytest.raises(LeaseLost):
        await program.report(lease, link="https://out/6")
    await program.finish(lease)
    program.ledger.clock.advance(3600)
    await recorder.windowed_sweep()
    assert await raw_row(store, lease.run.id) == before
