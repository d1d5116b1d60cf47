"""``roost start``, ``stop`` and ``respawn``."""

from __future__ import annotations

import json
from typing import Any

from roost.cli.arguments import Arguments, Option
from roost.cli.exit_codes import code_for_result
from roost.cli.references import find_bundle
from roost.cli.session import Session
from roost.cli.verb import Verb

FORCE = Option("--force", "REASON", "do it to a protected bundle; the reason is kept in the audit")


def report(session: Session, result: dict[str, Any]) -> int:
    """Print a result that is a value with `ok`, `code` and `sentence`, and return its exit code."""
    if session.is_json:
        session.terminal.json(result)
    elif result["ok"]:
        session.terminal.prose(result["sentence"])
    else:
        session.terminal.note(f"roost: {result['sentence']}")
    return code_for_result(result["ok"], result["code"])


def _start(session: Session, given: Arguments) -> int:
    return _act(session, given, "start")


def _stop(session: Session, given: Arguments) -> int:
    return _act(session, given, "stop")


def _respawn(session: Session, given: Arguments) -> int:
    return _act(session, given, "respawn")


def _act(session: Session, given: Arguments, action: str) -> int:
    wire = session.actor()
    bundle = find_bundle(session, wire, given.operands[0])
    body = reason_body(given.one("force"))
    return report(session, wire.send("POST", bundle.path(action), body))


def reason_body(reason: str | None) -> bytes:
    """Return the body of an action that may need a reason."""
    return json.dumps({"reason": reason}).encode()


VERBS = (
    Verb("start", _start, "BUNDLE", details="--json prints the ActionResult."),
    Verb("stop", _stop, "BUNDLE", (FORCE,), details="--json prints the ActionResult."),
    Verb("respawn", _respawn, "BUNDLE", (FORCE,), details="--json prints the RespawnResult."),
)
