"""``--describe``: what an app is, as one line of JSON, told without starting it."""

from __future__ import annotations

import json
import os
import sys
from typing import Any, TextIO

from roost.app.app import App
from roost.app.report import report
from roost.app.snapshot import load_for_snapshot
from roost.errors import RoostError


def describe(entry: str | None, directory: str) -> int:
    """Load an app as for a snapshot, write what it is on stdout, and return the exit status.

    The line holds ``name``, ``kind`` (``web`` or ``command``) and ``port`` (what a web app listens
    on when nothing tells it otherwise), or ``error`` with ``code`` and ``message``. It is the last
    thing this process does: from here on its stdout is the answer's alone.
    """
    answer = _take_stdout()
    try:
        app = load_for_snapshot(entry, directory)
        app.close()
    except RoostError as error:
        _write(answer, {"error": {"code": error.code, "message": error.message}})
        return report(error)
    _write(answer, _about(app))
    return 0


def _about(app: App) -> dict[str, Any]:
    web = app._parts.web
    return {
        "name": app.name,
        "kind": "command" if web is None else "web",
        "port": None if web is None else web.wanted_port,
    }


def _take_stdout() -> TextIO:
    """Return what is stdout now; whatever the app prints goes to stderr from here on."""
    sys.stdout.flush()
    answer = open(os.dup(1), "w", encoding="utf-8")  # noqa: SIM115 - it lives as long as we do
    os.dup2(2, 1)
    return answer


def _write(answer: TextIO, told: dict[str, Any]) -> None:
    with answer:
        answer.write(f"{json.dumps(told)}\n")
