"""Tool calls as runs: begun, watched over, stopped and settled."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.support.ledger import SECRET, Desk

from roost.errors import (
    AlreadyActive,
    BadArguments,
    IdempotencyConflict,
    NotRunning,
    RunNotFound,
    ShuttingDown,
    ToolNotFound,
)
from roost.models import CallRequest, RunEventKind, RunProgress, RunStatus, RunView
from roost.runs import CallEnded, Ending, ToolAnswer, progress_log
from roost.runs.live_call import LET_GO_S
from roost.runs.tool_calls import STOP_WAIT_S
from roost.runs.withdrawal import SETTLE_S


def search(**changes: Any) -> CallRequest:
    return CallRequest(**{"tool": "search", "arguments": {"query": "x"}} | changes)


async def begin(desk: Desk, **changes: Any) -> RunView:
    return await desk.calls.begin("main", "files", search(**changes), actor="ann")


async def test_a_call_is_a_row_before_its_work_starts_and_keeps_its_answer(desk: Desk) -> None:
    gate = desk.ledger.rows.gates["insert"] = asyncio.Event()
    beginning = asyncio.create_task(begin(desk))
    await desk.ledger.rows.called("insert")
    assert desk.caller.calls == []
    gate.set()
    run = await beginning
    assert (run.status, run.title, run.created_by) == (RunStatus.PENDING, "files.search", "ann")
    call = await desk.caller.arrived()
    working = await desk.recorder.get("main", run.id)
    assert (working.status, working.generation) == (RunStatus.RUNNING, 7)
    call.succeed([{"type": "text", "text": "found"}])
    assert (await desk.settled(run.id)).status is RunStatus.SUCCEEDED
    detail = await desk.recorder.detail("main", run.id)
    assert (detail.input, detail.result) == ({"query": "x"}, [{"type": "text", "text": "found"}])


async def test_what_cannot_be_called_begins_no_run(desk: Desk) -> None:
    with pytest.raises(ToolNotFound, match="search, anything"):
        await begin(desk, tool="delete")
    with pytest.raises(BadArguments, match="'query' must be of type"):
        await begin(desk, arguments={"query": 5})
    for limits in ({"idle_timeout_s": 0}, {"cap_s": -1}, {"cap_s": float("nan")}):
        with pytest.raises(BadArguments, match="above 0"):
            await begin(desk, **limits)
    desk.caller.is_running = False
    with pytest.raises(NotRunning):
        await begin(desk)
    assert desk.recorder.view() == ()


async def test_a_store_that_does_not_begin_the_run_starts_no_work(desk: Desk) -> None:
    desk.ledger.rows.failures["mark_started"] = 1
    run = await begin(desk)
    settled = await desk.settled(run.id)
    assert (settled.status, settled.error and settled.error.code) == (
        RunStatus.FAILED,
        "store_unavailable",
    )
    assert desk.caller.calls == []


async def test_of_concurrent_calls_on_one_scope_the_losers_start_no_work(desk: Desk) -> None:
    begins = (begin(desk, scope="chat") for _ in range(20))
    outcomes = await asyncio.gather(*begins, return_exceptions=True)
    (winner,) = (outcome for outcome in outcomes if isinstance(outcome, RunView))
    losers = [outcome for outcome in outcomes if isinstance(outcome, AlreadyActive)]
    assert [error.details["run"] for error in losers] == [winner.id] * 19
    (await desk.caller.arrived()).succeed()
    await desk.settled(winner.id)
    assert len(desk.caller.calls) == 1


async def test_the_same_call_twice_without_a_key_makes_two_runs(desk: Desk) -> None:
    first, second = await begin(desk), await begin(desk)
    await desk.caller.arrived(2)
    assert first.id != second.id
    assert desk.recorder.active_ids("main", "files") == (first.id, second.id)


async def test_a_key_attaches_while_active_replays_afterwards_and_fits_one_input(
    desk: Desk,
) -> None:
    first = await begin(desk, idempotency_key="k")
    assert (await begin(desk, idempotency_key="k")).id == first.id
    with pytest.raises(IdempotencyConflict):
        await begin(desk, idempotency_key="k", arguments={"query": "y"})
    (await desk.caller.arrived()).succeed()
    await desk.settled(first.id)
    desk.caller.is_running = False
    replayed = await begin(desk, idempotency_key="k")
    assert (replayed.id, replayed.status) == (first.id, RunStatus.SUCCEEDED)
    assert len(desk.caller.calls) == 1


async def test_a_client_that_goes_away_while_it_begins_leaves_a_run_with_its_work(
    desk: Desk,
) -> None:
    gate = desk.ledger.rows.gates["insert"] = asyncio.Event()
    beginning = asyncio.create_task(begin(desk))
    await desk.ledger.rows.called("insert")
    beginning.cancel()
    gate.set()
    (await desk.caller.arrived()).succeed()
    (run,) = desk.recorder.view()
    assert (await desk.settled(run.id)).status is RunStatus.SUCCEEDED


async def test_progress_becomes_steps_in_order(desk: Desk) -> None:
    run = await begin(desk)
    call = await desk.caller.arrived()
    for number in range(1, 21):
        call.report(RunProgress(number, 20, f"file {number} {SECRET}"))
    call.succeed()
    settled = await desk.settled(run.id)
    call.report(RunProgress(99))
    events = (await desk.recorder.detail("main", run.id)).events
    steps = [event for event in events if event.kind is RunEventKind.STEP]
    assert [step.current for step in steps] == list(range(1, 21))
    assert steps[0].message == "file 1 [secret]"
    assert (settled.step_count, settled.last_seq) == (20, 22)
    assert settled.progress == RunProgress(20, 20, "file 20 [secret]")


async def test_reports_that_wait_for_the_store_are_one_write(desk: Desk) -> None:
    gate = desk.ledger.rows.gates["append_steps"] = asyncio.Event()
    run = await begin(desk)
    call = await desk.caller.arrived()
    call.report(RunProgress(0))
    await desk.ledger.rows.called("append_steps")
    for number in range(1, 100):
        call.report(RunProgress(number))
    gate.set()
    call.succeed()
    settled = await desk.settled(run.id)
    assert settled.step_count == 100
    shown = [view.step_count for view in desk.ledger.published if view.id == run.id]
    assert sorted(set(shown)) == [0, 1, 100], "the first one, and all that waited behind it"


async def test_of_a_flood_of_progress_the_newest_is_kept(
    desk: Desk, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress_log, "WAITING_LIMIT", 8)
    run = await begin(desk)
    call = await desk.caller.arrived()
    for number in range(50):
        call.report(RunProgress(number))
    call.succeed()
    settled = await desk.settled(run.id)
    assert settled.progress == RunProgress(49)
    assert settled.step_count == 8
    assert "42 reports" in caplog.text


async def test_a_store_that_takes_no_steps_does_not_hold_the_call_up(desk: Desk) -> None:
    run = await begin(desk)
    call = await desk.caller.arrived()
    desk.ledger.rows.failures["append_steps"] = 1
    for number in range(3):
        call.report(RunProgress(number))
    call.succeed()
    settled = await desk.settled(run.id)
    assert (settled.status, settled.step_count) == (RunStatus.SUCCEEDED, 0)


async def test_an_error_answer_fails_the_run_and_is_kept(desk: Desk) -> None:
    run = await begin(desk)
    text = f"no such file for {SECRET}: " + "x" * 1000
    (await desk.caller.arrived()).answer.set_result(ToolAnswer({"why": text}, True, text))
    settled = await desk.settled(run.id)
    assert settled.status is RunStatus.FAILED
    assert settled.error is not None
    assert settled.error.code == "tool_error"
    assert settled.error.sentence.startswith("no such file for [secret]: xxx")
    assert len(settled.error.sentence) == 500
    detail = await desk.recorder.detail("main", run.id)
    assert detail.result["why"].startswith("no such file for [secret]")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CallEnded("lost", "the server died"), "lost"),
        (CallEnded("restarting", "the bundle was restarted"), "restarting"),
        (NotRunning("files", "stopped"), "not_running"),
        (ZeroDivisionError("a mistake"), "internal"),
        (asyncio.CancelledError(), "lost"),
    ],
)
async def test_a_call_without_an_answer_fails_with_its_code(
    desk: Desk, error: BaseException, code: str
) -> None:
    run = await begin(desk)
    call = await desk.caller.arrived()
    if isinstance(error, asyncio.CancelledError):
        call.answer.cancel()
    else:
        call.answer.set_exception(error)
    settled = await desk.settled(run.id)
    assert (settled.status, settled.error and settled.error.code) == (RunStatus.FAILED, code)


async def test_a_call_without_a_sign_of_life_times_out_and_progress_resets_the_clock(
    desk: Desk,
) -> None:
    run = await begin(desk)
    call = await desk.caller.arrived()
    await asyncio.sleep(0)
    for number in range(3):
        desk.clock.advance(59)
        call.report(RunProgress(number))
        await asyncio.sleep(0)
    await quiet(desk)
    assert not call.is_cancelled
    desk.clock.advance(60)
    settled = await desk.settled(run.id)
    assert call.is_cancelled
    assert settled.error is not None
    assert settled.error.code == "timed_out"
    assert "60 s" in settled.error.sentence
    assert "call_idle_s" in settled.error.sentence
    assert settled.step_count == 3


async def test_a_call_never_outlasts_its_cap_whatever_it_reports(desk: Desk) -> None:
    run = await begin(desk, cap_s=100, idle_timeout_s=40)
    call = await desk.caller.arrived()
    await asyncio.sleep(0)
    for number in range(3):
        desk.clock.advance(33)
        call.report(RunProgress(number))
        await quiet(desk)
    assert not call.is_cancelled
    desk.clock.advance(1)
    settled = await desk.settled(run.id)
    assert settled.error is not None
    assert settled.error.code == "timed_out"
    assert "100 s" in settled.error.sentence
    assert "call_cap_s" in settled.error.sentence


async def quiet(desk: Desk) -> None:
    """Let the watcher of the time-outs fall asleep again."""
    for _ in range(5):
        await asyncio.sleep(0)
    assert desk.clock.sleepers


async def test_a_stop_cancels_the_work_and_stamps_the_run_and_a_leaving_viewer_does_neither(
    desk: Desk,
) -> None:
    stopped, watched = await begin(desk), await begin(desk)
    call, other = await desk.caller.arrived(1), await desk.caller.arrived(2)
    viewer = asyncio.create_task(anext(desk.recorder.events("main", watched.id)))
    await asyncio.sleep(0)
    viewer.cancel()
    outcome = await desk.calls.stop("main", stopped.id, by="ben")
    assert outcome.stopped
    assert call.is_cancelled
    run = outcome.run
    assert (run.status, run.error and run.error.code) == (RunStatus.ABORTED, "stopped")
    assert (run.stop_requested_by, run.stop_requested_at is not None) == ("ben", True)
    assert not other.is_cancelled
    left = await desk.recorder.get("main", watched.id)
    assert (left.status, left.stop_requested_at) == (RunStatus.RUNNING, None)


async def test_stopping_a_settled_run_changes_nothing_and_says_so(desk: Desk) -> None:
    run = await begin(desk)
    (await desk.caller.arrived()).succeed()
    settled = await desk.settled(run.id)
    outcome = await desk.calls.stop("main", run.id, by="ben")
    assert (outcome.stopped, outcome.run) == (False, settled)
    assert "succeeded already" in outcome.sentence
    stopped = await begin(desk)
    await desk.calls.stop("main", stopped.id, by="ben")
    assert not (await desk.calls.stop("main", stopped.id, by="cem")).stopped


async def test_a_run_of_another_workspace_cannot_be_stopped_or_seen(desk: Desk) -> None:
    run = await begin(desk)
    call = await desk.caller.arrived()
    with pytest.raises(RunNotFound):
        await desk.calls.stop("other", run.id, by="eve")
    assert not call.is_cancelled


async def test_a_store_that_is_down_keeps_no_stopped_run_alive(desk: Desk) -> None:
    run = await begin(desk)
    call = await desk.caller.arrived()
    desk.ledger.rows.break_down()
    desk.ledger.rows.failures["get"] = 1_000
    outcome = await desk.calls.stop("main", run.id, by="ben")
    assert call.is_cancelled
    assert outcome.stopped
    assert outcome.run.status is RunStatus.RUNNING
    assert "not stored yet" in outcome.sentence
    desk.ledger.rows.recover()
    await desk.recorder.sweep()
    settled = await desk.recorder.get("main", run.id)
    assert (settled.status, settled.error and settled.error.code) == (RunStatus.ABORTED, "stopped")


async def test_stopping_a_run_whose_end_is_kept_writes_the_kept_end(desk: Desk) -> None:
    run = await begin(desk, scope="chat")
    call = await desk.caller.arrived()
    desk.ledger.rows.break_down()
    call.succeed()
    await desk.ledger.rows.called("finalize")
    await desk.calls.stop("main", run.id, by="ben")
    desk.ledger.rows.recover()
    outcome = await desk.calls.stop("main", run.id, by="ben")
    assert not outcome.stopped
    assert outcome.run.status is RunStatus.SUCCEEDED


async def test_an_active_run_that_nobody_works_on_is_settled_by_a_stop(desk: Desk) -> None:
    run = await desk.ledger.begin()
    outcome = await desk.calls.stop("main", run.id, by="ben")
    assert outcome.stopped
    assert (outcome.run.status, outcome.run.stop_requested_by) == (RunStatus.ABORTED, "ben")


async def test_a_run_stopped_before_its_work_began_makes_no_call(desk: Desk) -> None:
    gate = desk.ledger.rows.gates["mark_started"] = asyncio.Event()
    run = await begin(desk)
    await desk.ledger.rows.called("mark_started")
    stopping = asyncio.create_task(desk.calls.stop("main", run.id, by="ben"))
    await asyncio.sleep(0)
    gate.set()
    assert (await stopping).stopped
    assert desk.caller.calls == []


async def test_two_stops_at_once_both_succeed_and_the_first_stamp_stays(desk: Desk) -> None:
    run = await begin(desk)
    await desk.caller.arrived()
    stops = (desk.calls.stop("main", run.id, by=name) for name in ("ben", "cem"))
    outcomes = await asyncio.gather(*stops)
    assert [outcome.stopped for outcome in outcomes] == [True, True]
    assert outcomes[0].run.stop_requested_by == "ben"


async def test_an_answer_that_comes_before_the_stop_stands(desk: Desk) -> None:
    run = await begin(desk)
    call = await desk.caller.arrived()
    gate = desk.ledger.rows.gates["finalize"] = asyncio.Event()
    call.succeed()
    await desk.ledger.rows.called("finalize")
    stopping = asyncio.create_task(desk.calls.stop("main", run.id, by="ben"))
    await asyncio.sleep(0)
    gate.set()
    outcome = await stopping
    assert (outcome.stopped, outcome.run.status) == (False, RunStatus.SUCCEEDED)
    assert outcome.run.stop_requested_at is None


async def test_a_tool_that_ignores_its_cancellation_keeps_no_stopped_run_alive(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.caller.ignores_cancel = True
    run = await begin(desk)
    call = await desk.caller.arrived()
    stopping = asyncio.create_task(desk.calls.stop("main", run.id, by="ben"))
    await desk.ledger.rows.called("request_stop")
    await quiet(desk)
    desk.clock.advance(SETTLE_S)
    for _ in range(5):
        await quiet(desk)  # until the call is cancelled and its patience begins
    desk.clock.advance(LET_GO_S)
    outcome = await stopping
    assert outcome.run.status is RunStatus.ABORTED
    assert "does not end" in caplog.text
    call.answer.set_exception(RuntimeError("much later"))


async def test_a_stop_answers_in_time_although_the_end_is_not_stored(desk: Desk) -> None:
    run = await begin(desk)
    await desk.caller.arrived()
    gate = desk.ledger.rows.gates["finalize"] = asyncio.Event()
    stopping = asyncio.create_task(desk.calls.stop("main", run.id, by="ben"))
    await desk.ledger.rows.called("finalize")
    desk.clock.advance(STOP_WAIT_S)
    outcome = await stopping
    assert "look again later" in outcome.sentence
    gate.set()
    assert (await desk.settled(run.id)).status is RunStatus.ABORTED


async def test_a_graceful_quit_settles_every_call_and_takes_no_new_ones(desk: Desk) -> None:
    runs = [await begin(desk, scope=f"chat-{number}") for number in range(3)]
    await desk.caller.arrived(3)
    beginning = asyncio.create_task(begin(desk, idempotency_key="late"))
    await asyncio.sleep(0)
    await desk.calls.close(5)
    await desk.calls.close(5)
    with pytest.raises(ShuttingDown):
        await begin(desk)
    await asyncio.gather(beginning, return_exceptions=True)
    for run in runs:
        settled = await desk.recorder.get("main", run.id)
        assert (settled.status, settled.error and settled.error.code) == (
            RunStatus.ABORTED,
            "daemon_stopped",
        )
    assert not any(view.status.is_active for view in desk.recorder.view())
    assert all(call.is_cancelled for call in desk.caller.calls)


async def test_a_call_that_is_still_being_checked_at_a_quit_begins_no_run(desk: Desk) -> None:
    gate = desk.ledger.rows.gates["find_by_key"] = asyncio.Event()
    beginning = asyncio.create_task(begin(desk, idempotency_key="k"))
    await desk.ledger.rows.called("find_by_key")
    await desk.calls.close(5)
    gate.set()
    with pytest.raises(ShuttingDown):
        await beginning
    assert desk.recorder.view() == ()


async def test_a_quit_names_the_call_that_does_not_settle_and_goes_on(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    run = await begin(desk)
    await desk.caller.arrived()
    gate = desk.ledger.rows.gates["finalize"] = asyncio.Event()
    closing = asyncio.create_task(desk.calls.close(3))
    await desk.ledger.rows.called("finalize")
    desk.clock.advance(3)
    async with asyncio.timeout(30):
        await closing
    assert f"run {run.id} did not settle in 3 s" in caplog.text
    gate.set()
    assert (await desk.settled(run.id)).status is RunStatus.ABORTED


async def test_a_run_that_was_settled_from_outside_while_it_worked_keeps_that_end(
    desk: Desk,
) -> None:
    run = await begin(desk)
    call = await desk.caller.arrived()
    await desk.recorder.finalize("main", run.id, Ending.aborted("daemon_gone", "swept"))
    call.succeed()
    settled = await desk.settled(run.id)
    assert settled.error is not None
    assert settled.error.code == "daemon_gone"


@pytest.mark.parametrize("which", ["scope", "idempotency_key"])
async def test_a_scope_or_key_that_cannot_be_shown_begins_no_run(desk: Desk, which: str) -> None:
    for unfit in ("", "x" * 201, "two\nlines", "nul\0"):
        with pytest.raises(BadArguments, match="1 to 200 printable characters"):
            await begin(desk, **{which: unfit})
    with pytest.raises(BadArguments, match="holds a secret of 'files'") as refused:
        await begin(desk, **{which: f"job-{SECRET}"})
    assert SECRET not in refused.value.message
    assert desk.recorder.view() == ()
    assert (await begin(desk, **{which: "x" * 200})).status is RunStatus.PENDING


@pytest.mark.parametrize("depth", [100, 990])
async def test_arguments_nested_too_deeply_begin_no_run(desk: Desk, depth: int) -> None:
    nested: Any = []
    for _ in range(depth):
        nested = [nested]
    with pytest.raises(BadArguments, match="nested more than 100 levels deep"):
        await begin(desk, tool="anything", arguments={"a": nested})
    assert desk.recorder.view() == ()
