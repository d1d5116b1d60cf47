"""What becomes of a run of a task whose attempt did not finish it, as pure rules."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from roost.models import (
    JournalEntry,
    Recovery,
    RunAttempt,
    RunError,
    RunView,
    StepState,
    TaskSpec,
    WaitReason,
)
from roost.runs.values import Ending

LOST = "lost"
"""Code of an attempt whose worker crashed, or was not heard of any more."""

INTERRUPTED = "interrupted"
"""Code of an attempt whose worker was stopped, or gave the run back."""

DAEMON_GONE = RunError(LOST, "the daemon whose worker did it ended")
CRASHED = RunError(LOST, "its worker ended in the middle of it")
STOPPED = RunError(INTERRUPTED, "its worker was stopped in the middle of it")
SILENT = RunError(LOST, "its worker has not told of it for as long as its lease holds")
LEAVING = RunError(INTERRUPTED, "its worker left in the middle of it")
CLOSING = RunError(INTERRUPTED, "the daemon stopped in the middle of it")

CRASHES_ALLOWED = 10
"""Attempts in a row that end with their worker and get no step further: by then the run is what
ends the worker, and takes every other run of it along each time."""

JITTER = 0.2
"""Part by which a pause is shorter or longer: runs that failed together shall not meet again."""


@dataclass(frozen=True, slots=True)
class Requeue:
    """The run waits for another attempt."""

    error: RunError
    """Why the attempt under way did not finish it."""
    waits: WaitReason | None = None
    """None when nothing keeps it from being claimed but the workers themselves."""
    pause_ms: int | None = None
    journal: Literal["kept", "emptied"] = "kept"


def after_loss(
    run: RunView,
    spec: TaskSpec | None,
    error: RunError,
    *,
    journal: Sequence[JournalEntry],
    attempts: Sequence[RunAttempt],
    now: int,
) -> Ending | Requeue:
    """Say what becomes of a run whose worker ended, or gave it back.

    Args:
        spec: the task as it is offered now, None when no bundle offers it any more.
        error: `LOST` or `INTERRUPTED`, with the sentence that tells how.
        attempts: of this run, the one that has just ended among them.
    """
    if run.stop_requested_at is not None:
        return stopped(run)
    if spec is None or spec.recovery is Recovery.NEVER:
        return Ending.failed(error.code, error.sentence)
    if spec.age_limit_s is not None and _is_too_old(run, spec.age_limit_s, now):
        told = f"{error.sentence}; it was begun more than {spec.age_limit_s:g} s ago, which is as "
        return Ending.failed("too_old", told + "long as its task lets it be recovered")
    if error.code == LOST and _crashes_in_a_row(journal, attempts) >= CRASHES_ALLOWED:
        told = (
            f"{CRASHES_ALLOWED} attempts in a row ended with their worker and got no step further"
        )
        return Ending.failed("crash_loop", f"{told}; the last: {error.sentence}")
    waits = WaitReason.USER if run.on_behalf_of is not None else None
    return Requeue(error, waits, journal=_fate(spec))


def after_failure(
    run: RunView, spec: TaskSpec | None, error: RunError, attempts: Sequence[RunAttempt]
) -> Requeue | None:
    """Say when a run is tried again that failed with a transient error; None means never.

    Args:
        attempts: of this run, the one that has just failed among them.
    """
    if spec is None or run.stop_requested_at is not None:
        return None
    failures = 1 + sum(
        attempt.error is not None and not _was_lost(attempt)
        for attempt in attempts
        if attempt.number < run.attempt
    )
    if failures > spec.retry.attempts:
        return None
    pause_s = min(spec.retry.longest_s, spec.retry.first_s * 2.0 ** (failures - 1))
    pause_ms = round(pause_s * 1000 * random.uniform(1 - JITTER, 1 + JITTER))
    if error.code in (LOST, INTERRUPTED):  # a handler's own word: its worker is there
        error = RunError("failed", error.sentence)
    return Requeue(error, WaitReason.RETRY, pause_ms, _fate(spec))


def stopped(run: RunView) -> Ending:
    """Return the end of a run that was asked to stop."""
    return Ending.aborted("stopped", f"stopped by {run.stop_requested_by}")


def _fate(spec: TaskSpec) -> Literal["kept", "emptied"]:
    return "emptied" if spec.recovery is Recovery.RERUN else "kept"


def _is_too_old(run: RunView, limit_s: float, now: int) -> bool:
    return limit_s == 0 or now - run.created_at > limit_s * 1000


def _crashes_in_a_row(journal: Sequence[JournalEntry], attempts: Sequence[RunAttempt]) -> int:
    """Count the attempts up to the newest that ended with their worker and finished no step."""
    done = (entry.attempt for entry in journal if entry.state is StepState.DONE)
    got_further = max(done, default=0)
    count = 0
    for attempt in reversed(attempts):
        is_crash = attempt.ended_at is None or (attempt.error and attempt.error.code == LOST)
        if attempt.number <= got_further or not is_crash:
            break
        count += 1
    return count


def _was_lost(attempt: RunAttempt) -> bool:
    return attempt.error is not None and attempt.error.code in (LOST, INTERRUPTED)
