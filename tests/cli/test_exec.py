"""``roost exec``: a command as a run, followed as if it ran in the terminal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.support.command_line import Outcome, roost
from tests.support.fake_engine import FakeEngine
from tests.support.served_engine import ServedEngine, served

from roost.cli.exec_ import exit_code
from roost.models import ExecRequest, RunDetail, RunError, RunEventKind, RunKind, RunStatus, RunView
from roost.models.codec import from_json


@pytest.fixture
def engine() -> Iterator[ServedEngine]:
    with served(FakeEngine(workspaces=("w",))) as engine:
        yield engine


def say(
    fake: FakeEngine, message: str, stream: int | None = None, total: int | None = None
) -> None:
    run = newest(fake)
    fake.world.add_run_event(run, RunEventKind.OUTPUT, message, stream, total)


def newest(fake: FakeEngine) -> Any:
    return list(fake.world.runs.values())[-1]


def end(fake: FakeEngine, status: RunStatus, code: str, **result: Any) -> None:
    error = RunError(code, "it is over") if code else None
    fake.settle_run(newest(fake).view.id, status, result=result or None, error=error)


def followed(engine: ServedEngine, *argv: str, status: RunStatus, code: str, **result: Any) -> Any:
    """Run ``roost exec``, let the command say something, and end it."""

    def work(fake: FakeEngine) -> None:
        say(fake, "one")
        say(fake, "two\nthree")
        say(fake, "wrong", 2)
        say(fake, "pass", 1, 0)
        say(fake, "word")
        say(fake, "5 lines of output were not stored", 0)
        end(fake, status, code, **result)

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(roost, engine.data_dir, "exec", *argv, "--", "make", "all")
        engine.wait_for_call("run_events")
        engine.do(work)
        return running.result(20)


def request_of(engine: ServedEngine) -> ExecRequest:
    [call] = engine.fake.called("exec_command")
    request = call["request"]
    assert isinstance(request, ExecRequest)
    return request


def test_each_stream_of_the_command_is_the_stream_of_the_terminal(engine: ServedEngine) -> None:
    done: Outcome = followed(engine, status=RunStatus.SUCCEEDED, code="", exit_code=0)
    assert done.code == 0
    assert done.out == "one\ntwo\nthree\npassword\n"
    assert done.err == "wrong\nroost: 5 lines of output were not stored\n"


def test_its_exit_code_comes_through_without_further_words(engine: ServedEngine) -> None:
    done = followed(engine, status=RunStatus.FAILED, code="exit", exit_code=7, signal=None)
    assert done.code == 7
    assert "it is over" not in done.err


def test_an_end_that_was_not_its_own_is_told(engine: ServedEngine) -> None:
    done = followed(engine, status=RunStatus.FAILED, code="timed_out", exit_code=None, signal=15)
    assert done.code == 143
    assert "it is over" in done.err


def test_json_is_the_run_alone_and_the_output_goes_to_stderr(engine: ServedEngine) -> None:
    done = followed(engine, "--json", status=RunStatus.SUCCEEDED, code="", exit_code=0)
    detail = from_json(done.out, RunDetail)
    assert (detail.run.kind, detail.run.status) == (RunKind.COMMAND, RunStatus.SUCCEEDED)
    assert done.err.startswith("one\ntwo\nthree\n")


@pytest.mark.parametrize(
    ("status", "result", "code"),
    [
        ("succeeded", {"exit_code": 0}, 0),
        ("failed", {"exit_code": 3, "signal": None}, 3),
        ("failed", {"exit_code": None, "signal": 9}, 137),
        ("aborted", {"exit_code": 0, "signal": None}, 1),
        ("failed", None, 1),
        ("running", None, 5),
    ],
)
def test_the_exit_code_is_the_commands_own_where_it_has_one(
    status: str, result: Any, code: int
) -> None:
    assert exit_code({"run": {"status": status}, "result": result}) == code


def test_detach_prints_the_id_and_does_not_wait(engine: ServedEngine) -> None:
    done = roost(engine.data_dir, "exec", "--detach", "--", "make")
    assert done.code == 0
    assert done.out.strip() == engine.do(lambda fake: newest(fake).view.id)
    again = roost(engine.data_dir, "exec", "-d", "--json", "--", "make")
    assert from_json(again.out, RunView).kind is RunKind.COMMAND


def test_what_was_given_is_what_is_asked_for(engine: ServedEngine, tmp_path: Path) -> None:
    options = ["--title", "t", "--scope", "s", "--key", "k", "--time-limit", "2m"]
    roost(
        engine.data_dir,
        *("exec", "-d", "-w", "w", *options, "--stop-when-unwatched", "--env", "TOKEN"),
        *("--env-stdin", "PASSWORD", "--directory", os.path.relpath(tmp_path)),
        *("--", "make", "--json", "-n", "--", "all"),
        environ={"TOKEN": "from here"},
        stdin="typed in\n",
    )
    assert request_of(engine) == ExecRequest(
        command=("make", "--json", "-n", "--", "all"),
        env={"TOKEN": "from here", "PASSWORD": "typed in"},
        directory=str(tmp_path),
        title="t",
        scope="s",
        idempotency_key="k",
        time_limit_s=120.0,
        stop_when_unwatched=True,
    )


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        ([], "needs a command behind `--`"),
        (["--"], "needs a command behind `--`"),
        (["make"], "takes no operands"),
        (["--env", "TOKEN=hunter2", "--", "make"], "a name only"),
        (["--env", "ABSENT", "--", "make"], "there is no variable of this name"),
        (["--time-limit", "soon", "--", "make"], "length of time"),
        (["--", "no-such-program"], "no-such-program"),
    ],
)
def test_what_cannot_be_begun_is_refused_with_a_sentence(
    engine: ServedEngine, argv: list[str], sentence: str
) -> None:
    done = roost(engine.data_dir, "exec", *argv)
    assert done.code == 2
    assert sentence in done.err
    assert "hunter2" not in done.err
    assert engine.do(lambda fake: len(fake.world.runs)) == 0


def test_a_read_only_caller_begins_nothing(engine: ServedEngine) -> None:
    done = roost(engine.data_dir, "--read-only", "exec", "--", "make")
    assert done.code == 4
    assert engine.fake.called("exec_command") == []
