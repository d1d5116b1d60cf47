"""From arguments to a verb: help, the screen, refusals, and the last line of defence."""

from __future__ import annotations

import io
import json
import os
import re
import stat
import sys
from importlib import import_module
from pathlib import Path

import pytest
from tests.support.command_line import Outcome, roost
from tests.support.fake_engine import sample_engine
from tests.support.served_engine import served
from tests.support.socket_dir import socket_dir

from roost import __version__
from roost.cli import main
from roost.cli.exit_codes import EXIT_CODES, code_for_error, code_for_result
from roost.cli.index import VERBS
from roost.cli.session import Session
from roost.cli.verb import Verb
from roost.contract import ACTIONS, Action, Risk
from roost.errors import DaemonUnreachable, error_classes, error_from_wire

ARGUMENTS = {
    "logs": ["git"],
    "show": ["git"],
    "why": ["filesystem"],
    "add": ["-w", "lab", "--", "true"],
    "import": ["-w", "lab", "--all", "--yes"],
    "versions": ["filesystem"],
    "upgrade": ["filesystem", "--yes", "--", "true"],
    "rollback": ["filesystem"],
    "pin": ["filesystem"],
    "set": ["git", "--drain", "20"],
    "remove": ["git", "--yes"],
    "start": ["git"],
    "stop": ["git"],
    "respawn": ["git"],
    "credentials": ["search", "--clear", "region"],
    "tools": ["filesystem"],
    "call": ["filesystem", "search_files"],
    "exec": ["-w", "acme", "--", "true"],
    "run show": ["r-8f2"],
    "run follow": ["r-8f2"],
    "run stop": ["r-8f2"],
    "run retry": ["r-8f2"],
    "run replace": ["chat-42", "-w", "acme"],
    "run resume": ["r-8f2"],
    "task submit": ["report.build", "-w", "acme", "-d"],
    "schedule put": ["hourly", "report.build", "0 * * * *", "-w", "acme"],
    "schedule pause": ["nightly", "-w", "acme"],
    "schedule resume": ["nightly", "-w", "acme"],
    "schedule fire": ["nightly", "-w", "acme"],
    "schedule remove": ["nightly", "-w", "acme"],
    "snapshot show": ["filesystem"],
    "snapshot build": ["db-query"],
    "snapshot verify": ["db-query"],
    "snapshot remove": ["db-query"],
    "snapshot policy": ["db-query", "off"],
    "workspace create": ["new"],
}
"""Arguments with which each verb does something in the sample."""

WITHOUT_A_DAEMON = {"down": {0}, "doctor": {0, 1}}
"""Verbs that have something to say when there is none, and their exit codes: the doctor's depends
on the machine."""


class _Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def _verbs() -> list[Verb]:
    modules = {module for module, _ in VERBS.values() if module}
    return [verb for module in modules for verb in import_module(f"roost.cli.{module}").VERBS]


def test_every_action_has_its_verb_and_every_verb_its_line_in_the_index() -> None:
    assert {action.verb for action in ACTIONS.values()} <= set(VERBS)
    assert {verb.words for verb in _verbs()} == set(VERBS) - {"demo"}


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
def test_read_only_refuses_exactly_the_actions_that_change_something(action: Action) -> None:
    with served(sample_engine()) as engine:
        argv = ["--read-only", "--json", *action.verb.split(), *ARGUMENTS.get(action.verb, [])]
        done = roost(engine.data_dir, *argv)
    if action.risk is Risk.READS:
        assert done.code == 0, done.err
    else:
        assert (done.code, done.json["error"]["code"]) == (4, "refused")
        writes = {call.method for call in engine.fake.calls} - {"bundles", "workspaces"}
        assert writes == set()


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
def test_only_verbs_that_change_something_start_a_daemon(
    action: Action, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []

    def ensure_daemon(data_dir: str) -> str:
        started.append(data_dir)
        raise DaemonUnreachable("not here")

    monkeypatch.setattr("roost.client.discovery.ensure_daemon", ensure_daemon)
    with socket_dir() as data_dir:
        done = roost(data_dir, *action.verb.split(), *ARGUMENTS.get(action.verb, []))
    acts = action.risk is not Risk.READS and action.verb not in WITHOUT_A_DAEMON
    assert bool(started) is acts
    assert done.code in WITHOUT_A_DAEMON.get(action.verb, {5})


@pytest.mark.parametrize("words", VERBS)
def test_every_verb_explains_itself_without_a_daemon(words: str) -> None:
    if words == "demo":
        return
    done = roost("/nonexistent", *words.split(), "--help")
    assert done.code == 0
    assert done.out.startswith(f"roost {words}")
    assert VERBS[words][1] in done.out


def test_the_help_lists_every_verb_and_every_exit_code() -> None:
    done = roost("/nonexistent", "--help")
    assert done.code == 0
    for words in VERBS:
        assert re.search(rf"^  {words} ", done.out, re.MULTILINE)
    for code, meaning in EXIT_CODES.items():
        assert re.search(rf"^  {code} +{re.escape(meaning)}$", done.out, re.MULTILINE)


def test_the_version_is_the_packages() -> None:
    assert roost("/nonexistent", "--version").out == f"roost {__version__}\n"


@pytest.mark.parametrize(
    ("argv", "advice"),
    [
        (["log"], "did you mean `roost logs`"),
        (["frobnicate"], "`roost --help` lists them"),
        (["run"], "needs one of show, follow, stop"),
        (["run", "away"], "needs one of show, follow, stop"),
    ],
)
def test_an_unknown_verb_is_answered_with_advice(argv: list[str], advice: str) -> None:
    done = roost("/nonexistent", *argv)
    assert done.code == 2
    assert advice in done.err


def test_without_a_verb_and_without_a_terminal_the_verbs_are_listed() -> None:
    done = roost("/nonexistent")
    assert (done.code, done.out) == (2, "")
    assert "needs a terminal" in done.err


def test_without_a_verb_the_screen_opens_on_what_the_options_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened = []

    def open_screen(data_dir: str, workspace: str | None, is_read_only: bool) -> int:
        opened.append((data_dir, workspace, is_read_only))
        return 7

    monkeypatch.setattr(sys, "stdin", _Terminal())
    monkeypatch.setattr(sys, "stdout", _Terminal())
    argv = ["--data-dir", "/x/../y", "-w", "acme", "--read-only"]
    assert main(argv, environ={}, open_screen=open_screen) == 7
    assert main(["--data-dir=/y"], environ={}, open_screen=open_screen) == 7
    assert opened == [("/y", "acme", True), ("/y", None, False)]


def test_the_demo_gets_its_own_arguments_and_a_way_to_open_the_screen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened = []

    def open_screen(data_dir: str, workspace: str | None, is_read_only: bool) -> int:
        opened.append((data_dir, workspace, is_read_only))
        return 0

    def run(argv: list[str], open_demo: object) -> int:
        assert argv == ["--tour", "--help"]
        assert callable(open_demo)
        return int(open_demo("/demo", None))

    monkeypatch.setattr("roost.demo.cli.run", run)
    assert main(["demo", "--tour", "--help"], environ={}, open_screen=open_screen) == 0
    assert opened == [("/demo", None, False)]


def test_global_options_work_before_and_behind_the_verb() -> None:
    with served(sample_engine()) as engine:
        before = roost(engine.data_dir, "--json", "-w", "lab", "ps")
        behind = roost(engine.data_dir, "ps", "--json", "-w", "lab")
    assert before == behind
    assert {bundle["workspace"] for bundle in before.json} == {"lab"}


@pytest.mark.parametrize("code", sorted(error_classes()))
def test_every_error_has_a_documented_exit_code(code: str) -> None:
    assert code_for_error(error_from_wire(code, "a sentence", {})) in EXIT_CODES


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        ("invalid_request", 2),
        ("bad_fields", 2),
        ("bundle_not_found", 3),
        ("already_exists", 4),
        ("protected", 4),
        ("shutting_down", 5),
        ("daemon_unreachable", 5),
        ("internal", 70),
    ],
)
def test_exit_codes_stay_what_they_are(code: str, exit_code: int) -> None:
    assert code_for_error(error_from_wire(code, "", {})) == exit_code


