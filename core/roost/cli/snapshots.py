"""``roost snapshot``: prepared starts of bundles."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from roost.cli.arguments import Arguments, Option, usage_error
from roost.cli.exit_codes import ACTION_FAILED, OK, REFUSED
from roost.cli.references import find_bundle
from roost.cli.session import Session
from roost.cli.setting_options import SNAPSHOT_HOWS, read_how
from roost.cli.slots import report
from roost.cli.table import Cell
from roost.cli.verb import Verb
from roost.cli.words import NOTHING, date_time, latency, plural, size, spaced
from roost.client.json_text import parse
from roost.models import SettingsChange
from roost.models.codec import to_json

POLICIES = ("auto", "require", "off")

_STATES = {
    None: ("-", "none", "dim"),
    "building": ("~", "building", "busy"),
    "ready": ("o", "ready", "good"),
    "stale": ("~", "stale", "busy"),
    "refused": ("!", "refused", "bad"),
    "failed": ("!", "failed", "bad"),
}
"""Glyph, word and meaning of a snapshot's state."""


def _list(session: Session, given: Arguments) -> int:
    answer = session.reader().get_raw("/v1/snapshots", workspace=session.workspace)
    if session.is_json:
        session.terminal.json_text(answer)
        return OK
    views = parse(answer)
    if not views:
        session.terminal.note("no bundle is installed; `roost add` installs one")
        return OK
    header = ("STATE", "WARM", "BUNDLE", "HOW", "POLICY", "COLD", "RESTORED", "MEMORY", "WHY")
    session.terminal.table(header, [_cells(view) for view in views], ("COLD", "RESTORED", "MEMORY"))
    return OK


def _cells(view: Mapping[str, Any]) -> tuple[Cell, ...]:
    reason = view["reason"]
    return (
        state_cell(view),
        Cell("yes" if view["is_warm"] else ""),
        Cell(f"{view['workspace']}/{view['name']}"),
        Cell(view["backend"] or NOTHING),
        Cell(view["policy"]),
        Cell(_median(view["cold"])),
        Cell(_median(view["restored"])),
        Cell(NOTHING if view["template_bytes"] is None else size(view["template_bytes"])),
        Cell(reason["sentence"] if reason else ""),
    )


def state_cell(view: Mapping[str, Any]) -> Cell:
    """Return the state of a snapshot; one that cannot be is told apart from one that is not."""
    if not view["is_eligible"]:
        return Cell("- not possible", "dim")
    glyph, word, style = _STATES.get(view["state"], ("?", spaced(view["state"]), ""))
    phase = f"  {view['phase']}" if view["state"] == "building" and view["phase"] else ""
    return Cell(f"{glyph} {word}{phase}", style)


def _median(times: Mapping[str, Any]) -> str:
    return NOTHING if times["p50_ms"] is None else latency(times["p50_ms"])


def _show(session: Session, given: Arguments) -> int:
    wire = session.reader()
    detail = wire.get(find_bundle(session, wire, given.operands[0]).path("snapshot"))
    if session.is_json:
        session.terminal.json(detail)
        return OK
    terminal = session.terminal
    terminal.facts(list(_facts(detail)))
    for heading, lines in (
        ("Findings", [_finding(found) for found in detail["findings"]]),
        ("Made from", [f"{part['what']}: {part['sentence']}" for part in detail["parts"]]),
        ("Left to each start", detail["excluded"]),
        ("May copy the environment", detail["allowed"]),
        ("Variables read while it was loaded", detail["environment"]),
    ):
        if lines:
            terminal.heading(heading)
            for line in lines:
                terminal.line(line)
    return OK


