"""Steps of async handlers, which are told from the event loop over connections that are kept."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest
from tests.sdk.fake_daemon import BOUND_S
from tests.support.in_process_worker import done, ended, seen, working
from tests.support.task_daemon import Answer, TaskDaemon

from roost import TaskContext, task
from roost.sdk import courier
from roost.sdk.post import IN_LOOP_BYTES

STEPS = 8


def told_steps(daemon: TaskDaemon) -> list[object]:
    return [what for _, what in daemon.told]


def both(*names: str) -> list[object]:
    return [(state, name) for name in names for state in ("started", "done")]


async def test_a_daemon_that_restarts_between_two_steps_has_each_report_once(
    daemon: TaskDaemon,
) -> None:
    gate = asyncio.Event()

    @task("two")
    async def two(ctx: TaskContext, input: Any) -> list[str]:
        first = await ctx.step("first", str.upper, "a")
        await gate.wait()
        return [first, await ctx.step("second", str.upper, "b")]

    run = daemon.submit("two")
    async with working(daemon):
        await seen(daemon, lambda: run["journal"].get("first", {}).get("state") == "done")
        await asyncio.to_thread(daemon.stop)
        gate.set()
        daemon.start()
        assert (await ended(daemon, run))["result"] == ["A", "B"]
    assert told_steps(daemon) == both("first", "second")


@pytest.mark.parametrize("fault", ["lost", "unanswered", "store_unavailable"])
async def test_whatever_becomes_of_a_report_each_step_is_told_and_done_once(
    daemon: TaskDaemon, fault: str
) -> None:
    calls: list[int] = []

    @task("many")
    async def many(ctx: TaskContext, input: Any) -> int:
        for number in range(STEPS):
            ctx.emit("begun", number)
            await ctx.step(f"s{number}", calls.append, number)
        return len(calls)

    daemon.report_faults.extend(["fine", "fine", "fine", fault, "fine", fault])
    run = await done(daemon, "many")
    assert (run["result"], calls) == (STEPS, list(range(STEPS)))
    emitted = [event["message"] for event in run["events"]]
    assert emitted == [str(number) for number in range(STEPS)]
    assert {entry["state"] for entry in run["journal"].values()} == {"done"}


async def test_steps_beside_each_other_and_large_results_arrive_without_waiting_for_a_heartbeat(
    daemon: TaskDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "STOP_NOTICE_S", 10 * BOUND_S)
    daemon.lease_ms = int(100_000 * BOUND_S)
    large = "x" * (2 * IN_LOOP_BYTES)

    @task("wide")
    async def wide(ctx: TaskContext, input: Any) -> int:
        work = (ctx.step(f"s{number}", lambda: large) for number in range(STEPS))
        return sum(len(told) for told in await asyncio.gather(*work))

    run = await done(daemon, "wide")
    assert run["result"] == STEPS * len(large)
    assert {entry["value"] for entry in run["journal"].values()} == {large}


async def test_a_handler_that_is_cancelled_while_it_tells_a_step_has_told_it_once(
    daemon: TaskDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, came, go_on = daemon.answer, threading.Event(), threading.Event()

    def hold_second(path: str, body: dict[str, Any]) -> Answer | None:
        if "second" in json.dumps(body):
            came.set()
            assert go_on.wait(BOUND_S)
        return answer(path, body)

    monkeypatch.setattr(daemon, "answer", hold_second)
    cancelled = asyncio.Event()

    @task("cut")
    async def cut(ctx: TaskContext, input: Any) -> None:
        await ctx.step("first", str.upper, "a")
        try:
            await ctx.step("second", str.upper, "b")
        except asyncio.CancelledError:
            cancelled.set()
            raise

    run = daemon.submit("cut")
    async with working(daemon, grace_s=0.0) as worker:
        assert await asyncio.to_thread(came.wait, BOUND_S)
        worker.leave()
        await cancelled.wait()
        go_on.set()
        await seen(daemon, lambda: "second" in run["journal"])
    assert told_steps(daemon) == [*both("first"), ("started", "second")]