@pytest.mark.parametrize(
    ("is_ok", "code", "exit_code"),
    [
        (True, "already_running", 0),
        (False, "start_failed", 1),
        (False, "protected", 4),
        (False, "bundle_not_found", 3),
        (False, "internal", 1),
    ],
)
def test_a_result_that_is_not_ok_exits_by_its_code(is_ok: bool, code: str, exit_code: int) -> None:
    assert code_for_result(is_ok, code) == exit_code


def _break_ps(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def reader(self: Session) -> None:
        secret = "hunter2-in-a-local"  # noqa: F841 - must not reach the crash file
        raise error

    monkeypatch.setattr(Session, "reader", reader)


def test_an_unexpected_error_is_a_sentence_and_a_private_file_without_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _break_ps(monkeypatch, TypeError("hunter2-in-the-message"))
    with socket_dir() as data_dir:
        done = roost(data_dir, "ps")
        [path] = Path(data_dir, "crashes").iterdir()
        text = path.read_text()
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert stat.S_IMODE(os.stat(path.parent).st_mode) == 0o700
    assert done.code == 70
    assert done.err.count("\n") == 1
    assert str(path) in done.err
    assert "Traceback" not in done.err
    assert text.startswith("TypeError\n")
    assert "ps.py" in text
    assert "hunter2" not in text + done.err


def test_an_unexpected_error_without_a_place_for_its_file_is_still_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _break_ps(monkeypatch, ZeroDivisionError())
    done = roost("/dev/null/none", "ps", "--json")
    assert done.code == 70
    assert "no crash file" in done.json["error"]["message"]


def test_errors_are_json_on_stdout_when_json_is_asked_for() -> None:
    with socket_dir() as data_dir:
        done = roost(data_dir, "ps", "--json")
    assert (done.code, done.err) == (5, "")
    assert done.json["error"]["code"] == "daemon_unreachable"
    assert "`roost serve` starts one" in done.json["error"]["message"]


def test_a_usage_error_is_json_too() -> None:
    done = roost("/nonexistent", "logs", "--colour", "--json")
    assert (done.code, done.json["error"]["code"]) == (2, "invalid_request")


def test_json_behind_two_dashes_belongs_to_the_command() -> None:
    done = roost("/nonexistent", "add", "--colour", "--", "tool", "--json")
    assert done.out == ""


def test_ctrl_c_ends_a_verb_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    _break_ps(monkeypatch, KeyboardInterrupt())
    assert roost("/nonexistent", "ps") == Outcome(130, "", "")


def test_details_that_json_does_not_know_do_not_hide_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _break_ps(monkeypatch, DaemonUnreachable("gone", where=Path("/x")))
    done = roost("/nonexistent", "ps", "--json")
    assert json.loads(done.out)["error"]["details"] == {"where": "/x"}


@pytest.mark.parametrize("argv", [["--data-dir", "", "down"], ["ps", "-w", ""]])
def test_an_empty_place_is_refused_and_not_taken_for_the_default(argv: list[str]) -> None:
    done = roost("/nowhere", *argv)
    assert done.code == 2 and "is empty" in done.err
