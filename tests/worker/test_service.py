"""The worker itself: what it claims, how it survives its daemon, how it leaves."""

import asyncio
import threading
from typing import Any

import pytest
from tests.support.in_process_worker import ended, seen, worker_of, working
from tests.support.task_daemon import TaskDaemon

from roost import SyncTaskContext, TaskContext, task
from roost.errors import Refused, RoostError
from roost.worker.loop_watch import LoopWatch

BOUND_S = 30.0


def declare_blocking(gate: threading.Event) -> None:
    @task("wait")
    def wait(ctx: SyncTaskContext, input: Any) -> str:
        ctx.emit("begun")
        assert gate.wait(BOUND_S)
        return "done"


def has_begun(run: dict[str, Any]) -> bool:
    return any(event["name"] == "begun" for event in run["events"])


async def test_a_worker_tells_its_tasks_and_what_the_daemon_has_to_say(
    daemon: TaskDaemon, capfd: pytest.CaptureFixture[str]
) -> None:
    declare_blocking(threading.Event())
    async with working(daemon, slots=3):
        pass
    assert daemon.hello["slots"] == 3
    assert [spec["name"] for spec in daemon.hello["tasks"]] == ["wait"]
    assert "a word of warning" in capfd.readouterr().err


async def test_a_worker_never_holds_more_runs_than_it_has_slots(daemon: TaskDaemon) -> None:
    gate = threading.Event()
    declare_blocking(gate)
    runs = [daemon.submit("wait") for _ in range(5)]

    def running() -> int:
        return sum(run["status"] == "running" for run in runs)

    async with working(daemon, slots=2):
        await seen(daemon, lambda: running() == 2)
        gate.set()
        for run in runs:
            await ended(daemon, run)
    assert daemon.claims[0] == (0, 2)
    assert all(running + free <= 2 for running, free in daemon.claims)


async def test_a_daemon_that_restarts_is_found_again(daemon: TaskDaemon) -> None:
    gate = threading.Event()
    gate.set()
    declare_blocking(gate)
    async with working(daemon):
        await ended(daemon, daemon.submit("wait"))
        await asyncio.to_thread(daemon.stop)
        run = daemon.submit("wait")
        daemon.start()
        assert (await ended(daemon, run))["result"] == "done"


async def test_a_refused_hello_and_a_refused_claim_end_the_worker(daemon: TaskDaemon) -> None:
    declare_blocking(threading.Event())
    refusal = (409, {"error": {"code": "refused", "message": "not you", "details": {}}})
    for verb in ("claims", "workers"):
        daemon.refusals = {verb: refusal}
        async with asyncio.timeout(BOUND_S):
            with pytest.raises(Refused, match="not you"):
                await worker_of(daemon).work()


async def test_handlers_that_end_within_the_grace_end_normally(daemon: TaskDaemon) -> None:
    @task("soon")
    async def soon(ctx: TaskContext, input: Any) -> str:
        ctx.emit("begun")
        while not ctx.is_leaving:  # noqa: ASYNC110  # the way handlers look
            await asyncio.sleep(0.01)
        return await ctx.step("last", lambda: "in time")

    run = daemon.submit("soon")
    async with working(daemon) as worker:
        await seen(daemon, lambda: has_begun(run))
    assert run["result"] == "in time" and not worker.has_left_work


async def test_what_does_not_end_within_the_grace_is_handed_back(daemon: TaskDaemon) -> None:
    gate = threading.Event()
    declare_blocking(gate)

    @task("never")
    async def never(ctx: TaskContext, input: Any) -> None:
        ctx.emit("begun")
        await asyncio.Event().wait()

    runs = [daemon.submit("wait"), daemon.submit("never")]
    async with working(daemon, grace_s=0.1) as worker:
        await seen(daemon, lambda: all(has_begun(run) for run in runs))
    gate.set()
    assert [(run["status"], run["attempt"]) for run in runs] == [("pending", 2)] * 2
    assert worker.has_left_work
    released = [body["sentence"] for verb, body in daemon.asked if verb == "release"]
    assert released == ["its worker was asked to end"] * 2


async def test_a_run_that_is_claimed_while_the_worker_leaves_is_given_back(
    daemon: TaskDaemon,
) -> None:
    gate = threading.Event()
    declare_blocking(gate)
    first = daemon.submit("wait")
    async with working(daemon, slots=2) as worker:
        await seen(daemon, lambda: has_begun(first))
        before = len(daemon.asked)
        await seen(daemon, lambda: len(daemon.asked) > before)
        worker.leave()
        late = daemon.submit("wait")
        gate.set()
    assert first["result"] == "done" and late["status"] == "pending"


async def test_a_blocked_loop_is_seen_and_told_once() -> None:
    told: list[int] = []
    blocked, passed = threading.Event(), threading.Event()

    def tell() -> None:
        told.append(1)
        blocked.set()

    watch = LoopWatch(tell, ticks=3, tick_s=0.02)
    try:
        assert blocked.wait(BOUND_S)  # in the loop's own thread: it does not turn
        passed.wait(0.2)
        assert told == [1]
    finally:
        watch.close()


async def test_a_loop_that_turns_is_left_alone_however_long_it_does() -> None:
    blocked = threading.Event()
    watch = LoopWatch(blocked.set, ticks=100, tick_s=0.01)
    try:
        async with asyncio.timeout(BOUND_S):
            for _ in range(150):
                await asyncio.sleep(0.01)
        assert not blocked.is_set()
    finally:
        watch.close()


async def test_an_attempt_that_breaks_is_told_and_frees_its_slot(
    daemon: TaskDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    gate.set()
    declare_blocking(gate)
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, facts: told.append(facts))

    def broken(self: object, ended: object) -> dict[str, Any]:
        raise KeyError("ours")

    monkeypatch.setattr("roost.worker.attempt.Attempt._ending", broken)
    async with working(daemon, slots=1):
        daemon.submit("wait")
        second = daemon.submit("wait")
        await seen(daemon, lambda: second["status"] == "running")
    assert isinstance(told[0]["exception"], KeyError) and not isinstance(
        told[0]["exception"], RoostError
    )
