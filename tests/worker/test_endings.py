"""How an attempt ends: by itself, by an error, by a stop, or because its lease is lost."""

import asyncio
import sys
import threading
from typing import Any

import pytest
from tests.support.in_process_worker import done, ended, seen, working
from tests.support.task_daemon import TaskDaemon

from roost import LeaseLost, StopRequested, SyncTaskContext, TaskContext, task

BOUND_S = 30.0


async def test_a_failing_handler_fails_its_run_and_shows_where(
    daemon: TaskDaemon, capfd: pytest.CaptureFixture[str]
) -> None:
    @task("failing")
    async def failing(ctx: TaskContext, input: Any) -> None:
        raise ValueError("no such table")

    run = await done(daemon, "failing")
    assert run["end"]["is_transient"] is False
    assert run["error"] == {"code": "work_failed", "sentence": "ValueError: no such table"}
    shown = capfd.readouterr().err
    assert "in failing" in shown and "in awaited" not in shown


@pytest.mark.parametrize(
    ("error", "is_transient"),
    [
        (TimeoutError("slow"), True),
        (ConnectionResetError("cut"), True),
        (ExceptionGroup("both", [TimeoutError(), ConnectionError()]), True),
        (ExceptionGroup("mixed", [TimeoutError(), ValueError()]), False),
        (ValueError("wrong"), False),
    ],
)
async def test_only_errors_declared_transient_are_told_as_such(
    daemon: TaskDaemon, error: Exception, is_transient: bool
) -> None:
    @task("flaky", retries=3, transient=(TimeoutError, ConnectionError))
    async def flaky(ctx: TaskContext, input: Any) -> int:
        if ctx.attempt == 1:
            raise error
        return ctx.attempt

    run = await done(daemon, "flaky")
    assert (run["status"] == "succeeded") is is_transient
    assert run["attempt"] == (2 if is_transient else 1)


@pytest.mark.parametrize("is_async", [True, False])
async def test_an_exit_in_a_handler_is_no_exit_of_the_worker(
    daemon: TaskDaemon, is_async: bool
) -> None:
    if is_async:

        @task("leaver")
        async def leaver(ctx: TaskContext, input: Any) -> None:
            sys.exit(3)

    else:

        @task("leaver")
        def leaver_sync(ctx: SyncTaskContext, input: Any) -> None:
            sys.exit(3)

    first, second = daemon.submit("leaver"), daemon.submit("leaver")
    async with working(daemon, slots=1):
        for run in (first, second):
            assert "exit status 3" in (await ended(daemon, run))["error"]["sentence"]


async def test_a_result_that_is_no_json_fails_the_run(daemon: TaskDaemon) -> None:
    @task("bad")
    async def bad(ctx: TaskContext, input: Any) -> object:
        return object()

    assert "result of the run cannot be kept" in (await done(daemon, "bad"))["error"]["sentence"]


async def test_a_result_that_the_daemon_refuses_fails_the_run(daemon: TaskDaemon) -> None:
    daemon.secret = "hunter2"

    @task("leaky")
    async def leaky(ctx: TaskContext, input: Any) -> str:
        return "hunter2"

    run = await done(daemon, "leaky")
    assert run["status"] == "failed" and "holds a secret" in run["error"]["sentence"]


# Stops


async def test_a_stop_is_raised_at_the_next_call_and_what_follows_may_clean_up(
    daemon: TaskDaemon,
) -> None:
    daemon.lease_ms = 150
    begun = asyncio.Event()

    @task("saga")
    async def saga(ctx: TaskContext, input: Any) -> None:
        await ctx.step("book", lambda: 1)
        begun.set()
        try:
            while True:
                await asyncio.sleep(0.01)
                ctx.progress(1)
        except StopRequested:
            await ctx.step("unbook", lambda: 2)
            raise

    run = daemon.submit("saga")
    async with working(daemon):
        await asyncio.wait_for(begun.wait(), BOUND_S)
        daemon.stop_requested = True
        await ended(daemon, run)
    assert run["status"] == "aborted" and run["journal"]["unbook"]["state"] == "done"


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_handler_that_looks_for_a_stop_ends_aborted(
    daemon: TaskDaemon, is_async: bool
) -> None:
    daemon.lease_ms = 150
    pause = threading.Event()

    if is_async:

        @task("polite")
        async def polite(ctx: TaskContext, input: Any) -> None:
            while not ctx.stop_requested:  # noqa: ASYNC110  # the way handlers look
                await asyncio.sleep(0.01)

    else:

        @task("polite")
        def polite_sync(ctx: SyncTaskContext, input: Any) -> None:
            while not ctx.stop_requested:
                pause.wait(0.01)

    run = daemon.submit("polite")
    async with working(daemon):
        await seen(daemon, lambda: run["status"] == "running")
        daemon.stop_requested = True
        await ended(daemon, run)
    assert run["status"] == "aborted"


