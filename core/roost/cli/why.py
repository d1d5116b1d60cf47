"""``roost why``: the ordered check of one bundle, and the way out of what it finds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from roost.cli.arguments import Arguments
from roost.cli.exit_codes import ACTION_FAILED, OK
from roost.cli.findings_text import wrapped
from roost.cli.references import find_bundle
from roost.cli.session import Session
from roost.cli.table import clean, cut, styled
from roost.cli.verb import Verb
from roost.client.json_text import parse

STATUSES = {
    "passed": ("+", "good"),
    "failed": ("!", "bad"),
    "unknown": ("-", "dim"),
}
"""Glyph and meaning of how a check ended; its word is its own."""

CHECK_WIDTH = 11
"""Columns of the longest name of a check, ``credentials``."""


def _why(session: Session, given: Arguments) -> int:
    wire = session.reader()
    bundle = find_bundle(session, wire, given.operands[0])
    answer = wire.get_raw(bundle.path("why"))
    report = parse(answer)
    if session.is_json:
        session.terminal.json_text(answer)
    else:
        _print(session, report)
    return OK if _is_well(report) else ACTION_FAILED


def _is_well(report: Mapping[str, Any]) -> bool:
    """Whether it is up, and nothing would keep its next start from succeeding."""
    return report["is_up"] and all(step["status"] != "failed" for step in report["steps"])


def _print(session: Session, report: Mapping[str, Any]) -> None:
    terminal = session.terminal
    for step in report["steps"]:
        glyph, style = STATUSES.get(step["status"], ("?", ""))
        head = f"{glyph} {step['status']:<7}  {step['check']:<{CHECK_WIDTH}}  "
        first, *rest = wrapped(step["said"], len(head))
        first = head + first.lstrip()
        print(styled(first, style) if terminal.has_colour and style != "good" else first)
        for line in (*rest, *_evidence(step, len(head) + 2, terminal.width)):
            print(line)
    print()
    for line in wrapped(report["sentence"], 0):
        print(line)


def _evidence(step: Mapping[str, Any], indent: int, width: int | None) -> Iterator[str]:
    """Yield what was found, line by line as it was; cut to the terminal, never when piped."""
    for text in step["evidence"]:
        line = " " * indent + clean(text.replace("\t", "    "))
        yield line if width is None else cut(line, width)


VERBS = (
    Verb(
        "why",
        _why,
        "BUNDLE",
        details="Looks at the definition, the runtime, the install, the credentials, the process, "
        "the handshake,\nthe tools and a live answer, in this order; the first that fails is the "
        "answer. Starts, stops and\nchanges nothing. Exits 0 when nothing is wrong, 1 when "
        "something is. --json prints the WhyReport.",
    ),
)
