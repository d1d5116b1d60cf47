"""``roost ps``: the bundles as a table."""

from __future__ import annotations

from roost.cli.exit_codes import OK
from roost.cli.table import Cell
from roost.cli.verb import Verb
from roost.cli.words import (
    NOTHING,
    duration,
    is_process_shown,
    kind_text,
    latency,
    now_ms,
    percent,
    size,
    start_text,
    state_cell,
)
from roost.client.json_text import parse
from roost.client.wire import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from roost.cli.arguments import Arguments
    from roost.cli.session import Session

_HEADER = (
    "STATE",
    "NAME",
    "KIND",
    "GEN",
    "PID",
    "UP",
    "CPU",
    "MEM",
    "CALLS/m",
    "P95",
    "START",
    "REASON",
)
_RIGHT = ("GEN", "PID", "UP", "CPU", "MEM", "CALLS/m", "P95")


def _ps(session: Session, given: Arguments) -> int:
    workspace = session.workspace
    path = "/v1/bundles" if workspace is None else f"/v1/workspaces/{quote(workspace)}/bundles"
    answer = session.reader().get_raw(path)
    if session.is_json:
        session.terminal.json_text(answer)
        return OK
    bundles = parse(answer)
    if not bundles:
        session.terminal.note("no bundle is installed; `roost add` installs one")
        return OK
    _print(session, bundles)
    return OK


def _print(session: Session, bundles: Sequence[Mapping[str, Any]]) -> None:
    now = now_ms()
    header = list(_HEADER)
    rows = [list(_cells(bundle, now)) for bundle in bundles]
    if session.workspace is None and len({bundle["workspace"] for bundle in bundles}) > 1:
        header.insert(0, "WORKSPACE")
        for bundle, row in zip(bundles, rows, strict=True):
            row.insert(0, Cell(bundle["workspace"]))
    if not any(row[-1].text for row in rows):
        header.pop()
        rows = [row[:-1] for row in rows]
    session.terminal.table(header, rows, _RIGHT)


def _cells(bundle: Mapping[str, Any], now: int) -> tuple[Cell, ...]:
    is_up = is_process_shown(bundle)
    generation = bundle.get("generation") or {}
    figures = bundle.get("figures") if is_up else None
    calls = bundle.get("calls") if is_up else None
    return (
        state_cell(bundle, now),
        Cell(bundle["name"], "head"),
        Cell(kind_text(bundle), "dim"),
        Cell(generation.get("number", NOTHING)),
        Cell((is_up and generation.get("pid")) or NOTHING, "dim"),
        Cell(duration(now - bundle["since"]) if is_up else NOTHING),
        Cell(percent(figures["cpu_percent"]) if figures else NOTHING),
        Cell(size(figures["rss_bytes"]) if figures else NOTHING),
        Cell(calls["per_minute"] if calls else NOTHING),
        Cell(latency(calls["p95_ms"]) if calls else NOTHING),
        Cell(start_text(bundle.get("generation")), "dim"),
        Cell(_reason(bundle)),
    )


def _reason(bundle: Mapping[str, Any]) -> str:
    reason = bundle.get("reason")
    return str(reason["sentence"]) if reason and bundle["state"] != "stopped" else ""


VERBS = (
    Verb(
        "ps",
        _ps,
        details="--json prints a list of BundleView. Without a running daemon it says so and "
        "exits 5.",
    ),
)
