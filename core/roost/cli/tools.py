"""``roost tools``: what a bundle offers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from roost.cli.arguments import Arguments
from roost.cli.exit_codes import OK
from roost.cli.references import find_bundle
from roost.cli.session import Session
from roost.cli.table import Cell
from roost.cli.verb import Verb
from roost.client.json_text import parse


def _tools(session: Session, given: Arguments) -> int:
    wire = session.reader()
    bundle = find_bundle(session, wire, given.operands[0])
    answer = wire.get_raw(bundle.path("tools"))
    if session.is_json:
        session.terminal.json_text(answer)
        return OK
    tools = parse(answer)
    if not tools:
        session.terminal.note(f"{bundle} offers no tools")
        return OK
    rows = [
        (Cell(tool["name"], "head"), Cell(_arguments(tool)), Cell(_nature(tool)), _summary(tool))
        for tool in tools
    ]
    session.terminal.table(("TOOL", "ARGUMENTS", "NATURE", "DESCRIPTION"), rows)
    return OK


def _arguments(tool: Mapping[str, Any]) -> str:
    """Return the arguments' names, optional ones in brackets."""
    schema = tool["input_schema"]
    required = schema.get("required") or ()
    names = schema.get("properties") or {}
    return " ".join(name if name in required else f"[{name}]" for name in names)


def _nature(tool: Mapping[str, Any]) -> str:
    if tool["is_read_only"]:
        return "reads"
    return "destructive" if tool["is_destructive"] else ""


def _summary(tool: Mapping[str, Any]) -> Cell:
    text = (tool["description"] or tool["title"]).strip()
    return Cell(text.splitlines()[0] if text else "")


VERBS = (
    Verb("tools", _tools, "BUNDLE", details="--json prints a list of ToolView, with schemas."),
)
