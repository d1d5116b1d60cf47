"""``roost runs``: the runs as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from roost.cli.arguments import Arguments, Option, usage_error
from roost.cli.exit_codes import OK
from roost.cli.references import find_bundle
from roost.cli.session import Session
from roost.cli.table import Cell
from roost.cli.verb import Verb
from roost.cli.words import NOTHING, STATUSES, date_time, latency, now_ms, status_cell
from roost.client.json_text import parse
from roost.client.wire import Wire

DEFAULT_LIMIT = 50

_ACTIVE = ("pending", "running")


def _runs(session: Session, given: Arguments) -> int:
    wire = session.reader()
    answer = wire.get_raw("/v1/runs", **_query(session, wire, given))
    if session.is_json:
        session.terminal.json_text(answer)
        return OK
    runs = parse(answer)
    if not runs:
        session.terminal.note("no runs match")
        return OK
    now = now_ms()
    header = ("STATUS", "RUN", "WORKSPACE", "SCOPE", "TITLE", "STEPS", "TOOK", "BEGAN", "REMARK")
    session.terminal.table(header, [_cells(run, now) for run in runs], ("STEPS", "TOOK"))
    return OK


def _query(session: Session, wire: Wire, given: Arguments) -> dict[str, object]:
    statuses = (*given.every("status"), *(_ACTIVE if given.has("active") else ()))
    unknown = [status for status in statuses if status not in STATUSES]
    if unknown:
        raise usage_error(f"there is no status {unknown[0]!r}; use {', '.join(STATUSES)}")
    query: dict[str, object] = {
        "workspace": session.workspace,
        "scope": given.one("scope"),
        "status": statuses,
        "limit": given.whole("limit", DEFAULT_LIMIT),
        "before": given.one("before"),
    }
    if (named := given.one("bundle")) is not None:
        bundle = find_bundle(session, wire, named)
        query |= {"workspace": bundle.workspace, "bundle": bundle.name}
    return query


def took(run: Mapping[str, Any], now: int) -> str:
    """Return how long a run took, or has taken so far."""
    if run["started_at"] is None:
        return NOTHING
    return latency((run["finished_at"] or now) - run["started_at"])


def remark(run: Mapping[str, Any]) -> str:
    """Return why a run ended badly, or what it is at."""
    if run["error"]:
        return str(run["error"]["sentence"])
    if run["status"] not in _ACTIVE:
        return ""
    if run["stop_requested_at"]:
        return "stop requested"
    return progress_text(run["progress"]) if run["progress"] else ""


def progress_text(progress: Mapping[str, Any]) -> str:
    """Return ``7/10 scanning src``."""
    total = progress["total"]
    count = f"{progress['current']:g}" + (f"/{total:g}" if total is not None else "")
    return f"{count} {progress['message'] or ''}".rstrip()


def _cells(run: Mapping[str, Any], now: int) -> tuple[Cell, ...]:
    return (
        status_cell(run),
        Cell(run["id"], "head"),
        Cell(run["workspace"]),
        Cell(run["scope"] or NOTHING),
        Cell(run["title"]),
        Cell(run["step_count"]),
        Cell(took(run, now)),
        Cell(date_time(run["created_at"]), "dim"),
        Cell(remark(run)),
    )


VERBS = (
    Verb(
        "runs",
        _runs,
        "",
        (
            Option("--bundle", "BUNDLE", "only runs of this bundle"),
            Option("--scope", "SCOPE", "only runs of this scope"),
            Option("--status", "STATUS", "only runs of this status; may be given several times"),
            Option("--active", "", "only runs that have not settled"),
            Option("-n --limit", "N", f"how many at most; {DEFAULT_LIMIT} if not given"),
            Option("--before", "RUN", "only runs older than this one"),
        ),
        details="--json prints a list of RunView.",
    ),
)
