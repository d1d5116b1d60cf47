"""Reports from an event loop: in turn with those of the thread, and never told twice."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from roost.errors import LeaseLost, StoreUnavailable
from roost.sdk.courier import Courier, Lease
from roost.sdk.outbox import Item
from roost.sdk.post import NotInLoop, Unheard

BOUND_S = 30.0
STEP = Item(step={"current": 1, "total": None, "message": "one"})

Answers = Callable[[], None]


class Ledger:
    """Answers reports of one run, and fails as it is told to."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.last_seq = 0
        self.fail: Callable[[], None] = lambda: None
        """Called after a report in the loop was stored."""
        self.came = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()

    def report(self, run_id: str, body: dict[str, Any]) -> dict[str, Any]:
        self.told.append({name: value for name, value in body.items() if name != "epoch"})
        self.last_seq += len(body.get("steps", ()))
        run = {
            "id": run_id,
            "last_seq": self.last_seq,
            "step_count": self.last_seq,
            "status": "running",
        }
        return {"run": run, "epoch": body["epoch"], "stop_requested": False}

    def finish(self, run_id: str, body: dict[str, Any]) -> object:
        raise AssertionError("no test ends its run")

    async def report_in_loop(self, run_id: str, body: dict[str, Any]) -> dict[str, Any]:
        self.came.set()
        await self.go_on.wait()
        answer = self.report(run_id, body)
        self.fail()
        return answer


def courier_of(ledger: Ledger, lease_s: float = 30.0) -> Courier:
    lease = Lease("run-1", 1, False, 0, 0, "running")
    return Courier(ledger, lease, lease_s=lease_s, is_required=True, keeps_lease=True)


def failing(error: Exception) -> Answers:
    def fail() -> None:
        raise error

    return fail


def steps(ledger: Ledger) -> int:
    return sum(len(told.get("steps", ())) for told in ledger.told)


async def test_what_was_told_is_reported_once_and_the_lease_is_the_newest() -> None:
    ledger = Ledger()
    courier = courier_of(ledger)
    courier.tell(STEP, is_urgent=True)
    assert await courier.exchange_in_loop(ledger.report_in_loop)
    assert courier.outbox.is_empty and courier.lease.last_seq == 1 and steps(ledger) == 1


async def test_the_thread_waits_for_the_report_of_the_loop() -> None:
    ledger = Ledger()
    courier = courier_of(ledger)
    courier.tell(STEP, is_urgent=True)
    ledger.go_on.clear()
    report = asyncio.create_task(courier.exchange_in_loop(ledger.report_in_loop))
    await ledger.came.wait()
    courier.tell(STEP)
    thread = threading.Thread(target=courier.exchange)
    thread.start()
    assert not await courier.exchange_in_loop(ledger.report_in_loop), "there is one under way"
    ledger.go_on.set()
    assert await report
    await asyncio.to_thread(thread.join, BOUND_S)
    assert [len(told.get("steps", ())) for told in ledger.told] == [1, 1]
    assert courier.outbox.is_empty


async def test_while_the_report_of_a_blocked_loop_is_under_way_the_lease_is_kept() -> None:
    ledger = Ledger()
    courier = courier_of(ledger, lease_s=0.03)
    courier.tell(STEP, is_urgent=True)
    ledger.go_on.clear()
    report = asyncio.create_task(courier.exchange_in_loop(ledger.report_in_loop))
    await ledger.came.wait()
    courier.exchange()  # in the loop's own thread: it does not turn
    assert ledger.told == [{}] and not courier.outbox.is_empty
    ledger.go_on.set()
    assert await report and steps(ledger) == 1


async def test_a_report_whose_answer_is_lost_is_asked_about_before_anything_is_told() -> None:
    ledger = Ledger()
    courier = courier_of(ledger)
    courier.tell(STEP, is_urgent=True)
    ledger.fail = failing(Unheard(OSError("gone"), may_have_arrived=True))
    assert await courier.exchange_in_loop(ledger.report_in_loop)
    assert not await courier.exchange_in_loop(ledger.report_in_loop), "a thread finds it out"
    courier.exchange()
    assert ledger.told == [ledger.told[0], {}] and courier.outbox.is_empty


async def test_a_report_that_the_end_of_the_loop_cuts_is_asked_about_too() -> None:
    ledger = Ledger()
    courier = courier_of(ledger)
    courier.tell(STEP, is_urgent=True)
    ledger.fail = failing(Unheard(OSError("gone"), may_have_arrived=True))
    ledger.go_on.clear()
    report = asyncio.create_task(courier.exchange_in_loop(ledger.report_in_loop))
    await ledger.came.wait()
    report.cancel()
    with pytest.raises(asyncio.CancelledError):
        await report
    courier.exchange()
    assert ledger.told == [{}], "it had not arrived"
    courier.exchange()
    assert steps(ledger) == 1 and courier.outbox.is_empty


async def test_a_refused_report_ends_in_the_loop_as_in_the_thread() -> None:
    ledger = Ledger()
    courier = courier_of(ledger)
    courier.tell(STEP)
    ledger.fail = failing(StoreUnavailable("busy"))
    assert await courier.exchange_in_loop(ledger.report_in_loop)
    assert not courier.is_over and not courier.outbox.is_empty
    courier = courier_of(ledger)
    courier.tell(STEP)
    ledger.fail = failing(LeaseLost("run-1", "somebody else holds it"))
    assert await courier.exchange_in_loop(ledger.report_in_loop)
    assert isinstance(courier.failure, LeaseLost)


async def test_what_cannot_be_sent_from_the_loop_is_left_to_the_thread() -> None:
    ledger = Ledger()
    courier = courier_of(ledger)
    courier.tell(STEP)

    async def refuse(run_id: str, body: dict[str, Any]) -> dict[str, Any]:
        raise NotInLoop

    assert not await courier.exchange_in_loop(refuse)
    courier.exchange()
    assert steps(ledger) == 1 and courier.outbox.is_empty
