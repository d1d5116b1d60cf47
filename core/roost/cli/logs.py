"""``roost logs``: a bundle's log, page by page or as it is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from roost.cli.arguments import Arguments, Option, usage_error
from roost.cli.exit_codes import OK
from roost.cli.references import BundleRef, find_bundle
from roost.cli.session import Session
from roost.cli.terminal import Terminal
from roost.cli.verb import Verb
from roost.cli.words import clock_time, plural
from roost.client.json_text import parse
from roost.client.wire import Wire

DEFAULT_LINES = 200
PAGE_LIMIT = 5000
"""Lines asked for at once, at most 10 000 as the API allows; more are fetched page by page."""


def _logs(session: Session, given: Arguments) -> int:
    count = given.whole("lines", DEFAULT_LINES, least=0)
    generation = -1 if given.has("previous") else given.whole("generation", 0) or None
    if given.has("follow") and generation is not None:
        raise usage_error("only the running log can be followed; leave out -f or the generation")
    wire = session.reader()
    bundle = find_bundle(session, wire, given.operands[0])
    if given.has("follow"):
        return _follow(session, wire, bundle, count, is_bare=given.has("bare"))
    page = _last_lines(wire, bundle, count, generation)
    if session.is_json:
        session.terminal.json(page)
        return OK
    _print_page(session.terminal, page, is_bare=given.has("bare"))
    return OK


def _follow(session: Session, wire: Wire, bundle: BundleRef, count: int, *, is_bare: bool) -> int:
    for event in wire.follow(bundle.path("log/events"), tail=min(count, PAGE_LIMIT)):
        if session.is_json:
            session.terminal.json_text(event.data.encode())
        else:
            _print_page(session.terminal, parse(event.data.encode()), is_bare=is_bare)
    session.terminal.note("the daemon ended the log")
    return OK


def _last_lines(
    wire: Wire, bundle: BundleRef, count: int, generation: int | None
) -> dict[str, Any]:
    """Return the last lines as one page, however many pages they are spread over."""
    page: dict[str, Any] = _page(wire, bundle, generation, None, min(count, PAGE_LIMIT))
    while page["start_offset"] > 0 and len(page["lines"]) < count:
        wanted = min(count - len(page["lines"]), PAGE_LIMIT)
        older = _page(wire, bundle, page["generation"], page["start_offset"], wanted)
        if not older["lines"]:
            break
        page["lines"] = older["lines"] + page["lines"]
        page["start_offset"] = older["start_offset"]
    return page


def _page(
    wire: Wire, bundle: BundleRef, generation: int | None, before: int | None, limit: int
) -> Any:
    return wire.get(bundle.path("log"), generation=generation, before=before, limit=max(limit, 1))


def _print_page(terminal: Terminal, page: Mapping[str, Any], *, is_bare: bool) -> None:
    if page.get("dropped"):
        terminal.note(f"{plural(page['dropped'], 'line')} dropped by retention before these")
    for line in page["lines"]:
        head = "" if is_bare else f"{clock_time(line['at'])} {line['stream']:<5} "
        terminal.raw(head + line["text"])
    terminal.flush()


VERBS = (
    Verb(
        "logs",
        _logs,
        "BUNDLE",
        (
            Option("-f --follow", "", "go on with new lines, across generations"),
            Option("-n --lines", "N", f"how many of the last lines; {DEFAULT_LINES} if not given"),
            Option("-p --previous", "", "the log of the generation before the newest"),
            Option("--generation", "N", "the log of this generation"),
            Option("--bare", "", "only the text, without time and stream"),
        ),
        details="--json prints one LogPage; with -f one LogPage per line.",
    ),
)
