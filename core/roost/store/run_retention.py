"""What is let go of settled runs, in batches small enough for writers to pass between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, delete, func, not_, select, tuple_

from roost.models import KeptRun
from roost.store.database import Database
from roost.store.run_columns import is_active
from roost.store.tables import run_events, runs

_KEPT_COLUMNS = (
    runs.c.id,
    runs.c.workspace,
    runs.c.last_seq,
    (runs.c.last_seq - runs.c.events_dropped).label("event_count"),
)


class SqlRunRetention:
    """The part of `roost.store.base.RunRows` that removes; active runs are never touched."""

    _database: Database

    async def settled_before(self, at: int, *, limit: int) -> tuple[KeptRun, ...]:
        """Return settled runs that finished before `at`, oldest first."""
        # A run begins before it finishes, and the index knows when it began.
        old = and_(_is_settled(), runs.c.created_at < at, runs.c.finished_at < at)
        return await self._kept(_oldest_first(old, limit))

    async def settled_beyond(self, keep: int, *, limit: int) -> tuple[KeptRun, ...]:
        """Return settled runs of one workspace beyond its `keep` newest ones, oldest first.

        Call it again until it returns none: other workspaces may have too many as well.
        """
        full = (
            select(runs.c.workspace)
            .where(_is_settled())
            .group_by(runs.c.workspace)
            .having(func.count() > keep)
            .limit(1)
        )
        async with self._database.read() as connection:
            workspace = await connection.scalar(full)
        if workspace is None:
            return ()
        settled = and_(_is_settled(), runs.c.workspace == workspace)
        newest_to_go = (
            select(runs.c.created_at, runs.c.id)
            .where(settled)
            .order_by(runs.c.created_at.desc(), runs.c.id.desc())
            .offset(keep)
            .limit(1)
            .scalar_subquery()
        )
        beyond = and_(settled, tuple_(runs.c.created_at, runs.c.id) <= newest_to_go)
        return await self._kept(_oldest_first(beyond, limit))

    async def settled_with_more_events(self, keep: int, *, limit: int) -> tuple[KeptRun, ...]:
        """Return settled runs that keep more than `keep` events."""
        long = and_(_is_settled(), runs.c.last_seq - runs.c.events_dropped > keep)
        return await self._kept(select(*_KEPT_COLUMNS).where(long).limit(limit))

    async def drop_events(self, run_id: str, *, up_to: int, limit: int) -> int:
        """Delete the oldest events of a settled run, up to a number and `limit` at once.

        Returns:
            How many were deleted.
        """
        settled = and_(runs.c.id == run_id, _is_settled())
        async with self._database.write() as connection:
            dropped = await connection.scalar(select(runs.c.events_dropped).where(settled))
            if dropped is None or dropped >= up_to:
                return 0
            last = min(up_to, dropped + limit)
            await connection.execute(
                delete(run_events).where(run_events.c.run_id == run_id, run_events.c.seq <= last)
            )
            await connection.execute(runs.update().where(settled).values(events_dropped=last))
        return int(last - dropped)

    async def remove_settled(self, run_ids: Sequence[str]) -> int:
        """Delete settled runs with their payloads and events; returns how many there were."""
        gone = and_(runs.c.id.in_(run_ids), _is_settled())
        async with self._database.write() as connection:
            return (await connection.execute(delete(runs).where(gone))).rowcount

    async def _kept(self, query: Select[Any]) -> tuple[KeptRun, ...]:
        async with self._database.read() as connection:
            return tuple(_kept_of(row) for row in await connection.execute(query))


def _is_settled() -> ColumnElement[bool]:
    return not_(is_active())


def _oldest_first(condition: ColumnElement[bool], limit: int) -> Select[Any]:
    age = (runs.c.created_at, runs.c.id)
    return select(*_KEPT_COLUMNS).where(condition).order_by(*age).limit(limit)


def _kept_of(row: Row[*tuple[Any, ...]]) -> KeptRun:
    return KeptRun(**row._mapping)
