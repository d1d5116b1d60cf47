"""Runs that programs and handlers begin, and how they wait for them."""

import asyncio
from typing import Any

import pytest
from tests.support.in_process_worker import done, ended, seen, working
from tests.support.task_daemon import TaskDaemon

from roost import RoostUnreachable, SyncTaskContext, TaskContext, submit, submit_async, task
from roost.errors import BadInput, QueueFull, TaskNotFound
from roost.worker.submitting import pauses


async def test_a_program_submits_a_run_and_waits_for_its_end(daemon: TaskDaemon) -> None:
    @task("double")
    async def double(ctx: TaskContext, input: Any) -> int:
        return int(input["n"]) * 2

    submitted = await submit_async("double", {"n": 4}, key="k", scope="s", on_behalf=True)
    assert (submitted.run_id, submitted.key, submitted.state) == ("run-1", "k", "new")
    assert daemon.asked[-1][1] == {
        "input": {"n": 4},
        "scope": "s",
        "idempotency_key": "k",
        "parent": None,
        "on_behalf": True,
    }
    with pytest.raises(TimeoutError, match="run run-1 has not ended"):
        await submitted.wait_async(0)
    async with working(daemon):
        outcome = await submitted.wait_async(10)
    assert outcome.succeeded and outcome.result == 8


def test_a_submit_whose_answer_got_lost_asks_again_with_the_same_key(daemon: TaskDaemon) -> None:
    daemon.faults.append("unanswered")
    anew = submit("any", 1, anew=True)
    keys = [body["idempotency_key"] for _, body in daemon.asked]
    assert len(set(keys)) == 1 and str(keys[0]).startswith("sdk-")
    assert anew.state == "new"


def test_a_full_queue_is_told_at_once(daemon: TaskDaemon) -> None:
    details = {"task": "any", "waiting": 9, "retry_after_s": 7}
    error = {"code": "queue_full", "message": "9 runs wait already", "details": details}
    daemon.refusals["runs"] = (503, {"error": error})
    with pytest.raises(QueueFull, match="9 runs wait") as caught:
        submit("any")
    assert caught.value.details["retry_after_s"] == 7 and len(daemon.asked) == 1


def test_what_cannot_be_submitted_is_refused(daemon: TaskDaemon) -> None:
    for bad, why in (("", "a task needs a name"), ("any", "the input of the run")):
        with pytest.raises(BadInput, match=why):
            submit(bad, {1, 2})
    details = {"task": "none"}
    error = {"code": "task_not_found", "message": "there is no task", "details": details}
    daemon.refusals["runs"] = (404, {"error": error})
    with pytest.raises(TaskNotFound):
        submit("none")


def test_without_a_daemon_it_is_said_so(
    daemon: TaskDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon.stop()
    monkeypatch.setattr("roost.worker.submitting.PATIENCE_S", 0.05)
    with pytest.raises(RoostUnreachable, match="no Roost daemon takes the run"):
        submit("any", workspace="default")


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_handler_begins_a_child_and_waits_for_it(
    daemon: TaskDaemon, is_async: bool
) -> None:
    @task("child")
    def child(ctx: SyncTaskContext, input: Any) -> Any:
        if input == "bad":
            raise ValueError("bad")
        return [input]

    if is_async:

        @task("parent")
        async def parent(ctx: TaskContext, input: Any) -> Any:
            good, bad = await ctx.submit("child", 3), await ctx.submit("child", "bad", anew=True)
            return (await ctx.wait(good)).result, (await ctx.wait(bad.run_id)).sentence

    else:

        @task("parent")
        def parent_sync(ctx: SyncTaskContext, input: Any) -> Any:
            good, bad = ctx.submit("child", 3), ctx.submit("child", "bad", anew=True)
            return ctx.wait(good).result, ctx.wait(bad.run_id).sentence

    run = await done(daemon, "parent")
    assert run["status"] == "succeeded", run["error"]
    assert run["result"] == [[3], "ValueError: bad"]
    children = [each for each in daemon.runs.values() if each["parent"]]
    assert [each["parent"] for each in children] == [run["id"]] * 2


async def test_a_handler_that_waits_for_a_child_hears_of_a_stop(daemon: TaskDaemon) -> None:
    daemon.lease_ms = 150

    @task("parent")
    async def parent(ctx: TaskContext, input: Any) -> None:
        never = await ctx.submit("nobody")
        await ctx.wait(never)

    run = daemon.submit("parent")
    async with working(daemon, slots=1):
        await seen(daemon, lambda: len(daemon.runs) == 2)
        daemon.stop_requested = True
        await ended(daemon, run)
    assert run["status"] == "aborted"


def test_the_last_look_is_one_after_the_time_is_over() -> None:
    times = iter([0.0, 0.0, 0.05, 0.15, 0.2, 0.2])
    found = list(pauses(0.2, lambda: next(times)))
    assert found == pytest.approx([0.05, 0.1, 0.05, 0.0])


async def test_many_at_once_do_not_take_the_loops_own_threads(daemon: TaskDaemon) -> None:
    @task("echo")
    async def echo(ctx: TaskContext, input: Any) -> Any:
        return input

    submitted = await asyncio.gather(*(submit_async("echo", n) for n in range(30)))
    async with working(daemon, slots=8):
        outcomes = await asyncio.gather(*(each.wait_async(20) for each in submitted))
    assert [outcome.result for outcome in outcomes] == list(range(30))