def _facts(detail: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    view = detail["view"]
    yield "bundle", f"{view['workspace']}/{view['name']}"
    yield "state", state_cell(view).text
    yield "why", view["reason"]["sentence"] if view["reason"] else ""
    yield "policy", view["policy"]
    yield "how", view["backend"] or ""
    yield "warm", "yes, its template lives" if view["is_warm"] else ""
    yield "entry", detail["entry"]
    yield "interpreter", detail["interpreter"]
    yield "built", date_time(view["built_at"]) if view["built_at"] else ""
    phases = [f"{spaced(name)} {latency(ms)}" for name, ms in detail["phases_ms"]]
    yield "phases", ", ".join(phases)
    yield "modules", _modules(view)
    yield "memory", "" if view["template_bytes"] is None else size(view["template_bytes"])
    yield "cold starts", _times(view["cold"])
    yield "restored", _times(view["restored"])
    yield "key", detail["key"][:16]


def _modules(view: Mapping[str, Any]) -> str:
    if not view["modules"]:
        return ""
    left = f", {view['excluded']} left to each start" if view["excluded"] else ""
    return f"{view['modules']} loaded{left}"


def _times(times: Mapping[str, Any]) -> str:
    if not times["count"]:
        return ""
    counted = plural(times["count"], "start")
    return f"p50 {latency(times['p50_ms'])}, p95 {latency(times['p95_ms'])} of {counted}"


def _finding(found: Mapping[str, Any]) -> str:
    where = f" {found['module']}" if found["module"] else ""
    return f"{found['action']} {spaced(found['guard'])}{where}: {found['sentence']}"


def _build(session: Session, given: Arguments) -> int:
    how = read_how(given, "how")
    if how is not None:
        wire = session.actor()
        bundle = find_bundle(session, wire, given.operands[0])
        wire.send("PATCH", bundle.path("settings"), to_json(SettingsChange(snapshot_how=how)))
    return _make(session, given, "build")


def _verify(session: Session, given: Arguments) -> int:
    return _make(session, given, "verify")


def _make(session: Session, given: Arguments, action: str) -> int:
    wire = session.actor()
    bundle = find_bundle(session, wire, given.operands[0])
    view = wire.send("POST", bundle.path(f"snapshot/{action}"))
    if session.is_json:
        session.terminal.json(view)
    else:
        _tell(session, view)
    if view["state"] == "ready":
        return OK
    return REFUSED if view["state"] == "refused" else ACTION_FAILED


def _tell(session: Session, view: Mapping[str, Any]) -> None:
    label = f"{view['workspace']}/{view['name']}"
    if view["state"] != "ready":
        why = f": {view['reason']['sentence']}" if view["reason"] else ""
        session.terminal.note(f"roost: the snapshot of {label} is {view['state']}{why}")
        return
    cold, restored = view["cold"]["p50_ms"], view["restored"]["p50_ms"]
    gain = f"; {latency(restored)} to ready instead of {latency(cold)}" if cold and restored else ""
    session.terminal.prose(f"the snapshot of {label} is ready{gain}")


def _remove(session: Session, given: Arguments) -> int:
    wire = session.actor()
    bundle = find_bundle(session, wire, given.operands[0])
    return report(session, wire.send("DELETE", bundle.path("snapshot")))


def _policy(session: Session, given: Arguments) -> int:
    name, policy = given.operands
    if policy not in POLICIES:
        raise usage_error(f"the policy is {', '.join(POLICIES)}, not {policy!r}")
    wire = session.actor()
    bundle = find_bundle(session, wire, name)
    body = json.dumps({"policy": policy}).encode()
    view = wire.send("POST", bundle.path("snapshot/policy"), body)
    if session.is_json:
        session.terminal.json(view)
    else:
        session.terminal.prose(f"starts of {bundle} {_POLICY_WORDS[policy]}")
    return OK


_POLICY_WORDS = {
    "auto": "use its snapshot when a valid one is there",
    "require": "need its snapshot: without a valid one they fail",
    "off": "do not use a snapshot",
}

_VIEW = "--json prints the SnapshotView."

VERBS = (
    Verb(
        "snapshot list",
        _list,
        details="COLD and RESTORED are the medians of the newest starts, from spawn to readiness. "
        "--json prints a\nlist of SnapshotView.",
    ),
    Verb(
        "snapshot show",
        _show,
        "BUNDLE",
        details="What it was made from, what the guards found and what starts cost. --json prints "
        "the\nSnapshotDetail.",
    ),
    Verb(
        "snapshot build",
        _build,
        "BUNDLE",
        options=(
            Option(
                "--how",
                "HOW",
                f"set what makes it before that, and from now on: {', '.join(SNAPSHOT_HOWS)}",
            ),
        ),
        details="The bundle's process is not touched; its next start is restored. " + _VIEW,
    ),
    Verb(
        "snapshot verify",
        _verify,
        "BUNDLE",
        details="Starts a process from it, compares its answers with a cold one's, and ends it. "
        + _VIEW,
    ),
    Verb("snapshot remove", _remove, "BUNDLE", details="--json prints the ActionResult."),
    Verb(
        "snapshot policy",
        _policy,
        "BUNDLE auto|require|off",
        details="auto uses a valid snapshot and else starts cold, which is the default. " + _VIEW,
    ),
)
