"""Inserting a run, and naming the run that is in its way."""

from __future__ import annotations

from sqlalchemy import ColumnElement, select
from sqlalchemy.exc import IntegrityError

from roost.errors import AlreadyActive, IdempotencyConflict, RoostError
from roost.models import NewRun
from roost.models.codec import to_json
from roost.store import sqlite
from roost.store.database import Database
from roost.store.run_columns import is_active, values_of
from roost.store.tables import one_active_run, one_run_per_key, run_payloads, runs

INSERT_ATTEMPTS = 5
"""Tries of an insert whose scope was taken by a run that had settled before it could be named."""


async def insert_run(database: Database, new: NewRun) -> None:
    """Insert a run and its input in one transaction.

    Raises:
        AlreadyActive: its scope has an active run; nothing was inserted.
        IdempotencyConflict: its key is taken in this workspace; nothing was inserted.
    """
    for attempt in range(1, INSERT_ATTEMPTS + 1):
        try:
            return await _insert(database, new)
        except IntegrityError as error:
            constraint = sqlite.violated(error)
            if constraint not in (one_active_run.name, one_run_per_key.name):
                raise
            refusal = await _refusal(database, new, constraint)
            if refusal is not None:
                raise refusal from error
            if attempt == INSERT_ATTEMPTS:
                raise


async def _insert(database: Database, new: NewRun) -> None:
    async with database.write() as connection:
        await connection.execute(
            runs.insert().values(
                **values_of(new.run),
                lease_owner=new.lease_owner,
                lease_epoch=new.lease_epoch,
                input_hash=new.input_hash,
            )
        )
        await connection.execute(
            run_payloads.insert().values(
                run_id=new.run.id, input=to_json(new.input).decode(), is_truncated=False
            )
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
