"""What becomes of a schedule, as pure rules: which fires are due, and when it fires no more."""

from __future__ import annotations

import re
from dataclasses import replace

from roost.errors import BadInput
from roost.models import MissedFires, RunError, ScheduleSpec, ScheduleView
from roost.runs.cron import Cron

FAILURES_ALLOWED = 5
"""In a row, as for a bundle that is parked: the sixth would tell nothing new."""

LATE_MS = 60_000
"""A fire this late is on time still: a daemon that was restarted or held up has not missed it."""

MOST_MISSED = 100
"""Of many missed fires the newest ones: a day of every quarter of an hour."""

NAME_PATTERN = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}"
_NAME = re.compile(NAME_PATTERN)


def check_name(name: str) -> None:
    """Make sure that a schedule can be named so.

    Raises:
        BadInput: it cannot.
    """
    if not _NAME.fullmatch(name):
        raise BadInput(
            f"{name[:100]!r} is no name for a schedule; use letters, digits, dots, dashes and "
            "underscores, 100 at most"
        )


def due_fires(view: ScheduleView, cron: Cron, now: int) -> tuple[int, ...]:
    """Return the times that a schedule is to be fired for now, oldest first."""
    assert view.next_at is not None
    if view.spec.missed is MissedFires.ALL:
        return cron.newest(view.next_at, now, MOST_MISSED)
    newest = cron.newest(view.next_at, now, 1)
    if view.spec.missed is MissedFires.ONCE:
        return newest
    return tuple(at for at in newest if now - at <= LATE_MS)


def placed(
    old: ScheduleView | None, spec: ScheduleSpec, cron: Cron, now: int, made: ScheduleView
) -> ScheduleView:
    """Return a schedule as it is to be kept from now on; what it has done so far is kept.

    Args:
        made: as it is where there was none before.
    """
    if old is None:
        return replace(made, next_at=cron.after(now))
    keeps_time = (old.spec.cron, old.spec.timezone) == (spec.cron, spec.timezone)
    return replace(old, spec=spec, next_at=old.next_at if keeps_time else cron.after(now))


def resumed(view: ScheduleView, cron: Cron, now: int) -> ScheduleView:
    """Return a schedule that fires again; what it missed while it was paused goes by its policy."""
    forgets = view.disabled is not None or view.spec.missed is MissedFires.SKIP
    return replace(
        view,
        is_paused=False,
        disabled=None,
        failures=0,
        next_at=cron.after(now) if forgets else view.next_at,
    )


def with_failure(view: ScheduleView, sentence: str) -> ScheduleView:
    """Return a schedule with one more failure in a row, which may be the one too many."""
    failures = view.failures + 1
    if failures < FAILURES_ALLOWED or view.disabled is not None:
        return replace(view, failures=failures)
    name = view.spec.name
    told = RunError(
        "schedule_failing",
        f"{name} of {view.workspace} fires no more: it failed {failures} times in a row, the last "
        f"time because {sentence}; mend that, then `roost schedule resume {name}`",
    )
    return replace(view, failures=failures, disabled=told)
