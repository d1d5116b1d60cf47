"""``roost show``: everything about one bundle."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from roost.cli.arguments import Arguments
from roost.cli.exit_codes import OK
from roost.cli.references import find_bundle
from roost.cli.session import Session
from roost.cli.setting_options import settings_facts
from roost.cli.table import Cell
from roost.cli.terminal import Terminal
from roost.cli.verb import Verb
from roost.cli.words import NOTHING, date_time, kind_text, now_ms, spaced, start_text, state_cell
from roost.client.json_text import parse


def _show(session: Session, given: Arguments) -> int:
    wire = session.reader()
    bundle = find_bundle(session, wire, given.operands[0])
    answer = wire.get_raw(bundle.path())
    if session.is_json:
        session.terminal.json_text(answer)
        return OK
    detail = parse(answer)
    terminal = session.terminal
    terminal.facts(_facts(detail))
    _print_crash(terminal, detail["view"].get("crash"))
    _print_generations(terminal, detail["generations"])
    _print_transitions(terminal, detail["transitions"])
    return OK


def _facts(detail: Mapping[str, Any]) -> list[tuple[str, str]]:
    view, definition = detail["view"], detail["definition"]
    source, reason = definition["source"], view.get("reason")
    settings = definition["settings"]
    return [
        ("bundle", f"{view['workspace']}/{view['name']}"),
        ("title", view["title"]),
        ("state", f"{state_cell(view, now_ms()).text}, since {date_time(view['since'])}"),
        ("reason", reason["sentence"] if reason else ""),
        ("kind", kind_text(view)),
        ("version", view["version"]),
        ("source", f"{source['kind']} {source['origin']}"),
        ("command", shlex.join(detail["argv"])),
        ("environment", ", ".join(detail["env_names"])),
        ("address", view.get("address") or ""),
        ("port", str(definition.get("port") or "")),
        ("ready path", definition["ready_path"] if view["kind"] == "web" else ""),
        ("restart", spaced(settings["restart"]) + (", protected" if view["protected"] else "")),
        *settings_facts(settings, definition["after"]),
        ("wanted up", "yes" if view["should_run"] else "no"),
        ("credentials", _credentials(view)),
        ("tools", "" if view["tool_count"] is None else str(view["tool_count"])),
        ("protocol", view.get("era") or ""),
        ("active runs", str(view["active_runs"])),
    ]


def _credentials(view: Mapping[str, Any]) -> str:
    if not view["field_count"]:
        return ""
    missing = view["missing_fields"]
    lacking = f", missing {', '.join(missing)}" if missing else ""
    return f"{view['field_count']} fields, revision {view['credential_revision']}{lacking}"


def _print_crash(terminal: Terminal, crash: Mapping[str, Any] | None) -> None:
    if crash is None:
        return
    step = f" in step {spaced(crash['step'])}" if crash.get("step") else ""
    when = f"generation {crash['generation']}, {date_time(crash['at'])}"
    terminal.heading(f"Last crash: {crash['exit']}{step}, {when}")
    for line in crash["stderr_tail"]:
        terminal.line(f"  {line}")


def _print_generations(terminal: Terminal, generations: Sequence[Mapping[str, Any]]) -> None:
    if not generations:
        return
    header = ("GEN", "VERSION", "CONFIG", "CREDENTIALS", "START", "SPAWNED", "ENDED", "EXIT")
    rows = [
        (
            Cell(view["number"]),
            Cell(view["version"]),
            Cell(view["config_hash"][:8]),
            Cell(view["credential_revision"]),
            Cell(start_text(view)),
            Cell(date_time(view["spawned_at"])),
            Cell(date_time(view["ended_at"])),
            Cell(view["exit"] or NOTHING),
        )
        for view in generations
    ]
    terminal.line()
    terminal.table(header, rows, ("GEN", "CREDENTIALS"))


def _print_transitions(terminal: Terminal, transitions: Sequence[Mapping[str, Any]]) -> None:
    if not transitions:
        return
    rows = [
        (
            Cell(date_time(move["at"])),
            Cell(f"{spaced(move['before'])} > {spaced(move['after'])}"),
            Cell(spaced(move["cause"])),
            Cell(move["actor"]),
            Cell(spaced(move["step"] or NOTHING)),
            Cell(move["reason"] or ""),
        )
        for move in transitions
    ]
    terminal.line()
    terminal.table(("WHEN", "MOVE", "CAUSE", "BY", "STEP", "REASON"), rows)


VERBS = (Verb("show", _show, "BUNDLE", details="--json prints the BundleDetail."),)
