"""``roost doctor``: what Roost stands on, as the daemon and this shell see it."""

from __future__ import annotations

from roost.cli.exit_codes import ACTION_FAILED, OK
from roost.cli.findings_text import print_findings
from roost.cli.verb import Verb
from roost.cli.words import duration, now_ms

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from roost.cli.arguments import Arguments
    from roost.cli.session import Session
    from roost.client.wire import Wire
    from roost.doctor import Check
    from roost.errors import RoostError
    from roost.models.doctor import Finding

STATUS_S = 5.0
"""The daemon answers this from memory."""

REPORT_S = 20.0
"""Twice the time after which the daemon gives up on a check of its own."""

SEEN_FROM_HERE = ("lock", "socket", "daemons")
"""Checks that this process makes even when the daemon made them: they are about the daemon."""


def _doctor(session: Session, given: Arguments) -> int:
    from roost.models import DoctorReport, Severity

    findings = _findings(session)
    if session.is_json:
        from roost.models.codec import to_builtins

        session.terminal.json(to_builtins(DoctorReport(tuple(findings), now_ms())))
    else:
        print_findings(session.terminal, findings)
    has_problem = any(finding.severity is Severity.PROBLEM for finding in findings)
    return ACTION_FAILED if has_problem else OK


def _findings(session: Session) -> list[Finding]:
    daemon, told = _ask_daemon(session)
    if not told:
        return [daemon, *_look(session, _checks())]
    seen = _look(session, [check for check in _checks() if _is_seen_from_here(check.name)])
    return [daemon, *merged(told, seen)]


def _look(session: Session, checks: Sequence[Check]) -> tuple[Finding, ...]:
    from roost.doctor import Surroundings, examine

    return examine(Surroundings(session.data_dir, session.environ), checks)


def _checks() -> tuple[Check, ...]:
    from roost.doctor import CHECKS

    return CHECKS


def _is_seen_from_here(name: str) -> bool:
    return name in SEEN_FROM_HERE or _is_runtime(name)


def _is_runtime(name: str) -> bool:
    return name.startswith("runtime_")


def merged(told: Sequence[Finding], seen: Sequence[Finding]) -> list[Finding]:
    """Join what the daemon found with what this process found, one finding per check.

    Programs count as the daemon finds them, for it starts the bundles. Of anything else the worse
    finding is told.

    Args:
        told: the daemon's findings, in the order in which they are returned.
        seen: findings of this process; those that the daemon does not have come last.
    """
    here = {finding.check: finding for finding in seen}
    names = {finding.check for finding in told}
    joined = [_joined(finding, here.get(finding.check)) for finding in told]
    return [*joined, *(finding for finding in seen if finding.check not in names)]


def _joined(told: Finding, seen: Finding | None) -> Finding:
    if seen is None:
        return told
    if _is_runtime(told.check):
        return _for_the_daemon(told, seen)
    return seen if _weight(seen) > _weight(told) else told


def _for_the_daemon(told: Finding, seen: Finding) -> Finding:
    """Say what to do when a program is found from this shell and not by the daemon."""
    if _weight(told) == 0 or _weight(seen) > 0:
        return told
    from dataclasses import replace

    mend = (
        f"the daemon has another PATH than this shell, where {seen.said}: restart it from here "
        "with `roost down` and `roost`, or write its unit anew with `roost serve --unit`"
    )
    return replace(told, mend=mend)


def _weight(finding: Finding) -> int:
    from roost.models import Severity

    return list(Severity).index(finding.severity)


def _ask_daemon(session: Session) -> tuple[Finding, tuple[Finding, ...]]:
    """Return a finding about the daemon itself, and its own findings if it has told them."""
    from roost.doctor.findings import ok, problem
    from roost.errors import DaemonUnreachable, RoostError

    wire = session.reader()
    try:
        if not wire.is_listening():
            return ok("daemon", "none is running; this is what this shell sees"), ()
        status = wire.send("GET", "/v1/status", timeout_s=STATUS_S)
        return _about(status), _report(wire)
    except DaemonUnreachable as error:
        return _silent(session, error), ()
    except (RoostError, KeyError, TypeError, ValueError) as error:
        said = f"it answers, but not as this version of Roost does ({type(error).__name__})"
        return problem("daemon", said, "restart it with `roost down` and `roost`"), ()


def _report(wire: Wire) -> tuple[Finding, ...]:
    from roost.models import DoctorReport
    from roost.models.codec import from_builtins

    answer = wire.send("GET", "/v1/doctor", timeout_s=REPORT_S)
    return from_builtins(answer, DoctorReport).findings


def _about(status: dict[str, Any]) -> Finding:
    from roost import __version__
    from roost.doctor.findings import ok, warning

    up = duration(now_ms() - status["started_at"])
    said = f"version {status['version']} answers, pid {status['pid']}, up {up}"
    if status["version"] != __version__:
        return warning(
            "daemon",
            f"{said}; this is version {__version__}",
            "restart it with `roost down` and `roost`",
        )
    return ok("daemon", said)


def _silent(session: Session, error: RoostError) -> Finding:
    from roost.doctor.findings import problem
    from roost.settings.locations import log_path

    return problem(
        "daemon",
        error.message.partition(";")[0],
        f"read {log_path(session.data_dir)}; the lock below says whose process to end",
    )


VERBS = (
    Verb(
        "doctor",
        _doctor,
        details="Works with and without a daemon, starts none and changes nothing. Exits 1 when a "
        "problem\nis found; warnings are none. --json prints the DoctorReport.",
    ),
)
