"""``roost run show``, ``follow``, ``stop``, ``retry`` and ``replace``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from roost.cli.arguments import Arguments, Option, usage_error
from roost.cli.exit_codes import ACTION_FAILED, INTERRUPTED, OK, REFUSED
from roost.cli.followed_run import print_begun
from roost.cli.references import find_run, find_workspace, run_path, workspace_path
from roost.cli.run_outcome import (
    as_json,
    event_line,
    outcome_code,
    outcome_sentence,
    result_text,
)
from roost.cli.run_stops import VERB as STOP
from roost.cli.run_text import attempt_lines, journal_lines, run_facts, timeline
from roost.cli.session import Session
from roost.cli.setting_options import read_time
from roost.cli.verb import Verb
from roost.client.json_text import parse
from roost.client.wire import Wire

CHILDREN_SHOWN = 100
"""Newest child runs that are named; `roost runs --parent` lists all."""

LONGEST_WAIT_S = 600.0
"""The longest wait that the daemon takes on."""

_REPLACED = {
    "ready": OK,
    "idle": OK,
    "other_active": REFUSED,
    "not_settling": ACTION_FAILED,
}
"""Exit code by what replacing found: with 0 the scope is free."""


def _show(session: Session, given: Arguments) -> int:
    wire = session.reader()
    workspace, detail = find_run(session, wire, given.operands[0])
    terminal = session.terminal
    if session.is_json:
        terminal.json(detail)
        return OK
    run = detail["run"]
    limit = CHILDREN_SHOWN
    children = wire.get("/v1/runs", workspace=workspace, parent=run["id"], limit=limit)
    terminal.facts(run_facts(run, children))
    if detail["input"] is not None:
        terminal.heading("Input")
        terminal.raw(as_json(detail["input"]))
    if run["task"]:
        _show_task(session, wire.get(run_path(workspace, run["id"], "task")))
    if detail["events"]:
        terminal.heading("Timeline")
        for line in timeline(run, detail["events"]):
            terminal.line(line)
    if detail["result"] is not None:
        terminal.heading("Result, cut" if detail["is_truncated"] else "Result")
        terminal.raw(result_text(detail["result"]))
    return OK


def _show_task(session: Session, task: Mapping[str, Any]) -> None:
    for heading, lines in (
        ("Attempts", attempt_lines(task["attempts"])),
        ("Steps", journal_lines(task["journal"])),
    ):
        if lines:
            session.terminal.heading(heading)
            for line in lines:
                session.terminal.line(line)


def _follow(session: Session, given: Arguments) -> int:
    wire = session.reader()
    workspace, detail = find_run(session, wire, given.operands[0])
    after = given.whole("after", 0, least=0)
    return follow(session, wire, workspace, detail["run"]["id"], after=after)


def follow(session: Session, wire: Wire, workspace: str, run_id: str, *, after: int = 0) -> int:
    """Print the events of a run until it has settled, and return the exit code of its end."""
    try:
        for event in wire.follow(run_path(workspace, run_id, "events"), after=after):
            _print_event(session, event.data)
    except KeyboardInterrupt:
        session.terminal.note(f"run {run_id} goes on; `roost run stop {run_id}` stops it")
        return INTERRUPTED
    run = wire.get(run_path(workspace, run_id))["run"]
    if not session.is_json:
        session.terminal.prose(outcome_sentence(run))
    return outcome_code(run)


def _print_event(session: Session, data: str) -> None:
    if session.is_json:
        session.terminal.json_text(data.encode())
        return
    session.terminal.line(event_line(parse(data.encode())))
    session.terminal.flush()


def _retry(session: Session, given: Arguments) -> int:
    wire = session.actor()
    workspace, detail = find_run(session, wire, given.operands[0])
    former = detail["run"]["id"]
    run: Mapping[str, Any] = wire.send("POST", run_path(workspace, former, "retry"))
    if given.has("follow"):
        session.terminal.note(f"run {run['id']} does again what {former} did")
        return follow(session, wire, workspace, run["id"])
    return print_begun(session, run)


def _resume(session: Session, given: Arguments) -> int:
    wire = session.actor()
    workspace, detail = find_run(session, wire, given.operands[0])
    run = wire.send("POST", run_path(workspace, detail["run"]["id"], "resume"))
    if session.is_json:
        session.terminal.json(run)
    else:
        session.terminal.prose(f"run {run['id']} goes on as soon as a worker takes it")
    return OK


def _replace(session: Session, given: Arguments) -> int:
    wait_s = read_time("wait", given.one("wait") or "10")
    if wait_s > LONGEST_WAIT_S:
        raise usage_error(f"--wait takes {LONGEST_WAIT_S:g} s at most; nothing was stopped")
    wire = session.actor()
    path = f"{workspace_path(find_workspace(session, wire))}/supersede"
    wish = {"scope": given.operands[0], "expected": given.one("expected"), "wait_s": wait_s}
    outcome = wire.send("POST", path, as_json(wish).encode(), timeout_s=wait_s + 30)
    if session.is_json:
        session.terminal.json(outcome)
    else:
        session.terminal.prose(outcome["sentence"])
    return _REPLACED.get(outcome["state"], ACTION_FAILED)


VERBS = (
    Verb(
        "run show",
        _show,
        "RUN",
        details="The timeline counts from the start of the work. --json prints the RunDetail.",
    ),
    Verb(
        "run follow",
        _follow,
        "RUN",
        (Option("--after", "N", "only events behind this sequence number"),),
        details="Exits 0 when the run succeeded, 1 when it failed or was aborted. Ctrl-C leaves "
        "it running.\n--json prints one RunEvent per line.",
    ),
    STOP,
    Verb(
        "run retry",
        _retry,
        "RUN",
        (Option("-f --follow", "", "follow the new run, and exit as it ends"),),
        details="Begins a new run with the input of a settled tool call or command; 4 when that "
        "cannot be done\nagain. Prints the id of the new run; --json its RunView.",
    ),
    Verb(
        "run resume",
        _resume,
        "RUN",
        details="A run that acts for somebody waits for that person after a crash; for anyone "
        "else it is\nnot there. --json prints the RunView.",
    ),
    Verb(
        "run replace",
        _replace,
        "SCOPE",
        (
            Option("--expected", "RUN", "only stop this run; another active one is left alone"),
            Option("--wait", "TIME", "how long it may take to settle; 10s if not given"),
        ),
        details="Exits 0 when the scope is free, 4 when another run is active, and 1 when the run "
        "has not\nsettled in time. --json prints the SupersedeOutcome.",
    ),
)
