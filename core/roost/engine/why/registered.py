"""The checks of a worker: whether it has registered, and which tasks it offers."""

from __future__ import annotations

from roost.engine.why.causes import remedy
from roost.engine.why.output import stream_lines
from roost.engine.why.steps import Trouble, failed, passed, unknown
from roost.engine.why.subject import Subject
from roost.engine.why.words import span
from roost.models import LogStream, WhyCheck, WhyStep

ERRORS_SHOWN = 7
"""Last lines of what it wrote: a traceback's end and its cause."""

NAMES_SHOWN = 5


def check_hello(subject: Subject) -> WhyStep:
    """Look whether a worker has told what it offers, and whether that was taken."""
    check = WhyCheck.HANDSHAKE
    if subject.failed_check is check:
        return failed(check, _not_registered(subject))
    if subject.is_serving:
        return passed(check, "it has registered")
    if subject.step_check is not check:
        return unknown(check, "there is no process that could register")
    spawned_at = subject.generation.spawned_at if subject.generation else subject.view.since
    budget = subject.definition.settings.start_budget_s
    loading = f"its module is being loaded for {span(subject.now - spawned_at)}"
    return unknown(check, f"{loading}; it has {budget:g} s from its start to register")


def _not_registered(subject: Subject) -> Trouble:
    errors = stream_lines(subject, None, LogStream.STDERR)
    return Trouble(
        subject.told,
        " ".join(filter(None, (_way_out(subject), remedy(errors, subject.label)))),
        tuple(f"stderr: {line}" for line in errors[-ERRORS_SHOWN:]),
        "bundle.respawn",
    )


def _way_out(subject: Subject) -> str:
    assert subject.reason is not None
    if subject.reason.code == "start_timeout":
        longer = round(subject.definition.settings.start_budget_s * 2)
        return (
            "Make sure that its module waits for nothing while it is loaded; where that only takes "
            f"long, `roost set {subject.label} --start-budget {longer}`; then {subject.respawn}."
        )
    return f"Change what its module declares, or who else has it; then {subject.respawn}."


def check_offered(subject: Subject) -> WhyStep:
    """Look which tasks a worker offers."""
    incarnation = subject.incarnation
    if not subject.is_serving or incarnation is None:
        return unknown(WhyCheck.TOOLS, "it has not told its tasks yet")
    names = incarnation.tasks
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    listed = f": {', '.join(names[:NAMES_SHOWN])}{more}" if names else ""
    count = f"{len(names)} task{'' if len(names) == 1 else 's'}"
    return passed(WhyCheck.TOOLS, f"it offers {count}{listed}")
