"""Verbs that change something: start, stop, respawn, remove, workspaces, down."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.command_line import roost
from tests.support.fake_engine import FakeEngine, sample_engine
from tests.support.served_engine import ServedEngine, served
from tests.support.socket_dir import socket_dir

from roost.cli.terminal import Terminal
from roost.models import ActionResult, RespawnResult, StartStep
from roost.models.codec import from_json


@pytest.fixture
def engine() -> Iterator[ServedEngine]:
    with served(sample_engine()) as engine:
        yield engine


def test_a_start_that_succeeds_says_so_on_stdout(engine: ServedEngine) -> None:
    done = roost(engine.data_dir, "start", "weather")
    assert (done.code, done.out, done.err) == (0, "weather runs as generation 1\n", "")


def test_a_start_that_fails_exits_1_and_says_why_on_stderr(engine: ServedEngine) -> None:
    engine.do(lambda fake: fake.fail_next_start(StartStep.HANDSHAKE, "it did not answer"))
    done = roost(engine.data_dir, "start", "weather")
    assert (done.code, done.out) == (1, "")
    assert "it did not answer" in done.err


@pytest.mark.parametrize("verb", ["stop", "respawn"])
def test_a_protected_bundle_is_left_alone_without_a_reason(engine: ServedEngine, verb: str) -> None:
    done = roost(engine.data_dir, verb, "db-query")
    assert done.code == 4
    assert "reason" in done.err
    forced = roost(engine.data_dir, verb, "db-query", "--force", "rotating, see 42")
    assert forced.code == 0
    assert engine.fake.called(verb)[-1]["reason"] == "rotating, see 42"


def test_results_are_json_whether_they_are_ok_or_not(engine: ServedEngine) -> None:
    missing = roost(engine.data_dir, "respawn", "acme/nope", "--json")
    assert missing.code == 3
    assert from_json(missing.out, RespawnResult).code == "bundle_not_found"
    stopped = roost(engine.data_dir, "stop", "filesystem", "--json")
    assert stopped.code == 0
    assert from_json(stopped.out, ActionResult).ok


def test_removal_without_a_terminal_needs_yes(engine: ServedEngine) -> None:
    refused = roost(engine.data_dir, "remove", "planner")
    assert refused.code == 2
    assert "--yes" in refused.err
    assert engine.fake.called("remove") == []
    done = roost(engine.data_dir, "remove", "planner", "--yes", "--delete-data")
    assert done.code == 0
    assert engine.fake.called("remove") == [
        {"workspace": "lab", "name": "planner", "delete_data": True, "reason": None}
    ]


@pytest.mark.parametrize(("typed", "code"), [("filesystem\n", 0), ("y\n", 4), ("\n", 4), ("", 4)])
def test_removal_on_a_terminal_wants_the_name_typed(
    engine: ServedEngine, monkeypatch: pytest.MonkeyPatch, typed: str, code: int
) -> None:
    monkeypatch.setattr(Terminal, "can_ask", True)
    done = roost(engine.data_dir, "remove", "filesystem", stdin=typed)
    assert done.code == code
    assert "removing acme/filesystem: cuts 1 run; its logs and runs stay" in done.err
    assert len(engine.fake.called("remove")) == (1 if code == 0 else 0)


def test_a_workspace_is_created_with_a_label(engine: ServedEngine) -> None:
    done = roost(engine.data_dir, "workspace", "create", "new", "--label", "Brand new")
    assert done.code == 0
    assert engine.fake.called("create_workspace") == [{"workspace": "new", "label": "Brand new"}]
    again = roost(engine.data_dir, "workspace", "create", "new")
    assert again.code == 4
    assert roost(engine.data_dir, "workspace", "create", "Not Valid").code == 2


def test_a_run_is_stopped_and_a_settled_one_left_as_it_is(engine: ServedEngine) -> None:
    done = roost(engine.data_dir, "run", "stop", "r-8f3")
    assert (done.code, done.out) == (0, "r-8f3 was stopped\n")
    settled = roost(engine.data_dir, "run", "stop", "r-8f3", "--json")
    assert settled.code == 0
    assert settled.json["stopped"] is False


def test_down_without_a_daemon_is_no_failure() -> None:
    with socket_dir() as data_dir:
        done = roost(data_dir, "down", "--json")
    assert done.code == 0
    assert from_json(done.out, ActionResult).ok


def test_a_daemon_that_does_not_end_in_time_is_a_failure() -> None:
    with served(FakeEngine()) as engine:
        done = roost(engine.data_dir, "down", "--timeout", "1")
        assert engine.fake.called("shutdown") == [{}]
    assert done.code == 1
    assert "still stopping" in done.err


def test_serve_becomes_the_daemon_of_the_data_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    executed: list[list[str]] = []
    monkeypatch.setattr("os.execv", lambda path, argv: executed.append(argv))
    roost("/some/where", "serve")
    [command] = executed
    assert command[1:] == ["-m", "roost.daemon", "--data-dir", "/some/where", "--foreground"]
