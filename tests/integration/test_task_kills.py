"""Workers and daemons are killed inside every stage of the demo's patterns, and each run ends."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Barrier
from typing import Any

import pytest
from tests.support.crowd import Crowd
from tests.support.cut_worker import NAME, PATTERNS, CutWorker, Pattern, cut_worker
from tests.support.real_daemon import roost, wait_for

from roost import submit
from roost.client.wire import Wire
from roost.errors import NotFound, RunNotFound, ShuttingDown
from roost.models import BundleSettings, InstallRequest, SourceKind
from roost.settings.locations import socket_path

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("task-kills")]

FULL_SIZE = pytest.param(10, marks=[pytest.mark.soak, pytest.mark.timeout(1200)])

CLIENTS = 20
CALLS = 100
SLOTS = 4
"""Runs that a worker does at a time unless it is told otherwise."""


@pytest.fixture(scope="module")
def worker() -> Iterator[CutWorker]:
    with cut_worker() as running:
        yield running


def check_end(worker: CutWorker, pattern: Pattern, run_id: str, cut: dict[str, str]) -> None:
    """See that a run ended right.

    Args:
        cut: in the order of the attempts, each stage that was interrupted and with which code.
    """
    detail = worker.daemon.settled(run_id)
    run = detail["run"]
    assert (run["status"], run["attempt"]) == (pattern.status, len(cut) + 1), run["error"]
    if pattern.result is not None:
        assert detail["result"] == pattern.result
    entered = [[stage] * (1 + (stage in cut)) for stage in pattern.stages]
    assert worker.lines() == [line for lines in entered for line in lines]
    journal, attempts = worker.history(run_id)
    codes = [attempt["error"] and attempt["error"]["code"] for attempt in attempts[:-1]]
    assert codes == list(cut.values())
    assert [attempt["number"] for attempt in attempts] == list(range(1, len(cut) + 2))
    if pattern.has_journal:
        assert [entry["name"] for entry in journal] == list(pattern.stages)
        assert {entry["state"] for entry in journal} == {"done"}
        assert [entry["name"] for entry in journal if entry["was_interrupted"]] == list(cut)
    check_told(pattern, detail["events"], cut)
    assert worker.active() == []


def check_told(pattern: Pattern, events: list[dict[str, Any]], cut: dict[str, str]) -> None:
    """See that each interrupted stage said so, and no other."""
    told = [event["message"] for event in events if event["kind"] == "output"]
    if pattern.has_journal:
        wanted = [
            f"roost: step {stage!r} was interrupted in attempt {number} and runs again"
            for number, stage in enumerate(cut, 1)
        ]
    else:
        behind = [(number, pattern.stages.index(stage)) for number, stage in enumerate(cut, 2)]
        wanted = [f"attempt {number} goes on behind turn {turn}" for number, turn in behind if turn]
    assert told == wanted


# Killed -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rounds", [1, FULL_SIZE])
@pytest.mark.parametrize("name", PATTERNS)
def test_a_worker_killed_inside_each_stage_does_what_was_done_once(
    worker: CutWorker, name: str, rounds: int
) -> None:
    pattern = PATTERNS[name]
    for _ in range(rounds):
        run_id, entered = worker.begin(pattern, *pattern.stages), list[str]()
        for number, stage in enumerate(pattern.stages, 1):
            worker.until_lines([*entered, stage])
            entered += [stage, stage]
            worker.kill_worker()
            worker.until_attempt(run_id, number + 1)
            worker.ask("start")  # at once: it has died too often for the daemon not to wait
        check_end(worker, pattern, run_id, dict.fromkeys(pattern.stages, "lost"))


@pytest.mark.parametrize("rounds", [1, FULL_SIZE])
@pytest.mark.parametrize("name", PATTERNS)
def test_a_daemon_killed_inside_each_stage_goes_on_with_the_run(
    worker: CutWorker, name: str, rounds: int
) -> None:
    pattern = PATTERNS[name]
    for _ in range(rounds):
        run_id, entered = worker.begin(pattern, *pattern.stages), list[str]()
        for number, stage in enumerate(pattern.stages, 1):
            worker.until_lines([*entered, stage])
            entered += [stage, stage]
            worker.kill_daemon()
            assert worker.run(run_id)["attempt"] == number + 1, "it is taken back before all else"
        check_end(worker, pattern, run_id, dict.fromkeys(pattern.stages, "lost"))


@pytest.mark.parametrize("rounds", [1, FULL_SIZE])
def test_runs_under_way_beside_each_other_all_end_whoever_is_killed(
    worker: CutWorker, rounds: int
) -> None:
    where: dict[str, Any] = {"workspace": "w", "data_dir": str(worker.owned.data_dir)}
    for _ in range(rounds):
        worker.cut(*["first", "second"] * SLOTS)
        begun = [submit("for.nobody", n, anew=True, **where).run_id for n in range(CLIENTS)]
        wait_for(worker.left_to_cut, lambda left: left == SLOTS)
        worker.kill_worker()
        worker.ask("start")
        wait_for(worker.left_to_cut, lambda left: left == 0)
        worker.kill_daemon()
        runs = [worker.daemon.settled(run_id)["run"] for run_id in begun]
        assert {run["status"] for run in runs} == {"succeeded"}
        assert sum(run["attempt"] for run in runs) == CLIENTS + 2 * SLOTS
        assert worker.lines().count("first") == CLIENTS + 2 * SLOTS
        assert worker.lines().count("second") == CLIENTS + SLOTS
        assert worker.active() == []


def test_a_task_that_is_run_again_begins_anew_and_one_that_is_not_fails(worker: CutWorker) -> None:
    again = worker.submit("for.nobody", None, "second")
    worker.until_lines(["first", "second"])
    worker.kill_worker()
    detail = worker.daemon.settled(again)
    assert (detail["run"]["status"], detail["result"]) == ("succeeded", 2)
    assert worker.lines() == ["first", "second", "first", "second"]
    never = worker.submit("never.again", None, "only")
    worker.until_lines(["only"])
    worker.kill_worker()
    run = worker.daemon.settled(never)["run"]
    assert (run["status"], run["error"]["code"], run["attempt"]) == ("failed", "lost", 1)
    worker.ask("start")
    assert worker.lines() == ["only"] and worker.active() == []


# Ended in order -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PATTERNS)
def test_a_respawn_in_the_middle_hands_the_run_to_the_next_process(
    worker: CutWorker, name: str
) -> None:
    pattern = PATTERNS[name]
    stage = pattern.stages[-1]
    run_id = worker.begin(pattern, stage)
    worker.until_lines(pattern.stages)
    worker.ask("respawn")
    check_end(worker, pattern, run_id, {stage: "interrupted"})


def test_a_run_whose_worker_is_stopped_waits_for_it_without_an_owner(worker: CutWorker) -> None:
    pattern = PATTERNS["pipeline"]
    run_id = worker.begin(pattern, "count")
    worker.until_lines(["split", "count"])
    worker.ask("stop")
    run = worker.run(run_id)
    assert (run["status"], run["waits"], run["attempt"]) == ("pending", "worker", 2)
    [task] = [each for each in worker.daemon.wire.get("/v1/tasks") if _name(each) == pattern.task]
    assert (task["workers"], task["waiting"], task["running"]) == (0, 1, 0)
    worker.ask("start")
    check_end(worker, pattern, run_id, {"count": "interrupted"})


def _name(task: dict[str, Any]) -> str:
    return str(task["spec"]["name"])


def test_a_daemon_that_is_taken_down_in_the_middle_leaves_nothing_running(
    worker: CutWorker,
) -> None:
    pattern = PATTERNS["saga"]
    run_id = worker.begin(pattern, "book hotel")
    worker.until_lines(["book flight", "book hotel"])
    done = roost(worker.owned.data_dir, "down")
    assert done.returncode == 0, done.stderr
    assert worker.owned.exit_status() == 0
    with closing(sqlite3.connect(worker.owned.data_dir / "roost.db")) as store:
        rows = store.execute("SELECT status, attempt FROM runs WHERE id = ?", (run_id,)).fetchall()
    assert rows == [("pending", 2)]
    worker.owned.start_again()
    check_end(worker, pattern, run_id, {"book hotel": "interrupted"})


async def test_once_the_shutdown_has_begun_nothing_is_submitted_and_viewers_are_told() -> None:
    with cut_worker("bundles:waits") as worker:
        pattern = PATTERNS["pipeline"]
        run_id = await asyncio.to_thread(worker.begin, pattern, "count")
        await asyncio.to_thread(worker.until_lines, ["split", "count"])
        worker.owned.process.terminate()
        await asyncio.to_thread(wait_for, worker.owned.steps, lambda told: "bundles" in told)
        async with Crowd(socket_path(str(worker.owned.data_dir))) as late:
            await late.attach([f"/v1/workspaces/w/runs/{run_id}/events"])
            await late.ended()
        assert late.viewers[0].has_notice, late.viewers[0].tail
        with pytest.raises(ShuttingDown):
            worker.daemon.post("/v1/workspaces/w/tasks/for.nobody/runs", {"input": 1})
        worker.daemon.post("/v1/shutdown")
        worker.owned.open_gate()
        assert worker.owned.exit_status() == 0
        assert worker.owned.steps().count("bundles") == 1
        worker.owned.start_again()
        check_end(worker, pattern, run_id, {"count": "interrupted"})


# Submitted ----------------------------------------------------------------------------------------


def test_of_twenty_clients_that_submit_the_same_at_once_one_begins_it(worker: CutWorker) -> None:
    at_once = Barrier(CLIENTS)

    def begin(number: int) -> tuple[str, str]:
        given = {"a": 1, "b": 2} if number % 2 else {"b": 2, "a": 1}
        at_once.wait(30)
        told = submit("for.nobody", given, workspace="w", data_dir=str(worker.owned.data_dir))
        return told.run_id, told.state

    with ThreadPoolExecutor(CLIENTS) as clients:
        told = list(clients.map(begin, range(CLIENTS)))
    assert len({run_id for run_id, _ in told}) == 1
    assert Counter(state for _, state in told)["new"] == 1
    assert worker.daemon.settled(told[0][0])["run"]["attempt"] == 1


def test_the_same_input_of_an_operator_and_of_a_worker_are_two_runs(worker: CutWorker) -> None:
    of_worker = worker.daemon.settled(worker.submit("as.worker", {"a": 1, "b": 2}))["result"]
    where: dict[str, Any] = {"workspace": "w", "data_dir": str(worker.owned.data_dir)}
    of_operator = submit("for.somebody", {"b": 2, "a": 1}, on_behalf=True, **where)
    again = submit("for.somebody", {"a": 1, "b": 2}, on_behalf=True, **where)
    assert of_operator.run_id == again.run_id != of_worker
    acted_for = [worker.daemon.settled(each)["result"] for each in (of_worker, again.run_id)]
    assert acted_for[0] != acted_for[1] and None not in acted_for


def test_work_for_somebody_waits_for_him_and_anybody_else_finds_no_run(worker: CutWorker) -> None:
    run_id = worker.submit("for.somebody", 1, "only", on_behalf=True)
    worker.until_lines(["only"])
    worker.kill_worker()
    wait_for(lambda: worker.run(run_id)["waits"], lambda waits: waits == "user")
    worker.ask("start")
    path = f"/v1/workspaces/w/runs/{run_id}/resume"
    assert worker.run(run_id)["status"] == "pending"
    worker.daemon.post(path)
    detail = worker.daemon.settled(run_id)
    assert (detail["run"]["status"], detail["run"]["attempt"]) == ("succeeded", 2)
    assert worker.lines() == ["only", "only"]
    of_worker = child_that_waits(worker)
    told = [refusal(worker.daemon.wire, each) for each in (of_worker, "r-none")]
    assert told[0].replace(of_worker, "r-none") == told[1]
    worker.daemon.post(f"/v1/workspaces/w/runs/{of_worker}/stop")
    assert worker.active() == []


def child_that_waits(worker: CutWorker) -> str:
    """Return a run that waits for the worker's bundle, which it acts for."""
    parent = worker.submit("as.worker", 2, "only")
    worker.until_lines(["only"])
    child = str(worker.daemon.settled(parent)["result"])
    worker.kill_worker()
    wait_for(lambda: worker.run(child)["waits"], lambda waits: waits == "user")
    worker.ask("start")
    return child


