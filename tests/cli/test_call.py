"""``roost call`` and ``roost run follow``: work as runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from tests.support.command_line import Outcome, roost
from tests.support.fake_engine import WAIT, FakeEngine, bundle_view
from tests.support.served_engine import ServedEngine, served

from roost.cli.call import typed_argument
from roost.cli.run_outcome import result_text
from roost.client.sse import ServerEvent
from roost.client.wire import Wire
from roost.errors import BadInput
from roost.models import RunDetail, RunError, RunEvent, RunStatus, RunView, ToolView
from roost.models.codec import from_json

SCHEMA = {
    "properties": {
        "text": {"type": "string"},
        "count": {"type": "integer"},
        "tags": {"type": "array"},
    }
}
HELLO = {"content": [{"type": "text", "text": "hello"}]}


def _engine() -> FakeEngine:
    fake = FakeEngine(workspaces=("w",))
    fake.add_bundle(bundle_view("app", workspace="w"))
    fake.add_tool("w", "app", ToolView("say", input_schema=SCHEMA), result=HELLO)
    fake.add_tool("w", "app", WAIT)
    return fake


@pytest.fixture
def engine() -> Iterator[ServedEngine]:
    with served(_engine()) as engine:
        yield engine


@contextmanager
def _in_background(engine: ServedEngine, *argv: str) -> Iterator[Future[Outcome]]:
    """Run a verb that follows a run, and go on once it follows."""
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(roost, engine.data_dir, *argv)
        engine.wait_for_call("run_events")
        yield running


def test_the_result_goes_to_stdout_and_progress_to_stderr(engine: ServedEngine) -> None:
    done = roost(engine.data_dir, "call", "app", "say")
    assert (done.code, done.out) == (0, "hello\n")
    assert "status running" in done.err


def test_json_is_the_settled_run_with_its_result(engine: ServedEngine) -> None:
    done = roost(engine.data_dir, "call", "app", "say", "--json")
    detail = from_json(done.out, RunDetail)
    assert detail.run.status is RunStatus.SUCCEEDED
    assert detail.result == HELLO


def test_arguments_are_typed_by_the_tools_schema(engine: ServedEngine) -> None:
    argv = ["call", "app", "say", "--args", '{"count": 1, "other": null}']
    pairs = ["-a", "text=42", "-a", "count=7", "-a", 'tags=["x"]', "-a", "free=plain=text"]
    roost(engine.data_dir, *argv, *pairs, "--scope", "chat-1", "--key", "k")
    [call] = engine.fake.called("call_tool")
    request = call["request"]
    assert request.arguments == {
        "text": "42",
        "count": 7,
        "tags": ["x"],
        "other": None,
        "free": "plain=text",
    }
    assert (request.scope, request.idempotency_key) == ("chat-1", "k")


@pytest.mark.parametrize(
    ("text", "schema", "value"),
    [
        ("7", {}, 7),
        ("seven", {}, "seven"),
        ("7", {"type": "string"}, "7"),
        ("true", {"type": "boolean"}, True),
        ("null", {"type": ["string", "null"]}, None),
        ("word", {"type": ["string", "null"]}, "word"),
    ],
)
def test_an_argument_takes_the_type_that_fits(text: str, schema: Any, value: Any) -> None:
    assert typed_argument("key", text, schema) == value


def test_an_argument_of_another_type_is_refused() -> None:
    with pytest.raises(BadInput, match="not a JSON integer"):
        typed_argument("count", "many", {"type": "integer"})


def test_all_arguments_can_be_piped_in(engine: ServedEngine) -> None:
    roost(engine.data_dir, "call", "app", "say", "--args", "-", stdin='{"text": "x"}')
    assert engine.fake.called("call_tool")[0]["request"].arguments == {"text": "x"}


@pytest.mark.parametrize(
    "option", [["--args", "{"], ["--args", "[1]"], ["-a", "text"], ["-a", "count=many"]]
)
def test_arguments_that_cannot_be_read_begin_no_run(
    engine: ServedEngine, option: list[str]
) -> None:
    assert roost(engine.data_dir, "call", "app", "say", *option).code == 2
    assert engine.fake.called("call_tool") == []


def test_a_call_follows_its_run_until_it_has_settled(engine: ServedEngine) -> None:
    with _in_background(engine, "call", "app", "wait") as running:
        engine.do(lambda fake: fake.progress("r-0001", 1, 3, "reading"))
        engine.do(lambda fake: fake.settle_run("r-0001", result={"structuredContent": {"a": 1}}))
        done = running.result(10)
    assert done.code == 0
    assert "step   1/3 reading" in done.err
    assert json.loads(done.out) == {"a": 1}


def test_a_run_that_fails_exits_1_with_its_reason(engine: ServedEngine) -> None:
    error = RunError("tool_error", "the tool said no")
    with _in_background(engine, "call", "app", "wait") as running:
        engine.do(lambda fake: fake.settle_run("r-0001", RunStatus.FAILED, error=error))
        done = running.result(10)
    assert done.code == 1
    assert "run r-0001 failed: the tool said no" in done.err


def test_a_detached_call_prints_its_run_and_leaves(engine: ServedEngine) -> None:
    done = roost(engine.data_dir, "call", "app", "wait", "--detach")
    assert (done.code, done.out) == (0, "r-0001\n")
    with_json = roost(engine.data_dir, "call", "app", "wait", "-d", "--json")
    assert from_json(with_json.out, RunView).status is RunStatus.RUNNING


def test_calls_that_cannot_begin_exit_by_their_error(engine: ServedEngine) -> None:
    assert roost(engine.data_dir, "call", "app", "shout").code == 3
    roost(engine.data_dir, "call", "app", "wait", "-d", "--scope", "s")
    taken = roost(engine.data_dir, "call", "app", "wait", "--scope", "s", "--json")
    assert taken.code == 4
    assert taken.json["error"]["details"] == {"scope": "s", "run": "r-0001"}


def _interrupt_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    def follow(self: Wire, path: str, **query: object) -> Iterator[object]:
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(Wire, "follow", follow)


def test_ctrl_c_asks_the_called_run_to_stop(
    engine: ServedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = Wire.begin_and_follow

    def begin_and_interrupt(self: Wire, path: str, body: bytes) -> Iterator[ServerEvent]:
        yield next(begin(self, path, body))
        raise KeyboardInterrupt

    monkeypatch.setattr(Wire, "begin_and_follow", begin_and_interrupt)
    done = roost(engine.data_dir, "call", "app", "wait")
    assert (done.code, done.out) == (130, "")
    assert "r-0001 was stopped" in done.err
    assert engine.fake.called("stop_run") == [{"workspace": "w", "run_id": "r-0001"}]


def test_ctrl_c_leaves_a_followed_run_alone(
    engine: ServedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    roost(engine.data_dir, "call", "app", "wait", "-d")
    _interrupt_follow(monkeypatch)
    done = roost(engine.data_dir, "run", "follow", "r-0001")
    assert done.code == 130
    assert "goes on" in done.err
    assert engine.fake.called("stop_run") == []


def test_following_prints_each_event_once_and_exits_as_the_run_ended(engine: ServedEngine) -> None:
    roost(engine.data_dir, "call", "app", "wait", "-d")
    with _in_background(engine, "run", "follow", "r-0001", "--json") as running:
        engine.do(lambda fake: fake.output("r-0001", "working"))
        engine.do(lambda fake: fake.settle_run("r-0001", RunStatus.ABORTED))
        done = running.result(10)
    events = [from_json(line, RunEvent) for line in done.out.splitlines()]
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert done.code == 1


def test_following_resumes_behind_a_sequence_number(engine: ServedEngine) -> None:
    roost(engine.data_dir, "call", "app", "say")
    everything = roost(engine.data_dir, "run", "follow", "r-0001").out.splitlines()
    rest = roost(engine.data_dir, "run", "follow", "r-0001", "--after", "1").out.splitlines()
    assert rest == everything[1:]


def test_a_daemon_that_closes_under_a_run_is_unavailability_not_success(
    engine: ServedEngine,
) -> None:
    with _in_background(engine, "call", "app", "wait") as running:
        engine.do(lambda fake: fake.close())
        done = running.result(10)
    assert done.code == 5
    assert "the daemon ended the stream" in done.err


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (HELLO, "hello"),
        ({"content": [], "structuredContent": {"a": 1}}, '{\n  "a": 1\n}'),
        ("plain", "plain"),
        ([1], "[\n  1\n]"),
        (
            {"content": [{"type": "image", "data": "AAAA", "mimeType": "image/png"}]},
            "[image image/png: --json shows it]",
        ),
    ],
)
def test_results_are_shown_for_people(result: Any, text: str) -> None:
    assert result_text(result) == text
