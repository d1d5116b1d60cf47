"""Schedules, each with how far it has come."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Delete, Row, select

from roost.models import RunError, ScheduleSpec, ScheduleView
from roost.models.codec import from_json, to_json
from roost.store.database import Database
from roost.store.tables import schedules as table


class SqlScheduleRows:
    """Meets `roost.store.base.ScheduleRows`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self) -> tuple[ScheduleView, ...]:
        """Return every schedule by workspace and name; a paused one with its next fire."""
        async with self._database.read() as connection:
            rows = await connection.execute(select(table).order_by(table.c.workspace, table.c.name))
            return tuple(_schedule(row) for row in rows)

    async def put(self, schedule: ScheduleView) -> None:
        """Insert a schedule, or write over the one of its name."""
        async with self._database.write() as connection:
            await connection.execute(_of(schedule.workspace, schedule.spec.name))
            await connection.execute(table.insert().values(_values(schedule)))

    async def remove(self, workspace: str, name: str) -> None:
        """Delete a schedule; nothing happens when there is none of this name."""
        async with self._database.write() as connection:
            await connection.execute(_of(workspace, name))


def _of(workspace: str, name: str) -> Delete:
    return table.delete().where(table.c.workspace == workspace, table.c.name == name)


def _values(schedule: ScheduleView) -> dict[str, Any]:
    disabled = schedule.disabled
    return {
        "workspace": schedule.workspace,
        "name": schedule.spec.name,
        "spec": to_json(schedule.spec).decode(),
        "bundle": schedule.bundle,
        "is_paused": schedule.is_paused,
        "next_at": schedule.next_at,
        "last_at": schedule.last_at,
        "last_run": schedule.last_run,
        "failures": schedule.failures,
        "disabled_code": disabled.code if disabled is not None else None,
        "disabled_sentence": disabled.sentence if disabled is not None else None,
    }


def _schedule(row: Row[Any]) -> ScheduleView:
    is_disabled = row.disabled_code is not None
    return ScheduleView(
        workspace=row.workspace,
        spec=from_json(row.spec, ScheduleSpec),
        bundle=row.bundle,
        is_paused=row.is_paused,
        next_at=row.next_at,
        last_at=row.last_at,
        last_run=row.last_run,
        failures=row.failures,
        disabled=RunError(row.disabled_code, row.disabled_sentence) if is_disabled else None,
    )
