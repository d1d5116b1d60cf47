"""Moves of slots."""

from __future__ import annotations

from dataclasses import fields

from sqlalchemy import select

from roost.models import Transition
from roost.store.database import Database
from roost.store.fixed_statement import fixed
from roost.store.tables import transitions

_FIELDS = tuple(field.name for field in fields(Transition))

_ADD = fixed(transitions.insert())


class SqlTransitionRows:
    """Meets `roost.store.base.TransitionRows`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, moves: tuple[Transition, ...]) -> None:
        """Append moves, in order."""
        if not moves:
            return
        rows = [{name: getattr(move, name) for name in _FIELDS} for move in moves]
        async with self._database.write() as connection:
            await connection.execute(_ADD, rows)

    async def newest(
        self, workspace: str | None, bundle: str | None, limit: int
    ) -> tuple[Transition, ...]:
        """Return the newest moves, newest first, of a bundle or of everything."""
        query = select(*(transitions.c[name] for name in _FIELDS))
        if workspace is not None:
            query = query.where(transitions.c.workspace == workspace)
        if bundle is not None:
            query = query.where(transitions.c.bundle == bundle)
        query = query.order_by(transitions.c.id.desc()).limit(limit)
        async with self._database.read() as connection:
            return tuple(Transition(**row._mapping) for row in await connection.execute(query))
