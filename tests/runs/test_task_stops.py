"""Stops, retries and replacements of runs of tasks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest
from tests.support.fake.clock import FakeClock
from tests.support.ledger import BOUND_S
from tests.support.tasks import Workshop

from roost.clock import Clock
from roost.errors import Refused, TaskNotFound
from roost.models import (
    Impact,
    RetryPolicy,
    RunStatus,
    RunView,
    StopOutcome,
    SupersedeState,
    TaskSpec,
)
from roost.runs import Commands, RunControl, ToolCalls
from roost.store import SqlStore


class Stops:
    """A run control over tasks alone, with a clock of its own for its waits."""

    def __init__(self, shop: Workshop) -> None:
        self.shop = shop
        self.clock = FakeClock()
        self.control = RunControl(
            shop.recorder,
            calls=cast("ToolCalls", None),
            commands=cast("Commands", None),
            tasks=shop.tasks,
            clock=cast("Clock", self.clock),
            impact=self._impact,
            generation=lambda workspace, bundle: 7,
            stored=shop.store.runs.list,
        )

    async def stop(self, run_id: str) -> StopOutcome:
        """Stop a run; its wait is over as soon as only handlers could still end anything."""
        stop = asyncio.create_task(self.control.stop("main", run_id, by="eve"))
        async with asyncio.timeout(BOUND_S):
            while not stop.done():
                if self._waits_for_handlers(run_id):
                    self.clock.advance(60)
                await asyncio.wait({stop}, timeout=0.01)
        return await stop

    def _waits_for_handlers(self, run_id: str) -> bool:
        """Say whether whatever is active of a run and its children was asked to stop."""
        # What is shown, not what is stored: a row can be read before its writer knows of it.
        family = [run for run in self.shop.recorder.view() if run_id in (run.id, run.parent)]
        active = [run for run in family if run.status.is_active]
        asked = [run for run in active if run.stop_requested_at is not None]
        return active == asked and {run.status for run in asked} == {RunStatus.RUNNING}

    async def _impact(self, workspace: str, bundle: str) -> Impact:
        return Impact(self.shop.recorder.active_ids(workspace, bundle), True, False, "")


@pytest.fixture
async def shop(store: SqlStore, tmp_path: Path) -> AsyncIterator[Workshop]:
    shop = Workshop(store, tmp_path)
    await shop.boot()
    yield shop
    await shop.close()


@pytest.fixture
async def stops(shop: Workshop) -> AsyncIterator[Stops]:
    stops = Stops(shop)
    yield stops
    await stops.control.close()


def code_of(run: RunView) -> str:
    assert run.error is not None
    return run.error.code


async def test_a_run_that_waits_is_stopped_at_once(shop: Workshop, stops: Stops) -> None:
    await shop.hire()
    waiting = await shop.submit("x", scope="chat")
    outcome = await stops.stop(waiting.run.id)
    assert outcome.stopped
    assert (outcome.run.status, code_of(outcome.run)) == (RunStatus.ABORTED, "stopped")
    assert await shop.claim() == ()
    assert (await shop.submit("y", scope="chat")).run.status is RunStatus.PENDING


async def test_a_run_that_waits_for_a_person_is_stopped_at_once(
    shop: Workshop, stops: Stops
) -> None:
    await shop.hire()
    claimed = await shop.begun("x", on_behalf=True)
    await shop.crash()
    outcome = await stops.stop(claimed.run.id)
    assert outcome.run.status is RunStatus.ABORTED
    assert shop.view().suspended == 0


async def test_a_handler_that_goes_on_is_named_with_what_ends_it(
    shop: Workshop, stops: Stops
) -> None:
    await shop.hire()
    claimed = await shop.begun("x")
    other = await shop.begun("y")
    await shop.submit("only waits")
    outcome = await stops.stop(claimed.run.id)
    assert outcome.stopped
    assert outcome.run.status is RunStatus.RUNNING
    assert (outcome.respawn, outcome.would_cut) == ("worker", (other.run.id,))
    assert "`roost respawn worker`" in outcome.sentence
    assert (await shop.report(claimed)).stop_requested


@pytest.mark.parametrize("told", [RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.ABORTED])
async def test_a_run_that_was_asked_to_stop_ends_aborted_whatever_is_told(
    shop: Workshop, told: RunStatus
) -> None:
    await shop.hire(TaskSpec("send", retry=RetryPolicy(attempts=3)))
    claimed = await shop.begun("x")
    await shop.tasks.stop("main", claimed.run.id, by="eve")
    ended = await shop.end(claimed, told, is_transient=True)
    assert (ended.status, code_of(ended)) == (RunStatus.ABORTED, "stopped")
    assert ended.error is not None
    assert "eve" in ended.error.sentence


async def test_a_stop_waits_for_the_end_of_the_handler(shop: Workshop, stops: Stops) -> None:
    await shop.hire()
    claimed = await shop.begun("x")
    stop = asyncio.create_task(stops.control.stop("main", claimed.run.id, by="eve"))
    async with asyncio.timeout(BOUND_S):
        await shop.ledger.rows.called("request_stop")
        await shop.end(claimed, RunStatus.ABORTED)
        outcome = await stop
    assert outcome.stopped
    assert outcome.run.status is RunStatus.ABORTED
    assert outcome.respawn is None


async def test_a_stop_of_a_settled_run_changes_nothing(shop: Workshop, stops: Stops) -> None:
    await shop.hire()
    claimed = await shop.begun("x")
    ended = await shop.end(claimed)
    outcome = await stops.control.stop("main", claimed.run.id, by="eve")
    assert not outcome.stopped
    assert await shop.run(ended.id) == ended


async def test_claims_and_stops_at_once_leave_no_run_without_an_end(
    shop: Workshop, stops: Stops
) -> None:
    await shop.hire(slots=100)
    ids = [(await shop.submit(number)).run.id for number in range(20)]
    claim = asyncio.create_task(shop.claim())
    await asyncio.gather(*(shop.tasks.stop("main", run_id, by="eve") for run_id in ids))
    claimed = {each.run.id: each for each in await claim}
    for run_id in ids:
        run = await shop.run(run_id)
        if run_id in claimed:
            assert run.status is RunStatus.RUNNING
            assert (await shop.report(claimed[run_id])).stop_requested
        else:
            assert run.status is RunStatus.ABORTED


async def test_a_retry_is_a_new_run_with_the_same_input(shop: Workshop, stops: Stops) -> None:
    await shop.hire()
    claimed = await shop.begun({"to": "bob"}, scope="chat", on_behalf=True)
    with pytest.raises(Refused):
        await stops.control.retry("main", claimed.run.id, actor="eve")
    await shop.end(claimed, RunStatus.FAILED)
    retried = await stops.control.retry("main", claimed.run.id, actor="eve")
    assert retried.id != claimed.run.id
    assert (retried.task, retried.scope, retried.on_behalf_of) == ("send", "chat", "eve")
    assert (await shop.claimed_again(retried.id)).input == {"to": "bob"}


async def test_a_retry_of_a_task_that_nobody_offers_is_refused(
    shop: Workshop, stops: Stops
) -> None:
    await shop.hire()
    claimed = await shop.begun("x")
    await shop.end(claimed)
    await shop.tasks.forget_bundle("main", "worker")
    with pytest.raises(TaskNotFound):
        await stops.control.retry("main", claimed.run.id, actor="eve")


async def test_a_run_that_waits_makes_room_for_another_one(shop: Workshop, stops: Stops) -> None:
    await shop.hire()
    waiting = await shop.submit("x", scope="chat")
    outcome = await stops.control.supersede("main", "chat", expected=None, wait_s=10, by="eve")
    assert outcome.state is SupersedeState.READY
    assert outcome.active is not None
    assert outcome.active.id == waiting.run.id


async def test_a_stop_of_a_run_stops_the_runs_that_it_began(shop: Workshop, stops: Stops) -> None:
    await shop.hire()
    parent = await shop.begun("parent")
    child = await shop.submit("child", parent=parent.run.id)
    outcome = await stops.stop(parent.run.id)
    assert outcome.stopped
    async with asyncio.timeout(BOUND_S):
        ended = await shop.recorder.wait_settled("main", child.run.id)
    assert ended.status is RunStatus.ABORTED