async def test_an_async_handler_that_never_looks_is_cancelled(
    daemon: TaskDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roost.worker.attempt.STOP_PATIENCE_S", 0.05)
    daemon.lease_ms = 150
    cleaned = asyncio.Event()

    @task("deaf")
    async def deaf(ctx: TaskContext, input: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.set()

    run = daemon.submit("deaf")
    async with working(daemon):
        await seen(daemon, lambda: run["status"] == "running")
        daemon.stop_requested = True
        await ended(daemon, run)
    assert run["status"] == "aborted" and cleaned.is_set()


async def test_a_handler_that_has_seen_the_stop_is_left_to_its_own_end(
    daemon: TaskDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roost.worker.attempt.STOP_PATIENCE_S", 0.0)
    daemon.lease_ms = 150
    daemon.stop_requested = True

    @task("careful")
    async def careful(ctx: TaskContext, input: Any) -> str:
        with pytest.raises(StopRequested):
            while True:
                await asyncio.sleep(0)
                ctx.check_stop()
        before = len(daemon.asked)
        await seen(daemon, lambda: len(daemon.asked) > before + 3)
        return "cleaned up"

    run = await done(daemon, "careful")
    assert run["status"] == "aborted" and run["end"]["result"] == "cleaned up"


# Lost leases


async def test_an_async_handler_is_cancelled_once_its_lease_is_lost(
    daemon: TaskDaemon, capfd: pytest.CaptureFixture[str]
) -> None:
    daemon.lease_ms = 150
    attempts: list[int] = []
    cancelled: list[int] = []

    @task("moved")
    async def moved(ctx: TaskContext, input: Any) -> str:
        attempts.append(ctx.attempt)
        if ctx.attempt > 1:
            return "second"
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append(ctx.attempt)
        return "?"

    run = daemon.submit("moved")
    async with working(daemon):
        await seen(daemon, lambda: run["status"] == "running")
        daemon.recover(run)
        await ended(daemon, run)
        async with asyncio.timeout(BOUND_S):
            while not cancelled:  # noqa: ASYNC110  # nothing announces it
                await asyncio.sleep(0.01)
    assert run["result"] == "second" and attempts == [1, 2]
    assert "run run-1 of moved is lost to this worker" in capfd.readouterr().err


async def test_a_sync_handler_hears_of_a_lost_lease_at_its_next_call(daemon: TaskDaemon) -> None:
    go_on = threading.Event()
    heard: list[BaseException] = []

    @task("moved")
    def moved(ctx: SyncTaskContext, input: Any) -> str:
        if ctx.attempt > 1:
            return "second"
        assert go_on.wait(BOUND_S)
        try:
            ctx.step("late", lambda: 1)
        except BaseException as error:
            heard.append(error)
            raise
        return "?"

    run = daemon.submit("moved")
    async with working(daemon):
        await seen(daemon, lambda: run["status"] == "running")
        daemon.recover(run)
        await ended(daemon, run)
        go_on.set()
    assert isinstance(heard[0], LeaseLost)
    assert run["result"] == "second" and "late" not in run["journal"]


async def test_a_run_that_the_daemon_does_not_know_as_ours_is_lost(daemon: TaskDaemon) -> None:
    error = {"code": "run_not_found", "message": "no such run", "details": {}}
    daemon.refusals["report"] = (404, {"error": error})
    heard: list[BaseException] = []

    @task("unknown")
    def unknown(ctx: SyncTaskContext, input: Any) -> None:
        try:
            ctx.step("any", lambda: 1)
        except BaseException as error:
            heard.append(error)
            raise

    daemon.submit("unknown")
    async with working(daemon):
        async with asyncio.timeout(BOUND_S):
            while not heard:  # noqa: ASYNC110  # nothing announces it
                await asyncio.sleep(0.01)
    assert isinstance(heard[0], LeaseLost)
    assert "end" not in [verb for verb, _ in daemon.asked]


async def test_a_silent_sync_handler_keeps_its_lease(daemon: TaskDaemon) -> None:
    daemon.lease_ms = 150
    go_on = threading.Event()

    @task("silent")
    def silent(ctx: SyncTaskContext, input: Any) -> str:
        assert go_on.wait(BOUND_S)
        return "done"

    run = daemon.submit("silent")
    async with working(daemon):
        await seen(daemon, lambda: [verb for verb, _ in daemon.asked].count("report") > 3)
        go_on.set()
        await ended(daemon, run)
    assert run["result"] == "done"
