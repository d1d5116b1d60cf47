"""``roost exec``: run a command as a run and follow it, as if it ran in this terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from roost.cli.arguments import Arguments, Option, usage_error
from roost.cli.exit_codes import ACTION_FAILED, INTERRUPTED
from roost.cli.followed_run import print_begun
from roost.cli.references import find_workspace, run_path, workspace_path
from roost.cli.run_outcome import outcome_code, outcome_sentence
from roost.cli.session import Session
from roost.cli.setting_options import read_time
from roost.cli.table import clean
from roost.cli.terminal import checked_text
from roost.cli.verb import Verb
from roost.client.json_text import parse
from roost.client.sse import ServerEvent
from roost.client.wire import Wire
from roost.errors import DaemonUnreachable, ShuttingDown
from roost.models import ExecRequest
from roost.models.codec import to_json

_STDERR, _NOTE = 2, 0
"""What `current` of an output event says; everything else is stdout."""

_SIGNALLED = 128
"""Added to the number of a signal, as shells do."""


def _exec(session: Session, given: Arguments) -> int:
    request = _request(session, given)
    wire = session.actor()
    workspace = find_workspace(session, wire)
    path, body = f"{workspace_path(workspace)}/exec", to_json(request)
    if given.has("detach"):
        return print_begun(session, wire.send("POST", path, body))
    events = wire.begin_and_follow(path, body)
    first = next(events, None)
    if first is None:
        raise ShuttingDown
    return _Following(session, wire, parse(first.data.encode()), events).to_the_end()


def _request(session: Session, given: Arguments) -> ExecRequest:
    if not given.rest:
        raise usage_error("`roost exec` needs a command behind `--`, such as `roost exec -- make`")
    limit = given.one("time-limit")
    directory = given.one("directory")
    return ExecRequest(
        command=tuple(checked_text(part, "an argument of the command") for part in given.rest),
        env=_variables(session, given),
        directory=None if directory is None else os.path.abspath(directory),
        title=given.one("title"),
        scope=given.one("scope"),
        idempotency_key=given.one("key"),
        time_limit_s=None if limit is None else read_time("time-limit", limit),
        stop_when_unwatched=given.has("stop-when-unwatched"),
    )


def _variables(session: Session, given: Arguments) -> dict[str, str]:
    """Collect values without one ever standing in an argument, where everyone can read it."""
    values: dict[str, str] = {}
    piped = given.every("env-stdin")
    for name in (*given.every("env"), *piped):
        if "=" in name:
            raise usage_error("--env takes a name only: arguments are visible to every user")
    for name in given.every("env"):
        if name not in session.environ:
            raise usage_error(f"--env {name}: there is no variable of this name here; set it")
        values[name] = checked_text(session.environ[name], f"the value of {name}")
    for name in piped:
        values[name] = session.terminal.secret(name, takes_all=len(piped) == 1)
    return values


class _Following:
    """One command that is followed until it has settled or is left to itself."""

    def __init__(
        self, session: Session, wire: Wire, run: Mapping[str, Any], events: Iterator[ServerEvent]
    ) -> None:
        self._session = session
        self._wire = wire
        self._events: Iterator[ServerEvent] | None = events
        self._id = run["id"]
        self._workspace = run["workspace"]
        self._seen = 0
        self._is_interrupted = False

    def to_the_end(self) -> int:
        """Follow the command; the first ctrl-C stops it, the second leaves it."""
        while True:
            try:
                if self._is_interrupted:
                    self._stop()
                self._show_output()
                return self._finish()
            except KeyboardInterrupt:
                if self._is_interrupted:
                    self._note(f"run {self._id} may go on; `roost run show {self._id}` tells")
                    raise
                self._is_interrupted = True
            except DaemonUnreachable:
                self._note(f"run {self._id} may go on; `roost run follow {self._id}` shows it")
                raise
            except BrokenPipeError:
                self._note(f"run {self._id} goes on; `roost run stop {self._id}` stops it")
                raise

    def _show_output(self) -> None:
        for sent in self._unseen():
            event = parse(sent.data.encode())
            if event["kind"] == "output":
                self._print(event)
            elif event["kind"] == "reload":
                self._note("roost: some output before this is not kept any more")
            self._seen = event["seq"]

    def _unseen(self) -> Iterator[ServerEvent]:
        """Return the stream that began the run, and another one once that was left."""
        events, self._events = self._events, None
        if events is not None:
            return events
        path = run_path(self._workspace, self._id, "events")
        return self._wire.follow(path, after=self._seen)

    def _print(self, event: Mapping[str, Any]) -> None:
        if event["current"] == _NOTE:
            self._note(f"roost: {event['message']}")
            return
        is_apart = self._session.is_json or event["current"] == _STDERR
        target = sys.stderr if is_apart else sys.stdout
        text = _harmless(event["message"]) if target.isatty() else event["message"]
        target.write(text if event["total"] == 0 else f"{text}\n")
        target.flush()

    def _stop(self) -> None:
        self._note(f"stopping run {self._id}; ctrl-C again leaves it to itself")
        outcome = self._wire.send("POST", run_path(self._workspace, self._id, "stop"))
        self._note(outcome["sentence"])

    def _note(self, text: str) -> None:
        self._session.terminal.note(text)

    def _finish(self) -> int:
        detail = self._wire.get(run_path(self._workspace, self._id))
        if self._session.is_json:
            self._session.terminal.json(detail)
        run = detail["run"]
        error = run["error"]
        if run["status"] != "succeeded" and not (error and error["code"] == "exit"):
            self._note(f"roost: {outcome_sentence(run)}")
        return INTERRUPTED if self._is_interrupted else exit_code(detail)


def exit_code(detail: Mapping[str, Any]) -> int:
    """Return the exit code of a followed command: its own, where it has one."""
    run, result = detail["run"], detail["result"]
    if run["status"] not in ("failed", "aborted") or not isinstance(result, dict):
        return outcome_code(run)
    if result.get("signal"):
        return _SIGNALLED + int(result["signal"])
    return int(result.get("exit_code") or ACTION_FAILED)


def _harmless(text: str) -> str:
    """Return output without what a terminal would interpret, but for a line that starts over."""
    returns = "\r" if text.startswith("\r") else ""
    lines = text[len(returns) :].replace("\t", "    ").split("\n")
    return returns + "\n".join(line if line.isprintable() else clean(line) for line in lines)


VERBS = (
    Verb(
        "exec",
        _exec,
        "",
        (
            Option("--directory", "DIR", "where it runs, instead of the workspace's own directory"),
            Option("--env", "NAME", "pass this variable, with its value in your environment"),
            Option("--env-stdin", "NAME", "pass this variable, with a value typed or piped in"),
            Option("--time-limit", "TIME", "stop it after this long, such as 30, 500ms or 2m"),
            Option("--title", "TITLE", "what it is called in lists, instead of the command"),
            Option("--scope", "SCOPE", "the thread or job it belongs to: one active run each"),
            Option("--key", "KEY", "idempotency key: the same command again gives the same run"),
            Option("--stop-when-unwatched", "", "stop it once its last viewer has left"),
            Option("-d --detach", "", "print the run's id and do not wait"),
        ),
        rest="-- COMMAND ...",
        details="The command runs without input, sees the allow-listed part of the daemon's "
        "environment and\nthe variables given, and goes on without this terminal. Its output and "
        "exit code come through;\n128+N says that signal N ended it. Ctrl-C stops the run, a "
        "second one leaves it to itself.\nValues of variables are taken out of the output and "
        "never kept. --json prints the RunDetail on\nstdout and the output on stderr; with "
        "--detach the RunView.",
    ),
)
