"""``roost task``, ``roost schedule`` and what ``roost run`` tells of runs of tasks."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from tests.support.command_line import Outcome, roost
from tests.support.fake_engine import FakeEngine
from tests.support.served_engine import ServedEngine, served

from roost.models import (
    ClaimRequest,
    JournalWrite,
    RunError,
    ScheduleSpec,
    ScheduleView,
    StepState,
    TaskEnd,
    TaskReport,
    TaskSpec,
)
from roost.models import RunStatus as Status


@pytest.fixture
def engine() -> Iterator[ServedEngine]:
    fake = FakeEngine(workspaces=("w",))
    fake.offer("w", "jobs", TaskSpec("report.build", "builds the report"))
    with served(fake) as engine:
        yield engine


def do(engine: ServedEngine, *argv: str, stdin: str = "") -> Outcome:
    return roost(engine.data_dir, *argv, stdin=stdin)


def submit(engine: ServedEngine, *argv: str) -> str:
    done = do(engine, "task", "submit", "report.build", "-d", *argv)
    assert done.code == 0, done.err
    return done.out.strip()


def work(engine: ServedEngine, *journal: JournalWrite, end: TaskEnd | None = None) -> None:
    """Let a worker claim what waits, write to its journal and end it."""

    async def all_of_it() -> None:
        worker = engine.fake.facade("jobs", "g-1")
        for claimed in await worker.claim_runs("w", ClaimRequest(9, 0)):
            report = TaskReport(claimed.epoch, journal)
            await worker.report_task("w", claimed.run.id, report)
            if end is not None:
                await worker.end_task("w", claimed.run.id, end)

    engine.run(all_of_it())


def test_tasks_are_listed_with_how_their_runs_stand(engine: ServedEngine) -> None:
    submit(engine, "--input", '{"day": 1}')
    done = do(engine, "task", "list")
    header, line = done.out.splitlines()
    assert header.split()[:4] == ["TASK", "WORKSPACE", "WORKER", "WORKERS"]
    assert line.split()[:7] == ["report.build", "w", "jobs", "1", "1", "0", "0"]
    assert do(engine, "task", "list", "--json").json[0]["spec"]["name"] == "report.build"


def test_the_same_task_with_the_same_input_is_the_same_run(engine: ServedEngine) -> None:
    first = submit(engine, "--input", '{"a": 1, "b": 2}')
    again = do(engine, "task", "submit", "report.build", "-d", "--input", '{"b": 2, "a": 1}')
    assert again.out.strip() == first
    assert "goes on already" in again.err
    assert submit(engine, "--input", '{"a": 1, "b": 2}', "--anew") != first
    work(engine, end=TaskEnd(1, Status.SUCCEEDED, result={"rows": 3}))
    replayed = do(engine, "task", "submit", "report.build", "--input", '{"a": 1, "b": 2}')
    assert replayed.code == 0 and "has settled already" in replayed.err
    assert '"rows": 3' in replayed.out


def test_a_submit_follows_its_run_to_the_end(engine: ServedEngine) -> None:
    outcomes: list[Outcome] = []
    submitter = threading.Thread(
        target=lambda: outcomes.append(
            do(engine, "task", "submit", "report.build", "--input", "-", stdin="[1]")
        )
    )
    submitter.start()
    engine.wait_for_call("run_events")
    work(engine, end=TaskEnd(1, Status.FAILED, error=RunError("task_error", "no rows")))
    submitter.join(10)
    [done] = outcomes
    assert done.code == 1
    assert "no rows" in done.err
    [call] = engine.fake.called("submit_task")
    assert (call["task"], call["request"].input) == ("report.build", [1])


def test_what_cannot_be_submitted_is_said_and_begins_nothing(engine: ServedEngine) -> None:
    assert do(engine, "task", "submit", "nothing", "-d").code == 3
    bad = do(engine, "task", "submit", "report.build", "--input", "{")
    assert bad.code == 2 and "not JSON" in bad.err
    assert not engine.fake.world.runs


def test_what_a_task_emits_is_told_with_its_name(engine: ServedEngine) -> None:
    run_id = submit(engine)
    work(engine)
    engine.do(lambda fake: fake.emit(run_id, "rows", {"count": 3}))
    engine.do(lambda fake: fake.settle_run(run_id))
    assert 'emit   rows {"count":3}' in do(engine, "run", "follow", run_id).out
    assert 'rows {"count":3}' in do(engine, "run", "show", run_id).out


def test_a_run_of_a_task_shows_its_attempts_and_its_journal(engine: ServedEngine) -> None:
    run_id = submit(engine)
    done = JournalWrite("fetch", StepState.DONE, {"rows": 2})
    work(engine, done, JournalWrite("store", StepState.STARTED))
    shown = do(engine, "run", "show", run_id).out
    assert "Attempts" in shown and "jobs generation 1" in shown
    steps = shown.split("Steps")[1].split("Timeline")[0].splitlines()
    assert [line.split()[:2] for line in steps if line] == [["done", "fetch"], ["started", "store"]]


def test_a_run_that_waits_for_a_person_says_so_and_is_let_go_on_by_that_person(
    engine: ServedEngine,
) -> None:
    run_id = submit(engine, "--for-me")
    engine.do(lambda fake: fake.suspend(run_id))
    listed = do(engine, "runs")
    assert "lets it go on by `run resume`" in listed.out
    resumed = do(engine, "run", "resume", run_id)
    assert resumed.code == 0 and "goes on" in resumed.out
    assert do(engine, "run", "resume", run_id).code == 4


def test_a_schedule_is_made_paused_let_go_on_fired_and_removed(engine: ServedEngine) -> None:
    made = do(engine, "schedule", "put", "nightly", "report.build", "0 2 * * *", "--missed", "once")
    assert made.code == 0 and "fires next at" in made.out
    [call] = engine.fake.called("put_schedule")
    assert (call["spec"].cron, call["spec"].missed) == ("0 2 * * *", "once")
    assert "is paused" in do(engine, "schedule", "pause", "nightly").out
    assert "paused" in do(engine, "schedule", "list").out
    assert "fires next" in do(engine, "schedule", "resume", "nightly").out
    fired = do(engine, "schedule", "fire", "nightly")
    assert fired.out.strip() in engine.fake.world.runs
    assert do(engine, "schedule", "remove", "nightly").code == 0
    assert "no schedule" in do(engine, "schedule", "list").err


def test_a_bad_schedule_changes_nothing(engine: ServedEngine) -> None:
    for argv in (
        ("nightly", "report.build", "whenever"),
        ("nightly", "report.build", "0 2 * * *", "--missed", "some"),
        ("nightly", "report.build", "0 2 * * *", "--input", "nope"),
    ):
        assert do(engine, "schedule", "put", *argv).code == 2
    assert do(engine, "schedule", "put", "nightly", "nothing", "0 2 * * *").code == 3
    assert do(engine, "schedule", "fire", "nightly").code == 3
    assert not engine.fake.world.schedules


def test_a_schedule_of_a_worker_is_not_removed_and_a_disabled_one_says_why(
    engine: ServedEngine,
) -> None:
    spec = ScheduleSpec("nightly", "report.build", "0 2 * * *")
    why = RunError("schedule_failing", "it failed five times in a row")
    view = ScheduleView("w", spec, bundle="jobs", failures=5, disabled=why)
    engine.do(lambda fake: fake.put_schedule_view(view))
    assert "disabled: it failed five times" in do(engine, "schedule", "list").out
    refused = do(engine, "schedule", "remove", "nightly")
    assert refused.code == 4 and "pause it instead" in refused.err
