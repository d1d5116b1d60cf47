"""Workspaces."""

from __future__ import annotations

from sqlalchemy import select

from roost.errors import AlreadyExists
from roost.models import WorkspaceView
from roost.store.database import Database, refusing
from roost.store.tables import workspaces


class SqlWorkspaceRows:
    """Meets `roost.store.base.WorkspaceRows`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self) -> tuple[WorkspaceView, ...]:
        """Return all workspaces by id."""
        async with self._database.read() as connection:
            rows = await connection.execute(select(workspaces).order_by(workspaces.c.id))
            return tuple(WorkspaceView(row.id, row.label, row.created_at) for row in rows)

    async def add(self, workspace: WorkspaceView) -> None:
        """Insert a workspace.

        Raises:
            AlreadyExists: the id is taken.
        """
        taken = {"pk_workspaces": lambda: AlreadyExists("workspace", workspace.id)}
        with refusing(taken):
            async with self._database.write() as connection:
                await connection.execute(
                    workspaces.insert().values(
                        id=workspace.id, label=workspace.label, created_at=workspace.created_at
                    )
                )
