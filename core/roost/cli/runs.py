"""``roost runs``: the runs as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from roost.cli.arguments import Arguments, Option
from roost.cli.exit_codes import OK
from roost.cli.run_filters import ACTIVE, CHOICE, chosen_query
from roost.cli.session import Session
from roost.cli.table import Cell, clean, cut
from roost.cli.verb import Verb
from roost.cli.words import (
    NOTHING,
    clock_time,
    countdown,
    date_time,
    latency,
    now_ms,
    spaced,
    status_cell,
)
from roost.client.json_text import parse

DEFAULT_LIMIT = 50

TITLE_WIDTH = 26
"""Columns of a title on a terminal of 80: with it, all that tells runs apart fits."""

NARROW = 100
"""Below so many columns titles are cut, and the time of day stands for the date."""


def _runs(session: Session, given: Arguments) -> int:
    wire = session.reader()
    query = chosen_query(session, wire, given)
    query |= {"limit": given.whole("limit", DEFAULT_LIMIT), "before": given.one("before")}
    answer = wire.get_raw("/v1/runs", **query)
    if session.is_json:
        session.terminal.json_text(answer)
        return OK
    runs = parse(answer)
    if not runs:
        session.terminal.note("no runs match")
        return OK
    print_runs(session, runs)
    return OK


def print_runs(session: Session, runs: Sequence[Mapping[str, Any]]) -> None:
    """Write runs as a table; what tells them apart fits into 80 columns."""
    now = now_ms()
    width = session.terminal.width
    is_narrow = width is not None and width < NARROW
    header = ("STATUS", "RUN", "TITLE", "TOOK", "BEGAN", "SCOPE", "STEPS", "WORKSPACE", "REMARK")
    rows = [_cells(run, now, is_narrow=is_narrow) for run in runs]
    session.terminal.table(header, rows, ("STEPS", "TOOK"))


STOPPING = {
    "asked": "asked to stop",
    "ignored": "stop ignored: its server went on",
    "terminating": "stopping: TERM was sent",
    "killing": "stopping: KILL was sent",
}
"""How far a stop has come, in words."""


def took(run: Mapping[str, Any], now: int) -> str:
    """Return how long a run took, or has taken so far."""
    if run["started_at"] is None:
        return NOTHING
    return latency((run["finished_at"] or now) - run["started_at"])


def remark(run: Mapping[str, Any]) -> str:
    """Return why a run ended badly, or what it is at."""
    if run["error"]:
        return str(run["error"]["sentence"])
    if run["status"] not in ACTIVE:
        return ""
    if run["stop_phase"]:
        return STOPPING.get(run["stop_phase"], spaced(run["stop_phase"]))
    if run["stop_requested_at"]:
        return "asked to stop"
    if run["status"] == "pending" and run["waits"]:
        return waits_text(run)
    return progress_text(run["progress"]) if run["progress"] else ""


def waits_text(run: Mapping[str, Any]) -> str:
    """Return why a run of a task waits, and what lets it go on; empty for one that does not."""
    if run["status"] != "pending" or not run["waits"]:
        return ""
    if run["waits"] == "retry":
        return f"tried again in {countdown(run['available_at'], now_ms())}"
    if run["waits"] == "user":
        return f"waits for {run['on_behalf_of']}, who lets it go on by `run resume`"
    return _WAITS.get(run["waits"], f"waits for {spaced(run['waits'])}")


_WAITS = {
    "worker": "no worker of its task is ready",
    "slot": "every slot of its task is taken",
}


def progress_text(progress: Mapping[str, Any]) -> str:
    """Return ``7/10 scanning src``."""
    total = progress["total"]
    count = f"{progress['current']:g}" + (f"/{total:g}" if total is not None else "")
    return f"{count} {progress['message'] or ''}".rstrip()


def _cells(run: Mapping[str, Any], now: int, *, is_narrow: bool) -> tuple[Cell, ...]:
    title, began = clean(run["title"]), date_time(run["created_at"])
    if is_narrow:
        title = cut(title, TITLE_WIDTH)
        if now - run["created_at"] < _DAY_MS:
            began = clock_time(run["created_at"])
    return (
        status_cell(run),
        Cell(run["id"], "head"),
        Cell(title),
        Cell(took(run, now)),
        Cell(began, "dim"),
        Cell(run["scope"] or NOTHING),
        Cell(run["step_count"]),
        Cell(run["workspace"]),
        Cell(remark(run)),
    )


_DAY_MS = 86_400_000

VERBS = (
    Verb(
        "runs",
        _runs,
        "[FILTER...]",
        (
            *CHOICE,
            Option("-n --limit", "N", f"how many at most; {DEFAULT_LIMIT} if not given"),
            Option("--before", "RUN", "only runs older than this one"),
        ),
        details="FILTER is text as on the screen: `state:failed kind:tool since:1h`, with status, "
        "state, kind,\nbundle, scope, workspace, parent and since. --json prints a list of "
        "RunView.",
    ),
)
