"""Named steps: done once, begun before they run, stored before they return."""

import asyncio
from typing import Any

import pytest
from tests.support.in_process_worker import done, ended, seen, working
from tests.support.task_daemon import TaskDaemon

from roost import StepFailed, SyncTaskContext, TaskContext, task


def journal(run: dict[str, Any]) -> dict[str, str]:
    return {name: entry["state"] for name, entry in run["journal"].items()}


async def test_a_step_is_told_before_it_runs_and_kept_before_it_returns(daemon: TaskDaemon) -> None:
    seen_inside: list[dict[str, str]] = []

    @task("two")
    async def two(ctx: TaskContext, input: Any) -> int:
        async def look(by: int) -> int:
            seen_inside.append(journal(daemon.run))
            return by * 2

        first = await ctx.step("first", look, 3)
        seen_inside.append(journal(daemon.run))
        return await ctx.step("second", lambda: first + 1)

    run = await done(daemon, "two")
    assert seen_inside == [{"first": "started"}, {"first": "done"}]
    assert run["result"] == 7 and run["journal"]["first"]["value"] == 6


async def test_a_sync_handler_has_the_same_steps(daemon: TaskDaemon) -> None:
    seen_inside: list[dict[str, str]] = []

    @task("two")
    def two(ctx: SyncTaskContext, input: Any) -> int:
        def look(by: int) -> int:
            seen_inside.append(journal(daemon.run))
            return by * 2

        first = ctx.step("first", look, by=3)
        seen_inside.append(journal(daemon.run))
        return first + 1

    run = await done(daemon, "two")
    assert seen_inside == [{"first": "started"}, {"first": "done"}]
    assert run["result"] == 7


@pytest.mark.parametrize("is_async", [True, False])
async def test_the_next_attempt_is_given_what_was_done_and_runs_what_was_interrupted(
    daemon: TaskDaemon, is_async: bool
) -> None:
    ran: list[str] = []
    told: list[object] = []

    def work(name: str) -> str:
        ran.append(name)
        return f"fresh {name}"

    if is_async:

        @task("staged")
        async def staged(ctx: TaskContext, input: Any) -> list[str]:
            told.extend((ctx.attempt, ctx.was_interrupted("a"), ctx.was_interrupted("b")))
            ctx.emit("now")
            await ctx.drain()
            told.extend(event.data for event in await ctx.earlier_events())
            return [await ctx.step(name, work, name) for name in ("a", "b", "c")]

    else:

        @task("staged")
        def staged_sync(ctx: SyncTaskContext, input: Any) -> list[str]:
            told.extend((ctx.attempt, ctx.was_interrupted("a"), ctx.was_interrupted("b")))
            told.extend(event.data for event in ctx.earlier_events())
            return [ctx.step(name, work, name) for name in ("a", "b", "c")]

    run = daemon.submit("staged")
    run["journal"] = {
        "a": {"name": "a", "state": "done", "attempt": 1, "value": "old a"},
        "b": {"name": "b", "state": "started", "attempt": 1, "value": None},
    }
    for entry in run["journal"].values():
        entry["was_interrupted"] = False
    daemon._event(run, "emit", '{"count": 3}', "rows")
    daemon.recover(run)
    async with working(daemon):
        await ended(daemon, run)
    assert run["result"] == ["old a", "fresh b", "fresh c"] and ran == ["b", "c"]
    assert told == [2, False, True, {"count": 3}]
    notes = [event["message"] for event in run["events"] if event["kind"] == "output"]
    assert notes == ["roost: step 'b' was interrupted in attempt 1 and runs again"]


async def test_a_result_that_is_no_json_fails_its_step_by_name(daemon: TaskDaemon) -> None:
    @task("bad")
    async def bad(ctx: TaskContext, input: Any) -> None:
        await ctx.step("fetch", lambda: {1, 2})

    run = await done(daemon, "bad")
    assert run["status"] == "failed" and journal(run) == {"fetch": "failed"}
    assert "StepFailed: nothing of step 'fetch' is kept" in run["error"]["sentence"]
    assert "cannot be kept as JSON" in run["journal"]["fetch"]["error"]


