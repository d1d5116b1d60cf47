"""The checks of the conversation with an MCP server: the handshake, and the list of its tools."""

from __future__ import annotations

from roost.engine.why.causes import remedy
from roost.engine.why.elsewhere import address_of, mended_by, seen_now
from roost.engine.why.output import stream_lines
from roost.engine.why.registered import check_hello, check_offered
from roost.engine.why.steps import Trouble, failed, passed, unknown
from roost.engine.why.subject import Subject
from roost.engine.why.words import span
from roost.models import BundleKind, LogStream, WhyCheck, WhyStep

_KINDS = {BundleKind.WEB: "a web app", BundleKind.COMMAND: "a plain command"}

JUNK_SHOWN = 5
"""Lines that are not of the protocol; a few tell what prints them."""

ERRORS_SHOWN = 7


def check_handshake(subject: Subject) -> WhyStep:
    """Look whether the server speaks MCP with us."""
    check = WhyCheck.HANDSHAKE
    if subject.definition.kind is BundleKind.WORKER:
        return check_hello(subject)
    if subject.definition.kind in _KINDS:
        return unknown(check, f"{_KINDS[subject.definition.kind]} has no handshake")
    if subject.failed_check is check:
        return failed(check, _failed_handshake(subject))
    if not subject.is_serving:
        if WhyCheck.TOOLS in (subject.step_check, subject.failed_check):
            return passed(check, "it shook hands")
        return unknown(check, _waiting_words(subject))
    era = subject.view.era
    return passed(check, f"it speaks MCP{f' {era}' if era else ''}")


def _waiting_words(subject: Subject) -> str:
    if subject.step_check is None:
        return "there is no process to talk to"
    waited = span(subject.now - _spawned_at(subject))
    budget = subject.definition.settings.start_budget_s
    return f"it has been asked {waited} ago and has {budget:g} s from its start"


def _spawned_at(subject: Subject) -> int:
    return subject.generation.spawned_at if subject.generation else subject.view.since


def _failed_handshake(subject: Subject) -> Trouble:
    assert subject.reason is not None
    is_stdio = subject.definition.kind is BundleKind.MCP_STDIO
    junk = stream_lines(subject, None, LogStream.STDOUT) if is_stdio else ()
    errors = stream_lines(subject, None, LogStream.STDERR)
    return Trouble(
        subject.told,
        " ".join(filter(None, (_way_out(subject, junk), remedy(errors, subject.label)))),
        (
            *(f"stdout: {line}" for line in junk[-JUNK_SHOWN:]),
            *(f"stderr: {line}" for line in errors[-ERRORS_SHOWN:]),
            *seen_now(subject),
        ),
        "bundle.credentials" if subject.reason.code == "unauthorized" else "bundle.respawn",
    )


def _way_out(subject: Subject, junk: tuple[str, ...]) -> str:
    assert subject.reason is not None
    if subject.definition.url is not None:
        return mended_by(subject) or _http_way_out(subject)
    if junk:
        return (
            "Make it print nothing but MCP on stdout, what it has to tell on stderr; then "
            f"{subject.respawn}."
        )
    if subject.reason.code == "start_timeout":
        longer = round(subject.definition.settings.start_budget_s * 2)
        return (
            "Make sure that its command starts an MCP server on stdio; where it only starts "
            f"slowly, `roost set {subject.label} --start-budget {longer}`; then {subject.respawn}."
        )
    return f"Make sure that its command starts an MCP server on stdio; then {subject.respawn}."


def _http_way_out(subject: Subject) -> str:
    where = f"an MCP server over HTTP answers at {address_of(subject)}"
    if subject.reason is not None and subject.reason.code == "start_timeout":
        longer = round(subject.definition.settings.start_budget_s * 2)
        return (
            f"Make sure that {where}; where it only starts slowly, `roost set {subject.label} "
            f"--start-budget {longer}`; then {subject.respawn}."
        )
    return f"Make sure that {where}; then {subject.respawn}."


def check_tools(subject: Subject) -> WhyStep:
    """Look whether the server listed its tools."""
    check = WhyCheck.TOOLS
    if subject.definition.kind is BundleKind.WORKER:
        return check_offered(subject)
    if subject.definition.kind in _KINDS:
        return unknown(check, f"{_KINDS[subject.definition.kind]} has no tools")
    if subject.failed_check is check:
        return failed(check, _failed_listing(subject))
    count = subject.view.tool_count
    if not subject.is_serving or count is None:
        is_asked = subject.step_check is check
        return unknown(check, "it has been asked for them" if is_asked else "not asked for yet")
    return passed(check, f"it offers {count} tool{'' if count == 1 else 's'}")


def _failed_listing(subject: Subject) -> Trouble:
    assert subject.reason is not None
    errors = stream_lines(subject, None, LogStream.STDERR)
    told = "It shook hands, so mend what its tools/list needs, as its log tells; then"
    return Trouble(
        subject.told,
        f"{told} {subject.respawn}. {remedy(errors, subject.label)}".rstrip(),
        tuple(f"stderr: {line}" for line in errors[-ERRORS_SHOWN:]),
        "bundle.respawn",
    )
