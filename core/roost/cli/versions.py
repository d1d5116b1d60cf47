"""``roost versions``, ``upgrade``, ``rollback`` and ``pin``: the versions of a bundle."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from roost.cli.add import plan_of, report_plan, reviewed
from roost.cli.arguments import Arguments, Option
from roost.cli.exit_codes import OK, code_for_result
from roost.cli.install_request import SOURCE_OPTIONS, read_request
from roost.cli.references import find_bundle
from roost.cli.session import Session
from roost.cli.slots import FORCE, reason_body
from roost.cli.table import Cell
from roost.cli.verb import Verb
from roost.cli.words import date_time
from roost.models import UpgradeRequest
from roost.models.codec import to_json

_RESULT = "--json prints the UpgradeOutcome."


def _versions(session: Session, given: Arguments) -> int:
    wire = session.reader()
    bundle = find_bundle(session, wire, given.operands[0])
    found = wire.get(bundle.path("versions"))
    if session.is_json:
        session.terminal.json(found)
        return OK
    header = ("NUMBER", "VERSION", "CURRENT", "READY", "INSTALLED", "BY", "FROM")
    session.terminal.table(header, [_cells(view) for view in found], ("NUMBER", "READY"))
    return OK


def _cells(view: dict[str, Any]) -> tuple[Cell, ...]:
    texts = (
        str(view["number"]),
        view["version"] or "-",
        "yes" if view["is_current"] else "",
        "-" if view["ready_ms"] is None else f"{view['ready_ms']} ms",
        date_time(view["installed_at"]),
        view["installed_by"],
        view["origin"],
    )
    return tuple(map(Cell, texts))


def _upgrade(session: Session, given: Arguments) -> int:
    session.check_may_act()
    name, *what = given.operands
    request = read_request(session, given, what)
    wire = session.actor()
    bundle = find_bundle(session, wire, name)
    request = replace(request, name=bundle.name)
    plan = plan_of(wire, bundle.workspace, request)
    # Of course there is a bundle of this name: it is the one that gets another version.
    plan["notes"] = [note for note in plan["notes"] if note["code"] != "name_taken"]
    if given.has("plan"):
        return report_plan(session, plan)
    reviewed(session, given, plan, f"upgrade {bundle} to it?")
    request = replace(request, sha256=plan["sha256"] or request.sha256)
    body = to_json(UpgradeRequest(request, given.one("force")))
    return _report(session, wire.send("POST", bundle.path("upgrade"), body))


def _rollback(session: Session, given: Arguments) -> int:
    session.check_may_act()
    wire = session.actor()
    bundle = find_bundle(session, wire, given.operands[0])
    number = given.whole("to", 0) if given.has("to") else None
    body = to_json({"number": number, "reason": given.one("force")})
    return _report(session, wire.send("POST", bundle.path("rollback"), body))


def _pin(session: Session, given: Arguments) -> int:
    session.check_may_act()
    wire = session.actor()
    bundle = find_bundle(session, wire, given.operands[0])
    body = reason_body(given.one("force"))
    return _report(session, wire.send("POST", bundle.path("pin"), body))


def _report(session: Session, outcome: dict[str, Any]) -> int:
    """Print what came of it; a respawn that failed decides over the exit code."""
    respawn = outcome["respawn"] or {"ok": True, "code": "ok"}
    if session.is_json:
        session.terminal.json(outcome)
    elif respawn["ok"]:
        session.terminal.prose(outcome["sentence"])
    else:
        session.terminal.note(f"roost: {outcome['sentence']}")
    return code_for_result(respawn["ok"], respawn["code"])


VERBS = (
    Verb(
        "versions",
        _versions,
        "BUNDLE",
        details="The newest five and the current one are kept. --json prints a list of "
        "InstalledVersion.",
    ),
    Verb(
        "upgrade",
        _upgrade,
        "BUNDLE [WHAT]",
        (*SOURCE_OPTIONS, FORCE),
        rest="[-- COMMAND ...]",
        details="WHAT and the options are those of `roost add`. The bundle keeps its name, "
        "settings, data\nand credentials; `roost rollback` returns to the version before.\n"
        + _RESULT,
    ),
    Verb(
        "rollback",
        _rollback,
        "BUNDLE",
        (
            Option("--to", "NUMBER", "which version; the newest before the current if not given"),
            FORCE,
        ),
        details=_RESULT,
    ),
    Verb("pin", _pin, "BUNDLE", (FORCE,), details=_RESULT),
)
