"""What a run of a task has besides other runs: the journal of its steps, and its attempts.

These are functions on a connection: what they write belongs to a change of the run's own row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Update, and_, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from roost.models import (
    JournalEntry,
    JournalWrite,
    RunAttempt,
    RunError,
    RunView,
    StepState,
)
from roost.models.codec import from_json, to_json
from roost.store.tables import run_attempts, run_journal


async def write_journal(
    connection: AsyncConnection, view: RunView, writes: Sequence[JournalWrite], at: int
) -> None:
    """Write what a handler tells of its steps; a step that is done stays as it is."""
    known = await _states(connection, view.id)
    for write in writes:
        before = known.get(write.name)
        if before is StepState.DONE:
            continue
        if before is None:
            await _begin(connection, view, write, at, place=len(known) + 1)
        if before is not None or write.state is not StepState.STARTED:
            await _change(connection, view, write, at)
        known[write.name] = write.state


async def mark_interrupted(connection: AsyncConnection, run_id: str) -> None:
    """Note of every step that is under way that its attempt has ended in the middle of it."""
    under_way = and_(run_journal.c.run_id == run_id, run_journal.c.state == StepState.STARTED)
    await connection.execute(update(run_journal).where(under_way).values(was_interrupted=True))


async def empty_journal(connection: AsyncConnection, run_id: str) -> None:
    """Forget every step of a run."""
    await connection.execute(delete(run_journal).where(run_journal.c.run_id == run_id))


async def journal_of(connection: AsyncConnection, run_id: str) -> tuple[JournalEntry, ...]:
    """Return the steps of a run in the order in which they were begun first."""
    query = select(run_journal).where(run_journal.c.run_id == run_id).order_by(run_journal.c.place)
    return tuple(_entry_of(row) for row in await connection.execute(query))


async def begin_attempt(connection: AsyncConnection, view: RunView, at: int) -> None:
    """Note that an attempt at a run begins, in the generation that the run names."""
    values = {
        "run_id": view.id,
        "number": view.attempt,
        "started_at": at,
        "bundle": view.bundle,
        "generation": view.generation,
    }
    await connection.execute(run_attempts.insert().values(**values))


async def end_attempt(
    connection: AsyncConnection, run_id: str, at: int, error: RunError | None
) -> None:
    """Note that the attempt at a run that is under way has ended, if there is one."""
    await connection.execute(attempt_end(run_id, at, error))


def attempt_end(run_id: str, at: int, error: RunError | None) -> Update:
    """Return what `end_attempt` executes."""
    under_way = and_(run_attempts.c.run_id == run_id, run_attempts.c.ended_at.is_(None))
    values = {
        "ended_at": at,
        "error_code": error.code if error else None,
        "error_sentence": error.sentence if error else None,
    }
    return update(run_attempts).where(under_way).values(**values)


async def attempts_of(connection: AsyncConnection, run_id: str) -> tuple[RunAttempt, ...]:
    """Return the attempts at a run, oldest first."""
    query = (
        select(run_attempts).where(run_attempts.c.run_id == run_id).order_by(run_attempts.c.number)
    )
    return tuple(_attempt_of(row) for row in await connection.execute(query))


async def _states(connection: AsyncConnection, run_id: str) -> dict[str, StepState]:
    query = select(run_journal.c.name, run_journal.c.state).where(run_journal.c.run_id == run_id)
    return {row.name: row.state for row in await connection.execute(query)}


async def _begin(
    connection: AsyncConnection, view: RunView, write: JournalWrite, at: int, *, place: int
) -> None:
    values = {
        "run_id": view.id,
        "name": write.name,
        "place": place,
        "state": StepState.STARTED,
        "attempt": view.attempt,
        "started_at": at,
        "was_interrupted": False,
    }
    await connection.execute(run_journal.insert().values(**values))


async def _change(connection: AsyncConnection, view: RunView, write: JournalWrite, at: int) -> None:
    values: dict[str, Any] = {"state": write.state}
    if write.state is StepState.STARTED:
        values |= {"attempt": view.attempt, "started_at": at, "ended_at": None, "value": None}
    else:
        told = write.value if write.state is StepState.DONE else write.error
        values |= {"ended_at": at, "value": to_json(told).decode()}
    await connection.execute(
        update(run_journal).where(_is_step(view.id, write.name)).values(**values)
    )


def _is_step(run_id: str, name: str) -> ColumnElement[bool]:
    return and_(run_journal.c.run_id == run_id, run_journal.c.name == name)


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
