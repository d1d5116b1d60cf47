"""What a handler tells besides its steps."""

import asyncio
import json
from typing import Any

import pytest
from tests.support.in_process_worker import done, ended, working
from tests.support.task_daemon import TaskDaemon

from roost import SyncTaskContext, TaskContext, task
from roost.runs.task_checks import EMISSION_LIMIT
from roost.worker import telling


def told(run: dict[str, Any]) -> list[tuple[str, object]]:
    return [(event["kind"], event["name"] or event["message"]) for event in run["events"]]


async def test_everything_told_stands_there_in_order(daemon: TaskDaemon) -> None:
    @task("chatty")
    async def chatty(ctx: TaskContext, input: Any) -> None:
        ctx.emit("rows", {"count": 3})
        ctx.progress(1, 2, "fetched")
        ctx.output("a line")
        ctx.progress(2, 2, "stored")
        ctx.emit("rows", {"count": 4})
        ctx.link("file:///tmp/report.pdf")
        await ctx.drain()
        assert len(daemon.run["events"]) == 5

    run = await done(daemon, "chatty")
    assert run["status"] == "succeeded", run["error"]
    assert told(run) == [
        ("emit", "rows"),
        ("step", "fetched"),
        ("output", "a line"),
        ("step", "stored"),
        ("emit", "rows"),
    ]
    assert json.loads(run["events"][4]["message"]) == {"count": 4}
    assert run["link"] == "file:///tmp/report.pdf" and run["step_count"] == 2


async def test_a_sync_handler_tells_the_same(daemon: TaskDaemon) -> None:
    @task("chatty")
    def chatty(ctx: SyncTaskContext, input: Any) -> None:
        ctx.progress(1, 2)
        ctx.emit("rows")
        ctx.output("a line")
        ctx.link("file:///tmp/report.pdf")

    run = await done(daemon, "chatty")
    assert told(run) == [("step", None), ("emit", "rows"), ("output", "a line")]
    assert run["link"]


async def test_a_reserved_name_is_dropped_with_one_warning_and_the_run_goes_on(
    daemon: TaskDaemon, capfd: pytest.CaptureFixture[str]
) -> None:
    @task("finished")
    async def finished(ctx: TaskContext, input: Any) -> str:
        for name in ("completed", "completed", "Failed"):
            ctx.emit(name, {"x": 1})
        ctx.emit("rows")
        return "the real end"

    run = await done(daemon, "finished")
    assert run["result"] == "the real end" and run["status"] == "succeeded"
    kinds = [kind for kind, _ in told(run)]
    assert kinds.count("emit") == 1
    notes = "\n".join(event["message"] for event in run["events"] if event["kind"] == "output")
    assert notes.count("the event 'completed' of the task 'finished' is dropped") == 1
    assert "'Failed'" in notes
    assert capfd.readouterr().err.count("'completed'") == 1


def test_the_limits_fit_those_of_the_daemon() -> None:
    assert telling.EMISSION_LIMIT <= EMISSION_LIMIT


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("", 1, "an event needs a name"),
        ("rows", {1, 2}, "data of the event 'rows'"),
        ("rows", float("nan"), "data of the event 'rows'"),
        ("rows", "x" * 70_000, "has more than 65536 characters"),
    ],
)
async def test_an_event_that_cannot_be_kept_is_refused_by_name(
    daemon: TaskDaemon, name: str, data: Any, why: str
) -> None:
    @task("bad")
    async def bad(ctx: TaskContext, input: Any) -> None:
        ctx.emit(name, data)

    run = await done(daemon, "bad")
    assert run["status"] == "failed" and why in run["error"]["sentence"]


async def test_an_async_handler_that_tells_far_too_much_is_told_to_drain(
    daemon: TaskDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roost.worker.context.UNHEARD_MOST", 5)

    @task("flood")
    async def flood(ctx: TaskContext, input: Any) -> None:
        for number in range(100):
            ctx.emit("n", number)

    run = await done(daemon, "flood")
    assert "await ctx.drain()" in run["error"]["sentence"]


async def test_a_daemon_that_is_away_for_a_while_misses_nothing(daemon: TaskDaemon) -> None:
    gone, back = asyncio.Event(), asyncio.Event()

    @task("long")
    async def long(ctx: TaskContext, input: Any) -> str:
        ctx.emit("before")
        await ctx.drain()
        gone.set()
        await back.wait()
        for number in range(300):
            ctx.progress(number, None, f"s{number}")
        return await ctx.step("last", lambda: "kept")

    run = daemon.submit("long")
    async with working(daemon):
        await asyncio.wait_for(gone.wait(), 30)
        await asyncio.to_thread(daemon.stop)
        back.set()
        await asyncio.sleep(0)
        daemon.start()
        await ended(daemon, run)
    assert [name for kind, name in told(run) if kind == "step"] == [f"s{n}" for n in range(300)]
    assert run["result"] == "kept"


@pytest.mark.parametrize("fault", ["lost", "unanswered"])
async def test_an_answer_that_got_lost_repeats_nothing(daemon: TaskDaemon, fault: str) -> None:
    @task("once")
    async def once(ctx: TaskContext, input: Any) -> None:
        for name in ("one", "two", "three"):
            ctx.emit(name)
            await ctx.step(f"step {name}", lambda: 1)

    daemon.report_faults.extend([fault, "fine", fault])
    run = await done(daemon, "once")
    assert run["status"] == "succeeded" and not daemon.report_faults
    assert [name for kind, name in told(run) if kind == "emit"] == ["one", "two", "three"]
