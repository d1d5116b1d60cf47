"""``roost credentials``: the form of a bundle, and atomic writes to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from roost.cli.arguments import Arguments, Option, usage_error
from roost.cli.exit_codes import OK, code_for_result
from roost.cli.field_values import clear_names, written_values
from roost.cli.references import BundleRef, find_bundle
from roost.cli.session import Session
from roost.cli.slots import reason_body
from roost.cli.table import Cell
from roost.cli.verb import Verb
from roost.cli.words import NOTHING, date_time
from roost.client.wire import Wire
from roost.models import CredentialWrite
from roost.models.codec import to_json

_WRITES = ("set", "set-from-env", "clear")


def _credentials(session: Session, given: Arguments) -> int:
    is_write = any(given.has(key) for key in _WRITES)
    if given.has("restore") and is_write:
        raise usage_error(
            "--restore brings back a whole revision; it goes with no other option than --reason"
        )
    if given.has("reason") and not is_write and not given.has("restore"):
        raise usage_error("--reason goes with --clear, --set or --restore")
    name = given.operands[0]
    if not is_write and not given.has("restore"):
        wire = session.reader()
        return _show(session, wire, find_bundle(session, wire, name))
    wire = session.actor()
    bundle = find_bundle(session, wire, name)
    if given.has("restore"):
        body = reason_body(given.one("reason"))
        return _report(session, wire.send("POST", bundle.path("credentials/restore"), body))
    return _write(session, wire, bundle, given)


def _write(session: Session, wire: Wire, bundle: BundleRef, given: Arguments) -> int:
    form = wire.get(bundle.path("credentials"))
    fields = {entry["field"]["key"]: entry["field"] for entry in form["fields"]}
    write = CredentialWrite(
        set=written_values(session, fields, given),
        clear=clear_names(fields, given),
        reason=given.one("reason"),
    )
    return _report(session, wire.send("PATCH", bundle.path("credentials"), to_json(write)))


def _report(session: Session, outcome: Mapping[str, Any]) -> int:
    respawn = outcome["respawn"]
    if session.is_json:
        session.terminal.json(outcome)
    else:
        session.terminal.prose(outcome["sentence"])
        if respawn and respawn["sentence"] not in outcome["sentence"]:
            session.terminal.note(respawn["sentence"])
    return OK if respawn is None else code_for_result(respawn["ok"], respawn["code"])


def _show(session: Session, wire: Wire, bundle: BundleRef) -> int:
    form = wire.get(bundle.path("credentials"))
    if session.is_json:
        session.terminal.json(form)
        return OK
    if not form["fields"]:
        session.terminal.note(f"{bundle} asks for no credentials")
        return OK
    header = ("FIELD", "TYPE", "REQUIRED", "VALUE", "SET", "BY", "DESCRIPTION")
    session.terminal.table(header, [_cells(entry) for entry in form["fields"]])
    restore = ", the one before can be restored" if form["can_restore"] else ""
    session.terminal.note(f"revision {form['revision']}{restore}")
    return OK


def _cells(entry: Mapping[str, Any]) -> tuple[Cell, ...]:
    field = entry["field"]
    is_missing = field["required"] and not entry["is_set"] and field["default"] is None
    kind = field["type"] + (" list" if field["multiple"] else "")
    return (
        Cell(field["key"], "head"),
        Cell(kind + (", sensitive" if field["sensitive"] else ""), "dim"),
        Cell("missing" if is_missing else "yes" if field["required"] else "no", "ask" * is_missing),
        Cell(_value(entry)),
        Cell(date_time(entry["set_at"])),
        Cell(entry["set_by"] or NOTHING),
        Cell(field["description"] or field["title"]),
    )


def _value(entry: Mapping[str, Any]) -> str:
    if not entry["is_set"]:
        default = entry["field"]["default"]
        return NOTHING if default is None else f"{_shown(default)} (default)"
    return "(set, not shown)" if entry["field"]["sensitive"] else _shown(entry["value"])


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)


VERBS = (
    Verb(
        "credentials",
        _credentials,
        "BUNDLE",
        (
            Option(
                "--set", "FIELD[=VALUE]", "set a field; without a value it is typed or piped in"
            ),
            Option("--set-from-env", "FIELD=VAR", "set a field to the value of a variable"),
            Option("--clear", "FIELD", "clear a field"),
            Option("--reason", "REASON", "why, where a protected bundle asks for it"),
            Option("--restore", "", "bring the previous revision back as a new one"),
        ),
        details="Without options the form is shown. All options of one call are one atomic write, "
        "after which the\nbundle is respawned. A sensitive field never takes its value as "
        "FIELD=VALUE: arguments are visible\nto every user. Piped input is the value of a single "
        "--set FIELD, or one line for each of several.\n--json prints the CredentialForm, or the "
        "CredentialOutcome of a write.",
    ),
)