def refusal(wire: Wire, run_id: str) -> str:
    with pytest.raises(RunNotFound) as refused:
        wire.send("POST", f"/v1/workspaces/w/runs/{run_id}/resume", b"{}")
    return refused.value.message


def test_a_hundred_calls_for_somebody_warn_once_for_each_task(worker: CutWorker) -> None:
    worker.kill_daemon()  # a warning is given once for each of its starts
    worker.daemon.until(NAME, "running")
    before = len(worker.owned.told())
    told: list[Any] = []
    for task in ("for.somebody", "for.nobody"):
        path = f"/v1/workspaces/w/tasks/{task}/runs"
        told += [
            worker.daemon.post(path, {"input": number, "on_behalf": True})["warning"]
            for number in range(CALLS)
        ]
    warnings = [warning for warning in told if warning is not None]
    assert len(warnings) == 2 and told[0] is not None and told[CALLS] is not None
    logged = [line for line in worker.owned.told()[before:] if "is recovered by itself" in line]
    assert [line.partition(" w: ")[2] for line in logged] == warnings
    wait_for(worker.active, lambda active: not active)


# Declared wrongly ---------------------------------------------------------------------------------

WRONG = {
    "twice": ("@task('a')\ndef one(ctx, input): ...\n@task('a')\ndef two(ctx, input): ...", "'a'"),
    "age": ("@task('a', age_limit_s=-1)\ndef one(ctx, input): ...", "age"),
    "nan": ("@task('a', age_limit_s=float('nan'))\ndef one(ctx, input): ...", "age"),
    "bool": ("@task('a', age_limit_s=True)\ndef one(ctx, input): ...", "age"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_module_that_declares_what_cannot_be_is_dead_and_says_why(
    worker: CutWorker, name: str
) -> None:
    module, named = WRONG[name]
    folder = worker.owned.data_dir / name
    folder.mkdir()
    (folder / "wrong.py").write_text(f"from roost import task\n{module}\n")
    worker.daemon.install(
        InstallRequest(
            SourceKind.WORKER,
            name=name,
            path=str(folder),
            entry="wrong",
            settings=BundleSettings(stop_grace_s=1),
        )
    )
    worker.daemon.until(name, lambda view: view["state"] in ("dead", "backing_off"))
    said = [line for line in worker.daemon.log(name) if "declares what cannot be" in line]
    assert said and named in said[0], worker.daemon.log(name)
    worker.daemon.wire.send("DELETE", worker.daemon.path(name))


def test_a_step_without_a_name_fails_its_run_and_says_so(worker: CutWorker) -> None:
    folder = worker.owned.data_dir / "unnamed"
    folder.mkdir()
    (folder / "unnamed.py").write_text(
        "from roost import task\n@task('unnamed')\ndef one(ctx, input):\n    ctx.step(input, len)\n"
    )
    worker.daemon.install(
        InstallRequest(SourceKind.WORKER, name="unnamed", path=str(folder), entry="unnamed")
    )
    worker.daemon.until("unnamed", "running")
    for given in ("", 7, None, "x" * 201):
        run = worker.daemon.settled(worker.submit("unnamed", given))["run"]
        assert run["status"] == "failed" and "step" in run["error"]["sentence"], run["error"]
    with pytest.raises(NotFound):
        worker.daemon.run("r-none")
