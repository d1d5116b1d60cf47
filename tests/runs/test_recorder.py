"""The ledger: rows first, one end, and what viewers see."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import text
from tests.support.ledger import SECRET, EagerClock, Ledger, request

from roost.errors import (
    AlreadyActive,
    IdempotencyConflict,
    RunNotFound,
    ShuttingDown,
    StoreUnavailable,
)
from roost.models import (
    RunError,
    RunEventKind,
    RunKind,
    RunProgress,
    RunStatus,
    RunTrigger,
    RunView,
)
from roost.runs import Ending, RunRecorder, Settlement
from roost.store import SqlStore
from roost.store.base import RunRows

DONE = Ending(RunStatus.SUCCEEDED, result={"text": "found"})
STOPPED = Ending.aborted("stopped", "stopped by ann")


async def test_a_new_run_is_pending_and_unseen_by_other_workspaces(ledger: Ledger) -> None:
    run = (await ledger.recorder.begin(request(input={"q": 1}))).run
    assert (run.status, run.trigger, run.step_count) == (RunStatus.PENDING, RunTrigger.USER, 0)
    assert await ledger.recorder.get("main", run.id) == run
    assert (await ledger.recorder.detail("main", run.id)).input == {"q": 1}
    with pytest.raises(RunNotFound):
        await ledger.recorder.get("other", run.id)
    with pytest.raises(RunNotFound):
        await ledger.recorder.detail("other", run.id)
    with pytest.raises(RunNotFound):
        await ledger.recorder.wait_settled("other", run.id)
    with pytest.raises(RunNotFound):
        await anext(ledger.recorder.events("other", run.id))
    assert await ledger.recorder.finalize("other", run.id, DONE) is Settlement.EARLIER
    assert await ledger.recorder.request_stop("other", run.id, by="eve") is None
    assert await ledger.recorder.get("main", run.id) == run


async def test_a_run_is_a_row_before_it_is_published(ledger: Ledger, store: SqlStore) -> None:
    run = await ledger.begin()
    await ledger.recorder.step(run.id, RunProgress(1, 2, "half"))
    await ledger.recorder.finalize("main", run.id, DONE)
    assert [view.status for view in ledger.published] == [
        RunStatus.PENDING,
        RunStatus.RUNNING,
        RunStatus.RUNNING,
        RunStatus.SUCCEEDED,
    ]
    assert ledger.published[-1] == await store.runs.get("main", run.id)


async def test_of_many_begins_on_one_scope_one_wins(ledger: Ledger) -> None:
    begins = [ledger.recorder.begin(request(scope="chat")) for _ in range(20)]
    outcomes = await asyncio.gather(*begins, return_exceptions=True)
    losers = [outcome for outcome in outcomes if isinstance(outcome, AlreadyActive)]
    (winner,) = ledger.recorder.view()
    assert len(losers) == 19
    assert {error.details["run"] for error in losers} == {winner.id}


async def test_a_run_without_a_viewer_can_be_read_when_it_has_ended(ledger: Ledger) -> None:
    run = await ledger.begin()
    for number in (1, 2):
        await ledger.recorder.step(run.id, RunProgress(number, 2, f"step {number}"))
    await ledger.recorder.output(run.id, "https://example.org/report")
    await ledger.recorder.finalize("main", run.id, DONE)
    detail = await ledger.recorder.detail("main", run.id)
    assert (detail.run.status, detail.run.step_count) == (RunStatus.SUCCEEDED, 2)
    assert detail.run.finished_at is not None
    assert detail.result == {"text": "found"}
    assert [(event.seq, event.kind, event.message) for event in detail.events] == [
        (1, RunEventKind.STATUS, "running"),
        (2, RunEventKind.STEP, "step 1"),
        (3, RunEventKind.STEP, "step 2"),
        (4, RunEventKind.OUTPUT, "https://example.org/report"),
        (5, RunEventKind.STATUS, "succeeded"),
    ]


async def test_a_terminal_write_that_fails_once_is_retried(ledger: Ledger) -> None:
    run = await ledger.begin(scope="chat")
    ledger.rows.failures["finalize"] = 1
    assert await ledger.recorder.finalize("main", run.id, DONE) is Settlement.SETTLED
    assert cast("EagerClock", ledger.clock).slept == [0.05]
    await ledger.begin(scope="chat")


async def test_an_end_that_no_attempt_could_store_is_kept_and_said_once(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    run = await ledger.begin(scope="chat")
    ledger.rows.break_down()
    assert await ledger.recorder.finalize("main", run.id, DONE) is Settlement.KEPT
    assert await ledger.recorder.finalize("main", run.id, STOPPED) is Settlement.KEPT
    assert cast("EagerClock", ledger.clock).slept == [0.05, 0.1, 0.05, 0.1]
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(errors) == 1
    assert run.id in errors[0]
    assert "chat" in errors[0]
    assert ledger.published[-1].status is RunStatus.RUNNING
    assert ledger.recorder.active_ids("main", "files") == (run.id,)


@pytest.mark.parametrize("way", ["finalize", "another run", "stop", "sweep", "begin", "close"])
async def test_a_kept_end_is_written_as_meant_once_the_store_is_back(
    ledger: Ledger, way: str, tmp_path: Path
) -> None:
    recorder = ledger.recorder
    run = await ledger.begin(scope="chat")
    other = await ledger.begin()
    ledger.rows.break_down()
    await recorder.finalize("main", run.id, DONE)
    (kept,) = (tmp_path / "endings").iterdir()
    assert (kept.stat().st_mode & 0o777, kept.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    ledger.rows.recover()
    match way:
        case "finalize":
            assert await recorder.finalize("main", run.id, STOPPED) is Settlement.EARLIER
        case "another run":
            assert await recorder.finalize("main", other.id, DONE) is Settlement.SETTLED
        case "stop":
            assert await recorder.request_stop("main", run.id, by="ann") is None
        case "sweep":
            await recorder.sweep()
        case "begin":
            await ledger.begin(scope="chat")
        case "close":
            await recorder.close()
    settled = await recorder.get("main", run.id)
    assert (settled.status, settled.stop_requested_at) == (RunStatus.SUCCEEDED, None)
    assert (await recorder.detail("main", run.id)).result == {"text": "found"}
    assert list((tmp_path / "endings").iterdir()) == []


async def test_a_kept_end_outlives_the_daemon(
    ledger: Ledger, store: SqlStore, tmp_path: Path
) -> None:
    run = await ledger.begin(scope="chat")
    ledger.rows.break_down()
    await ledger.recorder.finalize("main", run.id, DONE)
    later = Ledger(store.runs, tmp_path, owner="daemon-2")
    assert await later.recorder.boot_sweep() == 0
    assert (await later.recorder.get("main", run.id)).status is RunStatus.SUCCEEDED
    assert list((tmp_path / "endings").iterdir()) == []


async def test_a_disk_that_takes_no_file_leaves_the_end_in_memory(
    ledger: Ledger, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "endings").touch()
    run = await ledger.begin()
    ledger.rows.break_down()
    await ledger.recorder.finalize("main", run.id, DONE)
    assert "memory only" in caplog.text
    ledger.rows.recover()
    await ledger.recorder.sweep()
    assert (await ledger.recorder.get("main", run.id)).status is RunStatus.SUCCEEDED


async def test_an_end_that_was_stored_although_it_was_reported_as_failed_counts(
    ledger: Ledger, store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await ledger.begin()
    finalize = store.runs.finalize

    async def store_and_fail(*args: object, **kwargs: object) -> None:
        await finalize(*args, **kwargs)  # type: ignore[arg-type]
        raise StoreUnavailable("the answer was lost")

    monkeypatch.setattr(store.runs, "finalize", store_and_fail)
    settling = asyncio.create_task(ledger.recorder.finalize("main", run.id, DONE))
    await ledger.rows.called("finalize")
    monkeypatch.undo()
    assert await settling is Settlement.SETTLED
    assert ledger.published[-1].status is RunStatus.SUCCEEDED


async def test_of_two_concurrent_ends_and_a_third_the_first_is_written_once(
    ledger: Ledger,
) -> None:
    run = await ledger.begin()
    gate = ledger.rows.gates["finalize"] = asyncio.Event()
    first = asyncio.create_task(ledger.recorder.finalize("main", run.id, DONE))
    await ledger.rows.called("finalize")
    second = asyncio.create_task(ledger.recorder.finalize("main", run.id, STOPPED))
    await asyncio.sleep(0)
    gate.set()
    assert await first is Settlement.SETTLED
    assert await second is Settlement.EARLIER
    assert await ledger.recorder.finalize("main", run.id, STOPPED) is Settlement.EARLIER
    assert ledger.rows.calls["finalize"] == 1
    settled = await ledger.recorder.get("main", run.id)
    assert (settled.status, settled.last_seq) == (RunStatus.SUCCEEDED, 2)


async def test_a_caller_that_is_cancelled_does_not_stop_the_terminal_write(
    ledger: Ledger,
) -> None:
    run = await ledger.begin()
    gate = ledger.rows.gates["finalize"] = asyncio.Event()
    settling = asyncio.create_task(ledger.recorder.finalize("main", run.id, DONE))
    await ledger.rows.called("finalize")
    settling.cancel()
    gate.set()
    async with asyncio.timeout(30):
        settled = await ledger.recorder.wait_settled("main", run.id)
    assert settled.status is RunStatus.SUCCEEDED


async def test_nothing_is_recorded_behind_the_end(ledger: Ledger) -> None:
    run = await ledger.begin()
    await ledger.recorder.finalize("main", run.id, DONE)
    row = await ledger.recorder.get("main", run.id)
    assert await ledger.recorder.step(run.id, RunProgress(1)) is None
    assert await ledger.recorder.output(run.id, "late") is None
    assert await ledger.recorder.started(run.id, 1) is None
    assert await ledger.recorder.request_stop("main", run.id, by="ann") is None
    assert await ledger.recorder.get("main", run.id) == row


async def test_nothing_is_recorded_behind_an_end_that_is_kept(ledger: Ledger) -> None:
    run = await ledger.begin()
    ledger.rows.failures["finalize"] = 3
    await ledger.recorder.finalize("main", run.id, DONE)
    assert await ledger.recorder.step(run.id, RunProgress(1)) is None
    assert await ledger.recorder.started(run.id, 1) is None
    await ledger.recorder.sweep()
    assert (await ledger.recorder.get("main", run.id)).last_seq == 2


async def test_a_viewer_waits_without_asking_the_store_again_and_again(ledger: Ledger) -> None:
    run = await ledger.begin()
    await ledger.recorder.step(run.id, RunProgress(1))
    shown, has_both = [], asyncio.Event()

    async def watch() -> None:
        async for event in ledger.recorder.events("main", run.id):
            shown.append(event.seq)
            if len(shown) == 2:
                has_both.set()

    viewer = asyncio.create_task(watch())
    async with asyncio.timeout(30):
        await has_both.wait()
    asked = ledger.rows.calls["get"], ledger.rows.calls["events"]
    for _ in range(3):
        await ledger.recorder.detail("main", run.id)
    assert (ledger.rows.calls["get"], ledger.rows.calls["events"]) == asked
    await ledger.recorder.finalize("main", run.id, DONE)
    async with asyncio.timeout(30):
        await viewer
    assert shown == [1, 2, 3]


async def drained(ledger: Ledger, run_id: str) -> list[int]:
    return [event.seq async for event in ledger.recorder.events("main", run_id)]


async def test_a_run_of_an_earlier_daemon_is_aborted_at_boot_with_a_reason(
    ledger: Ledger, store: SqlStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    call = await ledger.begin(scope="chat")
    outside = await ledger.begin(kind=RunKind.EXTERNAL)
    later = Ledger(store.runs, tmp_path, owner="daemon-2")
    own = await later.begin()
    caplog.set_level("INFO")
    assert await later.recorder.boot_sweep() == 1
    assert "aborted 1 runs" in caplog.text
    swept = await later.recorder.get("main", call.id)
    assert (swept.status, swept.error and swept.error.code) == (RunStatus.ABORTED, "daemon_gone")
    assert later.published[-1] == swept
    for run in (outside, own):
        assert (await later.recorder.get("main", run.id)).status is RunStatus.RUNNING
    await later.begin(scope="chat")


async def test_an_error_of_the_boot_sweep_does_not_stop_the_boot(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    ledger.rows.failures["active_of_other_owners"] = 1
    assert await ledger.recorder.boot_sweep() == 0
    assert "boot sweep of runs failed" in caplog.text
    await ledger.begin()


async def test_a_broken_file_of_a_kept_end_does_not_stop_the_boot(
    ledger: Ledger, tmp_path: Path
) -> None:
    (tmp_path / "endings").mkdir()
    (tmp_path / "endings" / "r-x.json").write_text("{")
    assert await ledger.recorder.boot_sweep() == 0


async def test_a_daemon_whose_lease_was_taken_cannot_end_the_run(
    ledger: Ledger, store: SqlStore, tmp_path: Path
) -> None:
    run = await ledger.begin()
    async with store._database.write() as connection:
        await connection.execute(text("UPDATE runs SET lease_owner = 'daemon-2'"))
    assert await ledger.recorder.step(run.id, RunProgress(1)) is None
    assert await ledger.recorder.finalize("main", run.id, DONE) is Settlement.EARLIER
    row = await store.runs.get("main", run.id)
    assert row is not None
    assert row.status is RunStatus.RUNNING


async def test_the_same_key_and_input_returns_the_run_active_and_finished(ledger: Ledger) -> None:
    first = await ledger.recorder.begin(request(idempotency_key="k", input={"a": 1, "b": 2}))
    again = request(idempotency_key="k", input={"b": 2, "a": 1})
    attached = await ledger.recorder.begin(again)
    assert (attached.run.id, first.is_new, attached.is_new) == (first.run.id, True, False)
    await ledger.recorder.finalize("main", first.run.id, DONE)
    replayed = await ledger.recorder.begin(again)
    assert (replayed.run.id, replayed.run.status) == (first.run.id, RunStatus.SUCCEEDED)
    for other in ({"input": {"a": 2}}, {"input": {"a": 1, "b": 2}, "tool": "delete"}):
        with pytest.raises(IdempotencyConflict):
            await ledger.recorder.begin(request(idempotency_key="k", **other))


async def test_concurrent_begins_with_one_key_attach_to_one_run(ledger: Ledger) -> None:
    again = request(idempotency_key="k", scope="chat", input=1)
    begun = await asyncio.gather(*(ledger.recorder.begin(again) for _ in range(8)))
    assert len({entry.run.id for entry in begun}) == 1
    assert sum(entry.is_new for entry in begun) == 1


async def test_without_a_key_the_same_input_makes_two_runs(ledger: Ledger) -> None:
    first, second = [await ledger.recorder.begin(request(input=1)) for _ in range(2)]
    assert first.run.id != second.run.id
    assert second.is_new


async def test_a_viewer_sees_every_event_once_and_only_after_it_was_stored(
    ledger: Ledger, store: SqlStore
) -> None:
    run = await ledger.begin()
    first_seen = asyncio.Event()

    async def watch(after: int) -> list[int]:
        numbers = []
        async for event in ledger.recorder.events("main", run.id, after=after):
            stored = await store.runs.events(run.id, after=event.seq - 1, limit=1)
            assert stored == (event,)
            numbers.append(event.seq)
            first_seen.set()
        return numbers

    async with asyncio.timeout(30):
        early = asyncio.create_task(watch(0))
        for number in range(6):
            await ledger.recorder.step(run.id, RunProgress(number))
        returning = asyncio.create_task(watch(3))
        never_given = asyncio.create_task(watch(99))
        await first_seen.wait()
        for number in range(6):
            await ledger.recorder.step(run.id, RunProgress(number))
        await ledger.recorder.finalize("main", run.id, DONE)
        assert await early == list(range(1, 15))
        assert await returning == list(range(4, 15))
        assert await never_given == list(range(1, 15))
    late = [event.seq async for event in ledger.recorder.events("main", run.id, after=13)]
    assert late == [14]


async def test_closing_the_ledger_ends_the_viewers_of_an_unsettled_run(ledger: Ledger) -> None:
    run = await ledger.begin()
    ledger.rows.break_down()
    await ledger.recorder.finalize("main", run.id, DONE)
    events = asyncio.create_task(drained(ledger, run.id))
    settled = asyncio.create_task(ledger.recorder.wait_settled("main", run.id))
    await asyncio.sleep(0)
    await ledger.recorder.close()
    async with asyncio.timeout(30):
        assert await events == [1]
        assert (await settled).status is RunStatus.RUNNING
    with pytest.raises(ShuttingDown):
        await ledger.recorder.begin(request())


async def test_secrets_are_taken_out_before_anything_is_stored_or_published(
    ledger: Ledger, tmp_path: Path
) -> None:
    run = await ledger.begin(input={"token": SECRET, SECRET: [SECRET]})
    await ledger.recorder.step(run.id, RunProgress(1, None, f"using {SECRET}"))
    await ledger.recorder.output(run.id, f"printed {SECRET}")
    ending = Ending.failed("tool_error", "x" * 495 + SECRET, [{"text": SECRET}])
    ledger.rows.failures["finalize"] = 3
    await ledger.recorder.finalize("main", run.id, ending)
    (kept,) = (tmp_path / "endings").iterdir()
    assert "hunter2" not in kept.read_text()
    await ledger.recorder.sweep()
    detail = await ledger.recorder.detail("main", run.id)
    assert detail.input == {"token": "[secret]", "[secret]": ["[secret]"]}
    assert "hunter2" not in repr((detail, ledger.published))


async def test_what_cannot_be_scrubbed_is_not_kept(ledger: Ledger, tmp_path: Path) -> None:
    def broken(workspace: str, bundle: str) -> Callable[[Any], Any]:
        raise RuntimeError("no vault")

    recorder = RunRecorder(
        cast("RunRows", ledger.rows),
        owner="daemon-1",
        clock=ledger.clock,
        publish=lambda body: None,
        redact=broken,
        endings_dir=tmp_path / "endings",
    )
    run = (await recorder.begin(request(input={"token": SECRET}))).run
    await recorder.finalize("main", run.id, Ending(RunStatus.SUCCEEDED, result=SECRET))
    detail = await recorder.detail("main", run.id)
    assert detail.run.status is RunStatus.SUCCEEDED
    assert SECRET not in repr(detail)


async def test_a_result_past_the_limit_is_cut_in_its_own_shape(ledger: Ledger) -> None:
    run = await ledger.begin()
    big = {"content": [{"type": "text", "text": "ä" * 2_000_000}, {"type": "text"}], "more": 1}
    await ledger.recorder.finalize("main", run.id, Ending(RunStatus.SUCCEEDED, result=big))
    detail = await ledger.recorder.detail("main", run.id)
    assert detail.is_truncated
    (part,) = detail.result["content"]
    assert part["type"] == "text"
    assert 500_000 < len(part["text"]) < 524_288
    assert "more" not in detail.result


async def test_values_that_no_database_takes_are_made_fit(ledger: Ledger) -> None:
    run = await ledger.begin(input={"bad": "\ud800", "nan": float("nan"), "big": 2**80})
    await ledger.recorder.step(run.id, RunProgress(float("nan"), None, "half \udfff"))
    await ledger.recorder.step(run.id, RunProgress(1, float("inf")))
    deep: object = "end"
    for _ in range(5_000):
        deep = [deep]
    error = RunError("tool_error", "broken \ud800")
    ending = Ending(RunStatus.FAILED, error, [float("inf"), deep])
    assert await ledger.recorder.finalize("main", run.id, ending) is Settlement.SETTLED
    detail = await ledger.recorder.detail("main", run.id)
    assert detail.input == {"bad": "?", "nan": None, "big": 2**80}
    assert detail.run.progress == RunProgress(1, None, None)
    assert detail.run.step_count == 2


async def test_recent_runs_are_in_memory_newest_first_and_in_step(
    store: SqlStore, tmp_path: Path
) -> None:
    earlier = Ledger(store.runs, tmp_path, owner="daemon-1")
    runs = []
    for number in range(5):
        earlier.clock.advance(1)
        runs.append(await earlier.begin())
        if number != 1:
            await earlier.recorder.finalize("main", runs[-1].id, DONE)
    ledger = Ledger(store.runs, tmp_path, owner="daemon-1", settled_limit=2)
    assert ledger.recorder.view() == ()
    await ledger.recorder.load_recent()
    newest = [runs[4].id, runs[3].id, runs[1].id]
    assert [view.id for view in ledger.recorder.view()] == newest
    assert ledger.recorder.active_ids("main", "files") == (runs[1].id,)
    ledger.clock.advance(60)
    run = await ledger.begin(bundle="notes")
    assert [view.id for view in ledger.recorder.view()] == [run.id, *newest]
    assert ledger.recorder.active_count("main", "notes") == 1
    assert ledger.recorder.active_count("other", "notes") == 0
    await ledger.recorder.finalize("main", run.id, DONE)
    assert [view.id for view in ledger.recorder.view()] == [run.id, runs[4].id, runs[1].id]
    assert ledger.recorder.active_count("main", "notes") == 0


async def test_ids_are_sorted_as_the_runs_were_begun_even_when_the_clock_steps_back(
    ledger: Ledger,
) -> None:
    ids = []
    for step in (0.0, 0.0, 5.0, -3.0, 0.0):
        ledger.clock.advance(step)
        ids.append((await ledger.recorder.begin(request())).run.id)
    assert ids == sorted(ids)
    assert len(set(ids)) == 5
    assert {len(run_id) for run_id in ids} == {14}


async def test_an_end_that_is_stored_and_not_yet_told_is_read_as_it_is_stored(
    ledger: Ledger, store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await ledger.begin()
    finalize = store.runs.finalize
    is_stored, may_return = asyncio.Event(), asyncio.Event()

    async def store_and_wait(*args: object, **kwargs: object) -> RunView | None:
        view = await finalize(*args, **kwargs)  # type: ignore[arg-type]
        is_stored.set()
        await may_return.wait()
        return view

    monkeypatch.setattr(store.runs, "finalize", store_and_wait)
    settling = asyncio.create_task(ledger.recorder.finalize("main", run.id, DONE))
    async with asyncio.timeout(30):
        await is_stored.wait()
        view = await ledger.recorder.get("main", run.id)
        detail = await ledger.recorder.detail("main", run.id)
        assert view.status is detail.run.status is RunStatus.SUCCEEDED
        assert detail.events[-1].message == "succeeded"
        may_return.set()
        assert await settling is Settlement.SETTLED
