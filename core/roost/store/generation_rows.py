"""Generations of bundles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from sqlalchemy import Update, and_, bindparam, func, select

from roost.models import GenerationView, LiveGeneration
from roost.store.database import Database
from roost.store.fixed_statement import fixed
from roost.store.tables import generations

_VIEW_FIELDS = tuple(field.name for field in fields(GenerationView))


def _setting(*columns: str) -> Update:
    return fixed(
        generations.update()
        .where(generations.c.id == bindparam("of_generation"))
        .values({name: bindparam(f"new_{name}") for name in columns})
    )


# Built once: every start and every end executes them.
_ADD = fixed(generations.insert())
_READY = _setting("ready_at", "ready_ms")
_ENDED = _setting("ended_at", "exit")


class SqlGenerationRows:
    """Meets `roost.store.base.GenerationRows`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def newest(self) -> dict[tuple[str, str], GenerationView]:
        """Return the newest generation of every bundle, by workspace and name."""
        table = generations.c
        last = (
            select(table.workspace, table.bundle, func.max(table.number).label("number"))
            .group_by(table.workspace, table.bundle)
            .subquery()
        )
        query = select(table.workspace, table.bundle, *(table[name] for name in _VIEW_FIELDS)).join(
            last,
            and_(
                last.c.workspace == table.workspace,
                last.c.bundle == table.bundle,
                last.c.number == table.number,
            ),
        )
        async with self._database.read() as connection:
            found = (await connection.execute(query)).all()
        return {(row[0], row[1]): GenerationView(*row[2:]) for row in found}

    async def add(self, workspace: str, bundle: str, view: GenerationView, handle: str) -> None:
        """Insert a generation with the handle that finds its processes again."""
        values = {name: getattr(view, name) for name in _VIEW_FIELDS}
        values |= {"workspace": workspace, "bundle": bundle, "handle": handle}
        async with self._database.write() as connection:
            await connection.execute(_ADD, values)

    async def set_ready(self, generation_id: str, ready_at: int, ready_ms: int) -> None:
        """Keep when a generation became ready."""
        change = {"new_ready_at": ready_at, "new_ready_ms": ready_ms}
        await self._set(_READY, generation_id, change)

    async def set_ended(self, generation_id: str, ended_at: int, exit: str) -> None:
        """Keep when and how a generation ended."""
        await self._set(_ENDED, generation_id, {"new_ended_at": ended_at, "new_exit": exit})

    async def live(self) -> tuple[LiveGeneration, ...]:
        """Return the generations without an end."""
        table = generations.c
        query = select(table.id, table.workspace, table.bundle, table.handle).where(
            table.ended_at.is_(None)
        )
        async with self._database.read() as connection:
            return tuple(LiveGeneration(*row) for row in await connection.execute(query))

    async def history(self, workspace: str, bundle: str, limit: int) -> tuple[GenerationView, ...]:
        """Return the newest generations, newest first."""
        query = (
            select(*(generations.c[name] for name in _VIEW_FIELDS))
            .where(generations.c.workspace == workspace, generations.c.bundle == bundle)
            .order_by(generations.c.number.desc())
            .limit(limit)
        )
        async with self._database.read() as connection:
            return tuple(GenerationView(**row._mapping) for row in await connection.execute(query))

    async def _set(self, setting: Update, generation_id: str, change: Mapping[str, object]) -> None:
        async with self._database.write() as connection:
            await connection.execute(setting, {"of_generation": generation_id, **change})
