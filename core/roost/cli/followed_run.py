"""A run that a verb has begun: shown until it has settled, or left to itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from roost.cli.exit_codes import INTERRUPTED, OK
from roost.cli.references import run_path
from roost.cli.run_outcome import event_line, outcome_code, outcome_sentence, result_text
from roost.cli.session import Session
from roost.client.json_text import parse
from roost.client.sse import ServerEvent
from roost.client.wire import Wire
from roost.errors import DaemonUnreachable, ShuttingDown


def print_begun(session: Session, run: Mapping[str, Any]) -> int:
    """Print the id of a run that nobody waits for, or as JSON all of it."""
    if session.is_json:
        session.terminal.json(run)
    else:
        session.terminal.prose(run["id"])
        session.terminal.note(f"`roost run follow {run['id']}` shows how it goes")
    return OK


def follow(
    session: Session,
    wire: Wire,
    events: Iterator[ServerEvent],
    run_of: Callable[[Any], Mapping[str, Any]] = lambda first: first,
) -> int:
    """Show a run that the first event begins, until it has settled or is stopped.

    Args:
        session: where it is shown.
        wire: the daemon.
        events: what `Wire.begin_and_follow` yields.
        run_of: reads the run out of the first event.
    """
    first = next(events, None)
    if first is None:
        raise ShuttingDown
    run = run_of(parse(first.data.encode()))
    try:
        for event in events:
            session.terminal.note(event_line(parse(event.data.encode())))
    except KeyboardInterrupt:
        return _stop(session, wire, run)
    except DaemonUnreachable:
        session.terminal.note(f"run {run['id']} may go on; `roost run follow {run['id']}` shows it")
        raise
    return _finish(session, wire, run)


def _finish(session: Session, wire: Wire, run: Mapping[str, Any]) -> int:
    detail = wire.get(run_path(run["workspace"], run["id"]))
    settled = detail["run"]
    if session.is_json:
        session.terminal.json(detail)
    else:
        if detail["result"] is not None:
            session.terminal.raw(result_text(detail["result"]))
        if settled["status"] != "succeeded":
            session.terminal.note(f"roost: {outcome_sentence(settled)}")
    return outcome_code(settled)


def _stop(session: Session, wire: Wire, run: Mapping[str, Any]) -> int:
    session.terminal.note(f"stopping run {run['id']}; ctrl-C again leaves it to itself")
    outcome = wire.send("POST", run_path(run["workspace"], run["id"], "stop"))
    session.terminal.note(outcome["sentence"])
    return INTERRUPTED
