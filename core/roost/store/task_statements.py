"""The statements that every attempt and every step of a task executes, each built once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, func, or_, select

from roost.models import (
    JournalEntry,
    JournalWrite,
    RunError,
    RunStatus,
    RunView,
    StepState,
    WaitReason,
)
from roost.models.codec import from_json, to_json
from roost.models.record import WAITING_OWNER
from roost.store.fixed_statement import Execute, fixed
from roost.store.run_columns import VIEW_COLUMNS
from roost.store.run_statements import read_view
from roost.store.tables import run_attempts, run_journal, run_payloads, runs

_OF_RUN = run_journal.c.run_id == bindparam("of_run")
_STEP = (_OF_RUN, run_journal.c.name == bindparam("of_name"))

_CLAIM = fixed(
    runs.update()
    .where(
        runs.c.id == bindparam("of_run"),
        runs.c.lease_owner == bindparam("by_nobody"),
        runs.c.lease_epoch == bindparam("under_epoch"),
        runs.c.status == bindparam("waiting"),
        runs.c.stop_requested_at.is_(None),
        or_(runs.c.available_at.is_(None), runs.c.available_at <= bindparam("at_time")),
        or_(runs.c.waits.is_(None), runs.c.waits != bindparam("for_person")),
    )
    .values(
        status=bindparam("new_status"),
        started_at=func.coalesce(runs.c.started_at, bindparam("at_time")),
        bundle=bindparam("new_bundle"),
        generation=bindparam("new_generation"),
        lease_owner=bindparam("new_owner"),
        lease_epoch=bindparam("new_epoch"),
        lease_ms=bindparam("new_lease_ms"),
        lease_until=bindparam("new_lease_until"),
        available_at=None,
        waits=None,
        last_seq=runs.c.last_seq + 1,
    )
    .returning(*VIEW_COLUMNS)
)
_ATTEMPT = fixed(run_attempts.insert())
_ATTEMPT_END = fixed(
    run_attempts.update()
    .where(run_attempts.c.run_id == bindparam("of_run"), run_attempts.c.ended_at.is_(None))
    .values(
        ended_at=bindparam("new_ended_at"),
        error_code=bindparam("new_code"),
        error_sentence=bindparam("new_sentence"),
    )
)
_INPUT = fixed(select(run_payloads.c.input).where(run_payloads.c.run_id == bindparam("of_run")))

_ENTRY = (
    run_journal.c.name,
    run_journal.c.state,
    run_journal.c.attempt,
    run_journal.c.started_at,
    run_journal.c.ended_at,
    run_journal.c.value,
    run_journal.c.was_interrupted,
)
_JOURNAL = fixed(select(*_ENTRY).where(_OF_RUN).order_by(run_journal.c.place))
_STATE = fixed(select(run_journal.c.state).where(*_STEP))
_PLACES = fixed(select(func.count(run_journal.c.place)).where(_OF_RUN))
_BEGIN = fixed(run_journal.insert())
_BEGIN_AGAIN = fixed(
    run_journal.update()
    .where(*_STEP)
    .values(
        state=bindparam("new_state"),
        attempt=bindparam("new_attempt"),
        started_at=bindparam("new_started_at"),
        ended_at=None,
        value=None,
    )
)
_END = fixed(
    run_journal.update()
    .where(*_STEP)
    .values(
        state=bindparam("new_state"),
        ended_at=bindparam("new_ended_at"),
        value=bindparam("new_value"),
    )
)


def claim_now(
    execute: Execute,
    run_id: str,
    *,
    at: int,
    owner: str,
    epoch: int,
    bundle: str,
    generation: int | None,
    lease_ms: int,
) -> RunView | None:
    """Give a run that waits to a worker, and begin the attempt; see `TaskRows.claim`."""
    values = {
        "of_run": run_id,
        "by_nobody": WAITING_OWNER,
        "under_epoch": epoch,
        "waiting": RunStatus.PENDING,
        "at_time": at,
        "for_person": WaitReason.USER,
        "new_status": RunStatus.RUNNING,
        "new_bundle": bundle,
        "new_generation": generation,
        "new_owner": owner,
        "new_epoch": epoch + 1,
        "new_lease_ms": lease_ms,
        "new_lease_until": at + lease_ms,
    }
    rows = execute(_CLAIM, values)
    if not rows:
        return None
    view = read_view(rows[0])
    attempt = {
        "run_id": run_id,
        "number": view.attempt,
        "started_at": at,
        "bundle": bundle,
        "generation": generation,
    }
    execute(_ATTEMPT, attempt)
    return view


def end_attempt_now(execute: Execute, run_id: str, at: int, error: RunError | None) -> None:
    """Note that the attempt at a run that is under way has ended, if there is one."""
    values = {
        "of_run": run_id,
        "new_ended_at": at,
        "new_code": error.code if error else None,
        "new_sentence": error.sentence if error else None,
    }
    execute(_ATTEMPT_END, values)


def input_of(execute: Execute, run_id: str) -> str:
    """Return the input of a run as JSON."""
    rows = execute(_INPUT, {"of_run": run_id})
    return str(rows[0][0]) if rows else "null"


def journal_rows_of(execute: Execute, run_id: str) -> Sequence[Sequence[Any]]:
    """Return the steps of a run in the order in which they were begun first; see `entry_of`."""
    return execute(_JOURNAL, {"of_run": run_id})


def entry_of(row: Sequence[Any]) -> JournalEntry:
    """Read a step by the places of its columns."""
    name, state, attempt, started_at, ended_at, value, was_interrupted = row
    kept = None if value is None else from_json(value, Any)
    return JournalEntry(name, state, attempt, started_at, ended_at, kept, was_interrupted)


def write_journal(execute: Execute, view: RunView, writes: Sequence[JournalWrite], at: int) -> None:
    """Write what a handler tells of its steps; a step that is done stays as it is."""
    for write in writes:
        step = {"of_run": view.id, "of_name": write.name}
        rows = execute(_STATE, step)
        before = rows[0][0] if rows else None
        if before is StepState.DONE:
            continue
        if before is None:
            _begin(execute, view, write.name, at)
        if write.state is not StepState.STARTED:
            told = write.value if write.state is StepState.DONE else write.error
            end = {
                "new_state": write.state,
                "new_ended_at": at,
                "new_value": to_json(told).decode(),
            }
            execute(_END, step | end)
        elif before is not None:
            again = {
                "new_state": write.state,
                "new_attempt": view.attempt,
                "new_started_at": at,
            }
            execute(_BEGIN_AGAIN, step | again)


def _begin(execute: Execute, view: RunView, name: str, at: int) -> None:
    places = execute(_PLACES, {"of_run": view.id})[0][0]
    values = {
        "run_id": view.id,
        "name": name,
        "place": places + 1,
        "state": StepState.STARTED,
        "attempt": view.attempt,
        "started_at": at,
        "ended_at": None,
        "value": None,
        "was_interrupted": False,
    }
    execute(_BEGIN, values)
