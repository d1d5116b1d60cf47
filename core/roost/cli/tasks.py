"""``roost task list`` and ``submit``: durable tasks and their runs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from roost.cli.arguments import Arguments, Option, usage_error
from roost.cli.exit_codes import OK
from roost.cli.followed_run import follow, print_begun
from roost.cli.references import find_workspace, workspace_path
from roost.cli.session import Session
from roost.cli.table import Cell
from roost.cli.verb import Verb
from roost.client.json_text import parse
from roost.client.wire import quote
from roost.models.codec import to_json

_STATES = {
    "attached": "it goes on already: the same task with the same input",
    "replayed": "it has settled already: the same task with the same input; --anew runs it again",
}
"""What a submit says that has begun nothing."""


def _list(session: Session, given: Arguments) -> int:
    answer = session.reader().get_raw("/v1/tasks", workspace=session.workspace)
    if session.is_json:
        session.terminal.json_text(answer)
        return OK
    tasks = parse(answer)
    if not tasks:
        session.terminal.note(
            "no worker offers a task; `roost add --worker MODULE` installs a worker"
        )
        return OK
    header = (
        "TASK",
        "WORKSPACE",
        "WORKER",
        "WORKERS",
        "WAITING",
        "RUNNING",
        "SUSPENDED",
        "RECOVERY",
        "WHAT",
    )
    right = ("WORKERS", "WAITING", "RUNNING", "SUSPENDED")
    session.terminal.table(header, [_cells(task) for task in tasks], right)
    return OK


def _cells(task: Mapping[str, Any]) -> tuple[Cell, ...]:
    spec = task["spec"]
    return (
        Cell(spec["name"], "head"),
        Cell(task["workspace"]),
        Cell(task["bundle"]),
        Cell(task["workers"], "" if task["workers"] else "bad"),
        Cell(task["waiting"], "busy" if task["waiting"] else "dim"),
        Cell(task["running"]),
        Cell(task["suspended"], "ask" if task["suspended"] else "dim"),
        Cell(spec["recovery"]),
        Cell(spec["description"]),
    )


def _submit(session: Session, given: Arguments) -> int:
    session.check_may_act()
    body = to_json(_request(given))
    wire = session.actor()
    workspace = find_workspace(session, wire)
    path = f"{workspace_path(workspace)}/tasks/{quote(given.operands[0])}/runs"
    if given.has("detach"):
        outcome = wire.send("POST", path, body)
        _tell(session, outcome)
        return print_begun(session, outcome["run"])

    def run_of(outcome: Mapping[str, Any]) -> Mapping[str, Any]:
        _tell(session, outcome)
        run: Mapping[str, Any] = outcome["run"]
        return run

    return follow(session, wire, wire.begin_and_follow(path, body), run_of)


def _request(given: Arguments) -> dict[str, Any]:
    return {
        "input": read_input(given.one("input")),
        "scope": given.one("scope"),
        "idempotency_key": given.one("key"),
        "on_behalf": given.has("for-me"),
        "anew": given.has("anew"),
    }


def read_input(text: str | None) -> Any:
    """Read what ``--input`` gives; a dash stands for stdin.

    Raises:
        BadInput: it is not JSON.
    """
    if text is None:
        return None
    try:
        return json.loads(sys.stdin.read() if text == "-" else text)
    except ValueError as error:
        raise usage_error(f"--input is not JSON: {error}") from error


def _tell(session: Session, outcome: Mapping[str, Any]) -> None:
    run = outcome["run"]
    if said := _STATES.get(outcome["state"]):
        session.terminal.note(f"run {run['id']}: {said}")
    if outcome["warning"]:
        session.terminal.note(f"roost: {outcome['warning']}")


VERBS = (
    Verb(
        "task list",
        _list,
        details="WORKERS tells how many processes take its runs now. --json prints a list of "
        "TaskView.",
    ),
    Verb(
        "task submit",
        _submit,
        "TASK",
        (
            Option("--input", "JSON", "what the task is given; - reads it from stdin"),
            Option("--scope", "SCOPE", "the thread or job it belongs to: one active run each"),
            Option("--key", "KEY", "idempotency key; else one is made of the task and its input"),
            Option("--anew", "", "a run of its own, although one with the same input exists"),
            Option("--for-me", "", "it acts for you: after a crash only you let it go on"),
            Option("-d --detach", "", "print the run's id and do not wait"),
        ),
        details="The same task with the same input is the same run: one that goes on is followed, "
        "one that has\nsettled is shown. Events go to stderr, the result to stdout. Ctrl-C asks "
        "the run to stop. --json\nprints the RunDetail, or with --detach the RunView.",
    ),
)
