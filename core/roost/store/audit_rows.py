"""The append-only audit log."""

from __future__ import annotations

from dataclasses import fields

from sqlalchemy import select

from roost.models import AuditEntry
from roost.store.database import Database
from roost.store.fixed_statement import fixed
from roost.store.tables import audit

_FIELDS = tuple(field.name for field in fields(AuditEntry))

_ADD = fixed(audit.insert())


class SqlAuditRows:
    """Meets `roost.store.base.AuditRows`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, entry: AuditEntry) -> None:
        """Append an entry."""
        values = {name: getattr(entry, name) for name in _FIELDS}
        async with self._database.write() as connection:
            await connection.execute(_ADD, values)

    async def newest(self, limit: int) -> tuple[AuditEntry, ...]:
        """Return the newest entries, newest first."""
        query = (
            select(*(audit.c[name] for name in _FIELDS)).order_by(audit.c.id.desc()).limit(limit)
        )
        async with self._database.read() as connection:
            return tuple(AuditEntry(**row._mapping) for row in await connection.execute(query))
