"""``roost runs`` and ``roost run ...``: filters, several stops, retries and replacements."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from tests.support.command_line import Outcome, roost
from tests.support.fake_engine import WAIT, FakeEngine, bundle_view
from tests.support.served_engine import ServedEngine, served

from roost.cli.run_text import run_facts, timeline
from roost.cli.runs import print_runs
from roost.cli.session import Session
from roost.cli.terminal import Terminal
from roost.models import (
    RunKind,
    RunStatus,
    RunView,
    StopOutcome,
    StopPhase,
    SupersedeOutcome,
    SupersedeState,
    ToolView,
)
from roost.models.codec import from_json, to_json


@pytest.fixture
def engine() -> Iterator[ServedEngine]:
    fake = FakeEngine(workspaces=("w",))
    for name in ("app", "other"):
        fake.add_bundle(bundle_view(name, workspace="w"))
        fake.add_tool("w", name, WAIT)
        fake.add_tool("w", name, ToolView("say"), result="hello")
    with served(fake) as engine:
        yield engine


def begin(engine: ServedEngine, tool: str = "wait", bundle: str = "app", *scope: str) -> str:
    """Begin a call and return the id of its run."""
    words = ("--scope", *scope) if scope else ()
    return roost(engine.data_dir, "call", bundle, tool, "-d", *words).out.strip()


def ids(done: Outcome) -> set[str]:
    return {run["id"] for run in done.json}


def status_of(engine: ServedEngine, run_id: str) -> RunStatus:
    return engine.fake.world.runs[run_id].view.status


def stopped(engine: ServedEngine) -> set[str]:
    return {call["run_id"] for call in engine.fake.called("stop_run")}


# Lists


def test_a_filter_is_text_as_on_the_screen_or_options(engine: ServedEngine) -> None:
    active, done = begin(engine), begin(engine, "say")
    argv = ["runs", "--json"]
    for words, expected in (
        (["state:running since:1h"], {active}),
        (["state:run,pend", "kind:tool", "bundle:app"], {active}),
        (["status:succeeded"], {done}),
        (["--status", "succeeded", "--kind", "tool_call"], {done}),
        (["--active", "--since", "2d"], {active}),
        (["kind:command"], set()),
        (["--parent", active], set()),
        (["--scope", "none"], set()),
    ):
        engine.do(_begin_now)
        assert ids(roost(engine.data_dir, *argv, *words)) == expected, words


def _begin_now(fake: FakeEngine) -> None:
    """Move the runs to the time that the command line counts back from."""
    for run in fake.world.runs.values():
        run.view = replace(run.view, created_at=time.time_ns() // 1_000_000)


def test_runs_begun_before_the_span_are_left_out(engine: ServedEngine) -> None:
    run_id = begin(engine)
    engine.do(lambda fake: fake.change_run(run_id, created_at=1))
    assert roost(engine.data_dir, "runs", "--since", "1h", "--json").json == []


@pytest.mark.parametrize(
    "words",
    [
        ["state:asleep"],
        ["since:soon"],
        ["--since", "1y"],
        ["--kind", "job"],
        ["search"],
        ["!state:failed"],
        ["~x"],
        ["tool:say"],
        ["state:failed", "status:running"],
        ["scope:a", "--scope", "b"],
        ["scope:a,b"],
        ["state:"],
    ],
)
def test_a_filter_that_the_daemon_cannot_answer_is_refused(
    engine: ServedEngine, words: list[str]
) -> None:
    assert roost(engine.data_dir, "runs", *words).code == 2
    assert engine.fake.called("runs") == []


def test_what_tells_runs_apart_fits_into_80_columns(
    engine: ServedEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = begin(engine, "wait", "app", "chat-1")
    engine.do(_begin_now)
    terminal = Terminal({})
    terminal.width = 80
    session = Session(
        data_dir="",
        workspace=None,
        is_json=False,
        is_read_only=False,
        environ={},
        terminal=terminal,
    )
    run = json.loads(to_json(engine.fake.world.runs[run_id].view))
    print_runs(session, [run | {"title": "a title that is much longer than what fits"}])
    header, line = capsys.readouterr().out.splitlines()
    assert len(line) <= 80
    assert header.split()[:6] == ["STATUS", "RUN", "TITLE", "TOOK", "BEGAN", "SCOPE"]
    assert {run_id, "running", "chat-1"} <= set(line.split())


# Show


def test_a_run_shows_its_family_its_lease_and_how_far_its_stop_has_come(
    engine: ServedEngine,
) -> None:
    parent, child = begin(engine), begin(engine)
    engine.do(lambda fake: fake.change_run(child, parent=parent))
    engine.do(
        lambda fake: fake.change_run(
            parent,
            kind=RunKind.EXTERNAL,
            link="https://example.org/out",
            lease_until=1,
            stop_requested_at=1,
            stop_requested_by="ann",
            stop_phase=StopPhase.ASKED,
            attempt=2,
        )
    )
    shown = roost(engine.data_dir, "run", "show", parent).out
    facts = dict(line.split(maxsplit=1) for line in shown.splitlines() if "  " in line)
    assert facts["children"] == f"{child} running"
    assert facts["output"] == "https://example.org/out"
    assert facts["lease"].startswith("ran out")
    assert facts["attempt"] == "2"
    assert "asked by ann" in facts["stop"]
    assert "asked by ann" in facts["stop"]
    assert f"parent      {parent}" in roost(engine.data_dir, "run", "show", child).out


def test_the_timeline_counts_from_the_start() -> None:
    run = {"created_at": 0, "started_at": 1000}
    event = {"kind": "step", "current": 1.0, "total": 2.0, "message": "reading"}
    output = {"kind": "output", "current": 1.0, "total": None, "message": "a line"}
    lines = timeline(run, [event | {"at": 1500}, output | {"at": 62_000}])
    assert lines == ["+500ms step   1/2 reading", " +1m01 output a line"]


def test_facts_leave_out_the_lease_of_a_settled_run() -> None:
    view = RunView("r-1", "w", RunKind.EXTERNAL, RunStatus.SUCCEEDED, "work", 1, lease_until=5)
    settled = json.loads(to_json(replace(view, finished_at=2)))
    assert dict(run_facts(settled, []))["lease"] == ""


# Stop


def test_several_runs_are_stopped_at_once(engine: ServedEngine) -> None:
    runs = [begin(engine) for _ in range(3)]
    done = roost(engine.data_dir, "run", "stop", *runs[:2], "--json")
    assert done.code == 0
    outcomes = from_json(done.out, list[StopOutcome])
    assert [outcome.run.id for outcome in outcomes] == runs[:2]
    assert status_of(engine, runs[2]) is RunStatus.RUNNING


def test_one_run_that_is_not_there_stops_none(engine: ServedEngine) -> None:
    run_id = begin(engine)
    assert roost(engine.data_dir, "run", "stop", run_id, "r-nope").code == 3
    assert stopped(engine) == set()


def test_runs_are_stopped_by_what_they_have_in_common(engine: ServedEngine) -> None:
    chat, mine = begin(engine, "wait", "app", "chat"), begin(engine)
    settled, others = begin(engine, "say"), begin(engine, "wait", "other")
    by_scope = roost(engine.data_dir, "run", "stop", "--scope", "chat", "--yes")
    assert (by_scope.code, stopped(engine)) == (0, {chat})
    assert "1 run stopped" in by_scope.err
    roost(engine.data_dir, "run", "stop", "--bundle", "app", "--all", "--yes")
    assert stopped(engine) == {chat, mine}
    roost(engine.data_dir, "run", "stop", "--all", "--yes")
    assert stopped(engine) == {chat, mine, others}
    assert settled not in stopped(engine)


def test_nothing_that_fits_is_no_failure(engine: ServedEngine) -> None:
    done = roost(engine.data_dir, "run", "stop", "--all", "--yes", "--json")
    assert (done.code, done.json) == (0, [])


@pytest.mark.parametrize(
    "argv", [[], ["--yes"], ["--all"], ["--scope", "chat"], ["r-0001", "--all", "--yes"]]
)
def test_a_stop_that_is_not_clear_or_not_confirmed_stops_nothing(
    engine: ServedEngine, argv: list[str]
) -> None:
    begin(engine, "wait", "app", "chat")
    assert roost(engine.data_dir, "run", "stop", *argv).code == 2
    assert stopped(engine) == set()


@pytest.mark.parametrize(("typed", "code"), [("y", 0), ("", 4), ("no", 4)])
def test_a_person_is_shown_the_runs_and_their_count_first(
    engine: ServedEngine, monkeypatch: pytest.MonkeyPatch, typed: str, code: int
) -> None:
    runs = {begin(engine), begin(engine)}
    asked: list[str] = []

    def answer(self: Terminal, question: str) -> str:
        asked.append(question)
        return typed

    monkeypatch.setattr(Terminal, "can_ask", True)
    monkeypatch.setattr(Terminal, "ask", answer)
    done = roost(engine.data_dir, "run", "stop", "--all")
    assert (done.code, asked) == (code, ["stop 2 runs? [y/N]"])
    assert all(run_id in done.out for run_id in runs)
    assert stopped(engine) == (runs if code == 0 else set())


def test_a_run_that_goes_on_after_its_stop_exits_1(engine: ServedEngine) -> None:
    run_id = begin(engine)
    engine.do(
        lambda fake: fake.resist_stop(run_id, StopPhase.IGNORED, respawn="app", would_cut=("r-9",))
    )
    done = roost(engine.data_dir, "run", "stop", run_id, "--json")
    assert done.code == 1
    assert from_json(done.out, StopOutcome).respawn == "app"
    assert "stop ignored: its server went on" in roost(engine.data_dir, "runs").out


# Retry and replace


def test_a_retry_prints_the_new_run(engine: ServedEngine) -> None:
    former = begin(engine, "say")
    done = roost(engine.data_dir, "run", "retry", former)
    assert done.code == 0
    assert done.out.strip() not in ("", former)
    assert engine.fake.called("retry_run") == [{"workspace": "w", "run_id": former}]


def test_a_retry_that_is_followed_exits_as_the_new_run_ends(engine: ServedEngine) -> None:
    former = begin(engine, "say")
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(roost, engine.data_dir, "run", "retry", former, "--follow")
        engine.wait_for_call("run_events")
        engine.do(lambda fake: fake.settle_run(list(fake.world.runs)[-1], RunStatus.FAILED))
        done = following.result(10)
    assert done.code == 1
    assert f"does again what {former} did" in done.err


def test_a_retry_that_is_refused_exits_4_and_an_unknown_run_3(engine: ServedEngine) -> None:
    active = begin(engine)
    assert roost(engine.data_dir, "run", "retry", active).code == 4
    assert roost(engine.data_dir, "run", "retry", "r-nope").code == 3


def test_replacing_makes_room_in_a_scope(engine: ServedEngine) -> None:
    run_id = begin(engine, "wait", "app", "chat")
    done = roost(engine.data_dir, "run", "replace", "chat", "--wait", "500ms", "--json")
    outcome = from_json(done.out, SupersedeOutcome)
    assert (done.code, outcome.state) == (0, SupersedeState.READY)
    [call] = engine.fake.called("supersede")
    assert (call["scope"], call["expected"], call["wait_s"]) == ("chat", None, 0.5)
    assert status_of(engine, run_id) is RunStatus.ABORTED
    assert roost(engine.data_dir, "run", "replace", "chat").code == 0


def test_another_run_than_expected_exits_4_and_names_it(engine: ServedEngine) -> None:
    run_id = begin(engine, "wait", "app", "chat")
    done = roost(engine.data_dir, "run", "replace", "chat", "--expected", "r-old")
    assert done.code == 4
    assert run_id in done.out
    assert status_of(engine, run_id) is RunStatus.RUNNING


def test_a_run_that_does_not_settle_in_time_exits_1(engine: ServedEngine) -> None:
    run_id = begin(engine, "wait", "app", "chat")
    engine.do(lambda fake: fake.resist_stop(run_id, StopPhase.ASKED))
    assert roost(engine.data_dir, "run", "replace", "chat").code == 1


@pytest.mark.parametrize("wait", ["soon", "-1", "601", "1h"])
def test_a_wait_that_is_none_is_refused(engine: ServedEngine, wait: str) -> None:
    assert roost(engine.data_dir, "run", "replace", "chat", f"--wait={wait}").code == 2
    assert engine.fake.called("supersede") == []


@pytest.mark.parametrize(
    "argv", [["run", "stop", "r-1"], ["run", "retry", "r-1"], ["run", "replace", "chat"]]
)
def test_a_read_only_session_acts_on_no_run(engine: ServedEngine, argv: list[str]) -> None:
    assert roost(engine.data_dir, "--read-only", *argv).code == 4
    assert stopped(engine) == set()
