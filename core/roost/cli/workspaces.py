"""``roost workspace list`` and ``workspace create``."""

from __future__ import annotations

import json

from roost.cli.arguments import Arguments, Option
from roost.cli.exit_codes import OK
from roost.cli.session import Session
from roost.cli.table import Cell
from roost.cli.verb import Verb
from roost.cli.words import date_time
from roost.client.json_text import parse


def _list(session: Session, given: Arguments) -> int:
    answer = session.reader().get_raw("/v1/workspaces")
    if session.is_json:
        session.terminal.json_text(answer)
        return OK
    workspaces = parse(answer)
    if not workspaces:
        session.terminal.note("there is no workspace; `roost workspace create NAME` makes one")
        return OK
    rows = [
        (Cell(view["id"], "head"), Cell(view["label"]), Cell(date_time(view["created_at"]), "dim"))
        for view in workspaces
    ]
    session.terminal.table(("WORKSPACE", "LABEL", "CREATED"), rows)
    return OK


def _create(session: Session, given: Arguments) -> int:
    body = json.dumps({"id": given.operands[0], "label": given.one("label")})
    workspace = session.actor().send("POST", "/v1/workspaces", body.encode())
    if session.is_json:
        session.terminal.json(workspace)
    else:
        session.terminal.prose(f"workspace {workspace['id']} is there")
    return OK


VERBS = (
    Verb("workspace list", _list, details="--json prints a list of WorkspaceView."),
    Verb(
        "workspace create",
        _create,
        "NAME",
        (Option("--label", "TEXT", "what people read; can be changed later"),),
        details="--json prints the WorkspaceView.",
    ),
)
