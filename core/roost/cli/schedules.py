"""``roost schedule``: when tasks are submitted by themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from roost.cli.arguments import Arguments, Option, usage_error
from roost.cli.exit_codes import OK
from roost.cli.followed_run import print_begun
from roost.cli.references import find_workspace, workspace_path
from roost.cli.session import Session
from roost.cli.slots import report
from roost.cli.table import Cell
from roost.cli.tasks import read_input
from roost.cli.verb import Verb
from roost.cli.words import NOTHING, countdown, date_time, now_ms
from roost.client.json_text import parse
from roost.client.wire import Wire, quote
from roost.models.codec import to_json

_MISSED = ("skip", "once", "all")


def _list(session: Session, given: Arguments) -> int:
    answer = session.reader().get_raw("/v1/schedules", workspace=session.workspace)
    if session.is_json:
        session.terminal.json_text(answer)
        return OK
    schedules = parse(answer)
    if not schedules:
        session.terminal.note("there is no schedule; `roost schedule put NAME TASK CRON` makes one")
        return OK
    header = ("SCHEDULE", "TASK", "CRON", "ZONE", "NEXT", "LAST", "FROM", "WORKSPACE", "STATE")
    now = now_ms()
    session.terminal.table(header, [_cells(view, now) for view in schedules], ())
    return OK


def _cells(view: Mapping[str, Any], now: int) -> tuple[Cell, ...]:
    spec = view["spec"]
    due = view["next_at"]
    return (
        Cell(spec["name"], "head"),
        Cell(spec["task"]),
        Cell(spec["cron"]),
        Cell(spec["timezone"]),
        Cell(NOTHING if due is None else countdown(due, now)),
        Cell(date_time(view["last_at"]), "dim"),
        Cell(view["bundle"] or "operator"),
        Cell(view["workspace"]),
        _state(view),
    )


def _state(view: Mapping[str, Any]) -> Cell:
    if view["disabled"]:
        return Cell(f"disabled: {view['disabled']['sentence']}", "bad")
    if view["is_paused"]:
        return Cell("paused", "dim")
    return Cell(f"{view['failures']} failed in a row", "busy") if view["failures"] else Cell("")


def _put(session: Session, given: Arguments) -> int:
    session.check_may_act()
    name, task, cron = given.operands
    missed = given.one("missed") or "skip"
    if missed not in _MISSED:
        raise usage_error(f"--missed takes {', '.join(_MISSED)}, not {missed!r}")
    spec = {
        "name": name,
        "task": task,
        "cron": cron,
        "timezone": given.one("timezone") or "UTC",
        "input": read_input(given.one("input")),
        "missed": missed,
    }
    wire = session.actor()
    path = f"{workspace_path(find_workspace(session, wire))}/schedules"
    return _report(session, wire.send("POST", path, to_json(spec)))


def _pause(session: Session, given: Arguments) -> int:
    return _set_paused(session, given, paused=True)


def _resume(session: Session, given: Arguments) -> int:
    return _set_paused(session, given, paused=False)


def _set_paused(session: Session, given: Arguments, *, paused: bool) -> int:
    wire = session.actor()
    path = _path(session, wire, given, "pause")
    return _report(session, wire.send("POST", path, json.dumps({"paused": paused}).encode()))


def _fire(session: Session, given: Arguments) -> int:
    wire = session.actor()
    outcome = wire.send("POST", _path(session, wire, given, "fire"))
    return print_begun(session, outcome["run"])


def _remove(session: Session, given: Arguments) -> int:
    wire = session.actor()
    return report(session, wire.send("DELETE", _path(session, wire, given)))


def _path(session: Session, wire: Wire, given: Arguments, below: str = "") -> str:
    path = f"{workspace_path(find_workspace(session, wire))}/schedules/{quote(given.operands[0])}"
    return f"{path}/{below}" if below else path


def _report(session: Session, view: Mapping[str, Any]) -> int:
    if session.is_json:
        session.terminal.json(view)
        return OK
    name, due = view["spec"]["name"], view["next_at"]
    if due is not None:
        when = f"fires next at {date_time(due)}, in {countdown(due, now_ms())}"
    elif view["is_paused"]:
        when = f"is paused; `roost schedule resume {name}` lets it go on"
    else:
        when = "does not fire: no worker offers its task"
    session.terminal.prose(f"the schedule {name} {when}")
    return OK


_VIEW = "--json prints the ScheduleView."

VERBS = (
    Verb(
        "schedule list",
        _list,
        details="NEXT counts down to the next fire. --json prints a list of ScheduleView.",
    ),
    Verb(
        "schedule put",
        _put,
        "NAME TASK CRON",
        (
            Option("--timezone", "ZONE", "where the times are, such as Europe/Berlin; UTC if not"),
            Option("--input", "JSON", "what the task is given; - reads it from stdin"),
            Option("--missed", "WORD", "fires missed while nothing ran: skip, once or all"),
        ),
        details="CRON has five fields: minute, hour, day of month, month and day of week, as in "
        "'*/5 * * * *'.\nA schedule of this name that an operator made is changed. " + _VIEW,
    ),
    Verb("schedule pause", _pause, "NAME", details=_VIEW),
    Verb(
        "schedule resume",
        _resume,
        "NAME",
        details="One that was disabled after failures fires again too. " + _VIEW,
    ),
    Verb(
        "schedule fire",
        _fire,
        "NAME",
        details="Begins a run of its own now. --json prints the RunView.",
    ),
    Verb(
        "schedule remove",
        _remove,
        "NAME",
        details="One that a worker declares comes back with it; pause it instead. --json prints "
        "the\nActionResult.",
    ),
)
