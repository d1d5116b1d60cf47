"""Stops of tool calls: they end once an end was seen, or once nothing more is to be heard."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.ledger import Desk, FakeCall
from tests.support.processes import until

from roost.models import (
    CallRequest,
    RunEventKind,
    RunProgress,
    RunStatus,
    RunView,
    StopOutcome,
    StopPhase,
)
from roost.runs import CallEnded
from roost.runs.withdrawal import ON_ITS_WAY_S, SETTLE_S

LATE_S = ON_ITS_WAY_S + 0.5
"""A report this long after the cancellation was sent in spite of it."""


class Stopping:
    """A call under way whose stop no end is seen of, and that stop."""

    def __init__(self, desk: Desk, run: RunView, call: FakeCall) -> None:
        self.desk, self.run, self.call = desk, run, call
        self.outcome: asyncio.Task[StopOutcome] | None = None

    async def stop(self) -> None:
        """Begin the stop; its wait for a sign has begun when this returns."""
        self.outcome = asyncio.create_task(self.desk.calls.stop("main", self.run.id, by="ben"))
        await until(lambda: self.call.is_cancelled)
        await self.desk.ledger.rows.called("request_stop")
        await self.asleep()

    async def asleep(self) -> None:
        """Let everything that looks at the clock fall asleep again."""
        for _ in range(10):
            await asyncio.sleep(0)
        assert self.desk.clock.sleepers

    async def pass_(self, seconds: float) -> None:
        self.desk.clock.advance(seconds)
        await self.asleep()

    async def report_late(self) -> StopOutcome:
        """Report in spite of the cancellation, and return what the stop says then."""
        await self.pass_(LATE_S)
        self.call.report(RunProgress(7, 9, "still digging"))
        return await self.told()

    async def told(self) -> StopOutcome:
        assert self.outcome is not None
        async with asyncio.timeout(30):
            return await self.outcome

    async def seen(self) -> RunView:
        return await self.desk.recorder.get("main", self.run.id)

    async def aborted(self) -> str:
        """Wait until the run is aborted by the stop and return its sentence."""
        run = await self.desk.settled(self.run.id)
        assert run.status is RunStatus.ABORTED
        assert run.error is not None and run.error.code == "stopped"
        return run.error.sentence


@pytest.fixture
async def stopping(desk: Desk) -> Stopping:
    desk.caller.is_silent = True
    run = await begin(desk)
    return Stopping(desk, run, await desk.caller.arrived())


async def begin(desk: Desk) -> RunView:
    request = CallRequest("search", {"query": "x"})
    return await desk.calls.begin("main", "files", request, actor="ann")


async def test_silence_after_the_cancellation_counts_as_let_go_and_the_run_says_that(
    stopping: Stopping,
) -> None:
    await stopping.stop()
    await stopping.pass_(SETTLE_S - 0.1)
    assert (await stopping.seen()).status is RunStatus.RUNNING
    stopping.desk.clock.advance(0.1)
    assert (await stopping.told()).run.status is RunStatus.ABORTED
    assert await stopping.aborted() == "stopped by ben; no end of its work was seen"
    assert not stopping.desk.calls.has_seen_end(stopping.run.id)


@pytest.mark.parametrize("end", ["answer", "cancelled", "lost", "restarting"])
async def test_an_end_that_is_seen_settles_the_stopped_run_at_once(
    stopping: Stopping, end: str
) -> None:
    await stopping.stop()
    if end == "answer":
        stopping.call.succeed()
    else:
        stopping.call.answer.set_exception(CallEnded(end, "it is over"))
    assert (await stopping.told()).run.status is RunStatus.ABORTED
    assert await stopping.aborted() == "stopped by ben"
    assert stopping.desk.calls.has_seen_end(stopping.run.id)


async def test_progress_after_the_cancellation_shows_that_it_is_ignored_and_keeps_the_run_active(
    stopping: Stopping,
) -> None:
    await stopping.stop()
    outcome = await stopping.report_late()
    assert outcome.stopped
    assert (outcome.run.status, outcome.run.stop_phase) == (RunStatus.RUNNING, StopPhase.IGNORED)
    await until(lambda: stopping.desk.recorder.view()[0].step_count == 1)
    detail = await stopping.desk.recorder.detail("main", stopping.run.id)
    told = [event.message for event in detail.events if event.kind is RunEventKind.STATUS]
    assert told[-1] == "files goes on with the call although it was cancelled"
    await stopping.pass_(SETTLE_S * 2)
    assert (await stopping.seen()).status is RunStatus.RUNNING
    stopping.call.answer.set_exception(CallEnded("restarting", "the bundle was respawned"))
    assert await stopping.aborted() == "stopped by ben"


async def test_a_second_stop_of_ignored_work_says_the_same_at_once(stopping: Stopping) -> None:
    await stopping.stop()
    first = await stopping.report_late()
    await stopping.stop()
    again = await stopping.told()
    assert (again.stopped, again.run.stop_phase) == (True, StopPhase.IGNORED)
    assert again.run.stop_requested_at == first.run.stop_requested_at
    stopping.call.succeed()
    await stopping.aborted()


async def test_ignored_work_holds_its_place_until_it_ends(desk: Desk) -> None:
    desk.caller.is_silent = True
    desk.settings = type(desk.settings)(max_calls=1)
    run = await begin(desk)
    stopping = Stopping(desk, run, await desk.caller.arrived())
    waiting = await begin(desk)
    await stopping.stop()
    await stopping.report_late()
    assert (await desk.recorder.get("main", waiting.id)).status is RunStatus.PENDING
    assert len(desk.caller.calls) == 1
    stopping.call.succeed()
    await stopping.aborted()
    (await desk.caller.arrived(2)).succeed()
    assert (await desk.settled(waiting.id)).status is RunStatus.SUCCEEDED


async def test_ignored_work_that_falls_silent_is_given_up_after_its_idle_time_out(
    stopping: Stopping,
) -> None:
    await stopping.stop()
    await stopping.report_late()
    await stopping.asleep()
    await stopping.pass_(stopping.desk.settings.call_idle_s - 0.1)
    assert (await stopping.seen()).status is RunStatus.RUNNING
    stopping.desk.clock.advance(0.1)
    assert "no end of its work was seen" in await stopping.aborted()


async def test_ignored_work_is_never_watched_past_the_cap_of_its_call(stopping: Stopping) -> None:
    await stopping.stop()
    await stopping.report_late()
    cap_s = stopping.desk.settings.call_cap_s
    while stopping.desk.clock.monotonic() + 30 < cap_s:
        await stopping.pass_(30)
        stopping.call.report(RunProgress(1))
    assert (await stopping.seen()).status is RunStatus.RUNNING
    stopping.desk.clock.advance(cap_s - stopping.desk.clock.monotonic())
    assert "no end of its work was seen" in await stopping.aborted()


async def test_a_quit_settles_work_that_was_stopped_and_goes_on(
    stopping: Stopping, caplog: pytest.LogCaptureFixture
) -> None:
    await stopping.stop()
    await stopping.report_late()
    async with asyncio.timeout(30):
        await stopping.desk.calls.close(5)
    assert await stopping.aborted() == "stopped by ben; no end of its work was seen"
    assert "did not settle" not in caplog.text


async def test_a_store_that_is_down_hides_that_a_stop_is_ignored_and_no_more(
    stopping: Stopping,
) -> None:
    await stopping.stop()
    stopping.desk.ledger.rows.failures["amend"] = 1
    outcome = await stopping.report_late()
    assert (outcome.run.status, outcome.run.stop_phase) == (RunStatus.RUNNING, None)
    stopping.call.succeed()
    assert await stopping.aborted() == "stopped by ben"


async def test_a_call_that_was_stopped_before_it_reached_its_server_needs_no_doubt(
    desk: Desk,
) -> None:
    gate = desk.ledger.rows.gates["mark_started"] = asyncio.Event()
    run = await begin(desk)
    await desk.ledger.rows.called("mark_started")
    stopping = asyncio.create_task(desk.calls.stop("main", run.id, by="ben"))
    await asyncio.sleep(0)
    gate.set()
    stopped = (await stopping).run
    assert stopped.error is not None and stopped.error.sentence == "stopped by ben"
    assert stopped.started_at is not None and desk.calls.has_seen_end(run.id)
    assert desk.caller.calls == []


async def test_a_time_out_does_not_watch_what_the_server_does_afterwards(desk: Desk) -> None:
    desk.caller.is_silent = True
    run = await begin(desk)
    call = await desk.caller.arrived()
    await asyncio.sleep(0)
    desk.clock.advance(desk.settings.call_idle_s)
    settled = await desk.settled(run.id)
    assert settled.error is not None and settled.error.code == "timed_out"
    assert call.is_cancelled