async def test_what_a_step_returns_is_what_the_next_attempt_would_be_given(
    daemon: TaskDaemon,
) -> None:
    @task("tuple")
    async def with_tuple(ctx: TaskContext, input: Any) -> bool:
        return await ctx.step("pair", lambda: (1, 2)) == [1, 2]  # type: ignore[comparison-overlap]

    assert (await done(daemon, "tuple"))["result"] is True


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_refused_result_fails_its_step_and_the_run_is_settled(
    daemon: TaskDaemon, is_async: bool
) -> None:
    daemon.secret = "hunter2"
    caught: list[BaseException] = []

    if is_async:

        @task("leaky")
        async def leaky(ctx: TaskContext, input: Any) -> None:
            try:
                await ctx.step("login", lambda: "hunter2")
            except StepFailed as error:
                caught.append(error)

    else:

        @task("leaky")
        def leaky_sync(ctx: SyncTaskContext, input: Any) -> None:
            try:
                ctx.step("login", lambda: "hunter2")
            except StepFailed as error:
                caught.append(error)

    run = await done(daemon, "leaky")
    assert "step 'login'" in str(caught[0]) and "secret" in str(caught[0])
    assert run["status"] == "failed" and "secret" in run["error"]["sentence"]


async def test_a_failing_step_is_told_and_its_error_comes_out_as_it_is(daemon: TaskDaemon) -> None:
    @task("failing")
    async def failing(ctx: TaskContext, input: Any) -> str:
        async def refuse() -> None:
            raise ConnectionError("no route")

        try:
            await ctx.step("call", refuse)
        except ConnectionError as error:
            return f"went on after {error}"
        return "?"

    run = await done(daemon, "failing")
    assert run["result"] == "went on after no route"
    assert run["journal"]["call"]["error"] == "ConnectionError: no route"


@pytest.mark.parametrize("name", [None, "", "   ", "x" * 201, 7, "two\nlines"])
async def test_a_step_without_a_name_is_refused(daemon: TaskDaemon, name: Any) -> None:
    @task("unnamed")
    async def unnamed(ctx: TaskContext, input: Any) -> None:
        await ctx.step(name, lambda: 1)

    run = await done(daemon, "unnamed")
    assert run["status"] == "failed" and not run["journal"]
    assert "a step needs a name" in run["error"]["sentence"]


async def test_a_name_used_twice_in_one_attempt_is_refused(daemon: TaskDaemon) -> None:
    @task("twice")
    async def twice(ctx: TaskContext, input: Any) -> None:
        for _ in range(2):
            await ctx.step("page", lambda: 1)

    run = await done(daemon, "twice")
    assert "'page' is used twice in one attempt" in run["error"]["sentence"]


async def test_steps_side_by_side_are_each_kept(daemon: TaskDaemon) -> None:
    @task("wide")
    async def wide(ctx: TaskContext, input: Any) -> int:
        async def one(number: int) -> int:
            await asyncio.sleep(0)
            return number

        found = await asyncio.gather(*(ctx.step(f"page-{n}", one, n) for n in range(20)))
        return sum(found)

    run = await done(daemon, "wide")
    assert run["result"] == 190 and set(journal(run).values()) == {"done"}


async def test_a_step_that_a_leaving_worker_cut_is_left_as_begun(daemon: TaskDaemon) -> None:
    @task("cut")
    async def cut(ctx: TaskContext, input: Any) -> None:
        await ctx.step("long", asyncio.Event().wait)

    run = daemon.submit("cut")
    async with working(daemon, grace_s=0):
        await seen(daemon, lambda: journal(run) == {"long": "started"})
    assert journal(run) == {"long": "started"} and run["status"] == "pending"


async def test_an_async_function_in_a_sync_handler_is_refused_by_name(daemon: TaskDaemon) -> None:
    @task("mixed")
    def mixed(ctx: SyncTaskContext, input: Any) -> None:
        async def fetch() -> int:
            return 1

        function: Any = fetch
        ctx.step("fetch", function)

    run = await done(daemon, "mixed")
    assert "its function is an async one" in run["error"]["sentence"]


async def test_a_step_does_not_wait_for_others_to_share_its_report(
    daemon: TaskDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roost.sdk.courier.FLUSH_S", 60.0)

    @task("quick")
    async def quick(ctx: TaskContext, input: Any) -> int:
        return sum([await ctx.step(f"step {n}", abs, n) for n in range(8)])

    assert (await done(daemon, "quick"))["result"] == 28
