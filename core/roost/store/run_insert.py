"""Inserting a run, and naming the run that is in its way."""

from __future__ import annotations

from sqlalchemy import ColumnElement, bindparam, select
from sqlalchemy.exc import IntegrityError

from roost.errors import AlreadyActive, BadInput, IdempotencyConflict, RoostError
from roost.models import NewRun, RunEventKind
from roost.store import sqlite
from roost.store.database import Database
from roost.store.fixed_statement import Execute, fixed
from roost.store.run_columns import is_active
from roost.store.run_statements import IS_ACTIVE, insert_events, insert_new
from roost.store.run_writes import event
from roost.store.tables import one_active_run, one_run_per_key, runs

INSERT_ATTEMPTS = 5
"""Tries of an insert whose scope was taken by a run that had settled before it could be named."""


async def insert_run(database: Database, new: NewRun) -> None:
    """Insert a run and its input in one transaction.

    Raises:
        AlreadyActive: its scope has an active run; nothing was inserted.
        IdempotencyConflict: its key is taken in this workspace; nothing was inserted.
        BadInput: its parent is no active run of this workspace, or was asked to stop.
    """
    for attempt in range(1, INSERT_ATTEMPTS + 1):
        try:
            return await database.write_at_once(lambda execute: _insert(execute, new))
        except IntegrityError as error:
            constraint = sqlite.violated(error)
            if constraint not in (one_active_run.name, one_run_per_key.name):
                raise
            refusal = await _refusal(database, new, constraint)
            if refusal is not None:
                raise refusal from error
            if attempt == INSERT_ATTEMPTS:
                raise


def _insert(execute: Execute, new: NewRun) -> None:
    if new.run.parent is not None:
        _check_parent(execute, new.run.parent, new.run.workspace)
    insert_new(execute, new)
    if new.run.last_seq:
        started = new.run.started_at or new.run.created_at
        kind, message = RunEventKind.STATUS, str(new.run.status)
        insert_events(execute, [event(new.run.id, new.run.last_seq, started, kind, message, None)])


_ACTIVE_PARENT = fixed(
    select(runs.c.id).where(
        runs.c.id == bindparam("parent"),
        runs.c.workspace == bindparam("of_workspace"),
        runs.c.stop_requested_at.is_(None),
        IS_ACTIVE,
    )
)


def _check_parent(execute: Execute, parent: str, workspace: str) -> None:
    """Refuse a parent that could not stop its child any more.

    Raises:
        BadInput: it is not there, has settled, or was asked to stop.
    """
    if not execute(_ACTIVE_PARENT, {"parent": parent, "of_workspace": workspace}):
        raise BadInput(
            f"nothing can be begun under {parent!r}: it is no run of this workspace that goes on; "
            "name an active run, or none",
            parent=parent,
        )


async def _refusal(database: Database, new: NewRun, constraint: str | None) -> RoostError | None:
    scope, key = new.run.scope or "", new.run.idempotency_key or ""
    if constraint == one_active_run.name:
        other = await _run_in_way(database, new, (runs.c.scope == scope) & is_active())
        return AlreadyActive(scope, other) if other else None
    other = await _run_in_way(database, new, runs.c.idempotency_key == key)
    return IdempotencyConflict(key, other) if other else None


async def _run_in_way(
    database: Database, new: NewRun, condition: ColumnElement[bool]
) -> str | None:
    query = select(runs.c.id).where(runs.c.workspace == new.run.workspace, condition)
    async with database.read() as connection:
        other: str | None = await connection.scalar(query)
    return other
