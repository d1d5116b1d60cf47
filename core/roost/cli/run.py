"""``roost run show``, ``run follow`` and ``run stop``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from roost.cli.arguments import Arguments, Option
from roost.cli.exit_codes import ACTION_FAILED, INTERRUPTED, OK
from roost.cli.references import find_run, run_path
from roost.cli.run_outcome import (
    as_json,
    event_line,
    outcome_code,
    outcome_sentence,
    result_text,
)
from roost.cli.runs import progress_text, took
from roost.cli.session import Session
from roost.cli.verb import Verb
from roost.cli.words import date_time, now_ms, status_cell
from roost.client.json_text import parse


def _show(session: Session, given: Arguments) -> int:
    _, detail = find_run(session, session.reader(), given.operands[0])
    terminal = session.terminal
    if session.is_json:
        terminal.json(detail)
        return OK
    terminal.facts(_facts(detail["run"]))
    if detail["input"] is not None:
        terminal.heading("Input")
        terminal.raw(as_json(detail["input"]))
    if detail["events"]:
        terminal.heading("Events")
        for event in detail["events"]:
            terminal.line(event_line(event))
    if detail["result"] is not None:
        terminal.heading("Result, cut" if detail["is_truncated"] else "Result")
        terminal.raw(result_text(detail["result"]))
    return OK


def _follow(session: Session, given: Arguments) -> int:
    wire = session.reader()
    workspace, detail = find_run(session, wire, given.operands[0])
    run_id = detail["run"]["id"]
    after = given.whole("after", 0, least=0)
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


def _stop(session: Session, given: Arguments) -> int:
    wire = session.actor()
    workspace, detail = find_run(session, wire, given.operands[0])
    outcome = wire.send("POST", run_path(workspace, detail["run"]["id"], "stop"))
    if session.is_json:
        session.terminal.json(outcome)
    else:
        session.terminal.prose(outcome["sentence"])
    is_active = outcome["run"]["status"] in ("pending", "running")
    return ACTION_FAILED if is_active else OK


def _facts(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    by = f" by {run['stop_requested_by']}" if run["stop_requested_by"] else ""
    stop_at = run["stop_requested_at"]
    error = run["error"]
    return [
        ("run", f"{run['workspace']}/{run['id']}"),
        ("title", run["title"]),
        ("status", status_cell(run).text),
        ("error", f"{error['sentence']} ({error['code']})" if error else ""),
        ("progress", progress_text(run["progress"]) if run["progress"] else ""),
        ("scope", run["scope"] or ""),
        ("trigger", run["trigger"]),
        ("begun by", run["created_by"]),
        ("for", run["on_behalf_of"] or ""),
        ("created", date_time(run["created_at"])),
        ("took", took(run, now_ms())),
        ("stop asked", f"{date_time(stop_at)}{by}" if stop_at else ""),
        ("generation", str(run["generation"] or "")),
        ("attempt", str(run["attempt"])),
        ("key", run["idempotency_key"] or ""),
    ]


VERBS = (
    Verb("run show", _show, "RUN", details="--json prints the RunDetail."),
    Verb(
        "run follow",
        _follow,
        "RUN",
        (Option("--after", "N", "only events behind this sequence number"),),
        details="Exits 0 when the run succeeded, 1 when it failed or was aborted. Ctrl-C leaves "
        "it running.\n--json prints one RunEvent per line.",
    ),
    Verb(
        "run stop",
        _stop,
        "RUN",
        details="A settled run is left as it is, which is no failure. --json prints the "
        "StopOutcome.",
    ),
)
