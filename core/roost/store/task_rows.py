"""Tasks that workers offer, and the runs of them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import and_, delete, select

from roost.errors import TaskTaken
from roost.models import TaskRow, TaskSpec
from roost.models.codec import from_json, to_json
from roost.store.connection import StoreConnection
from roost.store.database import Database
from roost.store.tables import tasks
from roost.store.task_run_rows import SqlTaskRunRows


class SqlTaskRows(SqlTaskRunRows):
    """Meets `roost.store.base.TaskRows`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self) -> tuple[TaskRow, ...]:
        """Return every task by workspace and name."""
        query = select(tasks).order_by(tasks.c.workspace, tasks.c.name)
        async with self._database.read() as connection:
            return tuple(
                TaskRow(row.workspace, row.bundle, from_json(row.spec, TaskSpec))
                for row in await connection.execute(query)
            )

    async def put(self, workspace: str, bundle: str, specs: Sequence[TaskSpec], *, at: int) -> None:
        """Make these the tasks of a bundle, instead of those that it offered before.

        Raises:
            TaskTaken: another bundle offers one of them; nothing has changed then.
        """
        async with self._database.write() as connection:
            await self._check_free(connection, workspace, bundle, specs)
            await self._forget(connection, workspace, bundle)
            for spec in specs:
                await connection.execute(
                    tasks.insert().values(
                        workspace=workspace,
                        name=spec.name,
                        bundle=bundle,
                        spec=to_json(spec).decode(),
                        seen_at=at,
                    )
                )

    async def forget_bundle(self, workspace: str, bundle: str) -> None:
        """Delete the tasks of a bundle; their runs stay."""
        async with self._database.write() as connection:
            await self._forget(connection, workspace, bundle)

    async def _check_free(
        self, connection: StoreConnection, workspace: str, bundle: str, specs: Sequence[TaskSpec]
    ) -> None:
        taken = (
            select(tasks.c.name, tasks.c.bundle)
            .where(
                tasks.c.workspace == workspace,
                tasks.c.bundle != bundle,
                tasks.c.name.in_([spec.name for spec in specs]),
            )
            .order_by(tasks.c.name)
        )
        for row in await connection.execute(taken):
            raise TaskTaken(row.name, row.bundle)

    async def _forget(self, connection: StoreConnection, workspace: str, bundle: str) -> None:
        of_bundle = and_(tasks.c.workspace == workspace, tasks.c.bundle == bundle)
        await connection.execute(delete(tasks).where(of_bundle))
