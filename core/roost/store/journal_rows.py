"""What a run of a task has besides other runs: the journal of its steps, and its attempts.

These are functions on a connection: what they write belongs to a change of the run's own row.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, and_, delete, select, update

from roost.models import JournalEntry, RunAttempt, RunError, StepState
from roost.models.codec import from_json
from roost.store.connection import StoreConnection
from roost.store.tables import run_attempts, run_journal


async def mark_interrupted(connection: StoreConnection, run_id: str) -> None:
    """Note of every step that is under way that its attempt has ended in the middle of it."""
    under_way = and_(run_journal.c.run_id == run_id, run_journal.c.state == StepState.STARTED)
    await connection.execute(update(run_journal).where(under_way).values(was_interrupted=True))


async def empty_journal(connection: StoreConnection, run_id: str) -> None:
    """Forget every step of a run."""
    await connection.execute(delete(run_journal).where(run_journal.c.run_id == run_id))


async def journal_of(connection: StoreConnection, run_id: str) -> tuple[JournalEntry, ...]:
    """Return the steps of a run in the order in which they were begun first."""
    query = select(run_journal).where(run_journal.c.run_id == run_id).order_by(run_journal.c.place)
    return tuple(_entry_of(row) for row in await connection.execute(query))


async def end_attempt(
    connection: StoreConnection, run_id: str, at: int, error: RunError | None
) -> None:
    """Note that the attempt at a run that is under way has ended, if there is one."""
    under_way = and_(run_attempts.c.run_id == run_id, run_attempts.c.ended_at.is_(None))
    values = {
        "ended_at": at,
        "error_code": error.code if error else None,
        "error_sentence": error.sentence if error else None,
    }
    await connection.execute(update(run_attempts).where(under_way).values(**values))


async def attempts_of(connection: StoreConnection, run_id: str) -> tuple[RunAttempt, ...]:
    """Return the attempts at a run, oldest first."""
    query = (
        select(run_attempts).where(run_attempts.c.run_id == run_id).order_by(run_attempts.c.number)
    )
    return tuple(_attempt_of(row) for row in await connection.execute(query))


def _entry_of(row: Row[*tuple[Any, ...]]) -> JournalEntry:
    return JournalEntry(
        name=row.name,
        state=row.state,
        attempt=row.attempt,
        started_at=row.started_at,
        ended_at=row.ended_at,
        value=None if row.value is None else from_json(row.value, Any),
        was_interrupted=row.was_interrupted,
    )


def _attempt_of(row: Row[*tuple[Any, ...]]) -> RunAttempt:
    error = None
    if row.error_code is not None:
        error = RunError(row.error_code, row.error_sentence)
    return RunAttempt(
        number=row.number,
        started_at=row.started_at,
        ended_at=row.ended_at,
        bundle=row.bundle,
        generation=row.generation,
        error=error,
    )
