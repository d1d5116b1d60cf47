"""Installed bundles."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Row, and_, select

from roost.errors import AlreadyExists
from roost.models import BundleRow, CredentialRow, Definition
from roost.models.codec import from_json, to_json
from roost.store.credential_rows import add_set
from roost.store.database import Database, refusing
from roost.store.tables import bundles, credential_sets, credentials

FIRST_REVISION = 1
"""Revision of the credentials that come with an install."""


class SqlBundleRows:
    """Meets `roost.store.base.BundleRows`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self) -> tuple[BundleRow, ...]:
        """Return the bundles of all workspaces, by workspace and name."""
        query = select(bundles).order_by(bundles.c.workspace, bundles.c.name)
        async with self._database.read() as connection:
            return tuple(_bundle(row) for row in await connection.execute(query))

    async def add(self, row: BundleRow, sealed: tuple[CredentialRow, ...] = ()) -> None:
        """Insert a bundle and the first revision of its credentials, both or none.

        Raises:
            AlreadyExists: the name is taken in this workspace.
        """
        with refusing({"pk_bundles": lambda: AlreadyExists("bundle", row.name)}):
            async with self._database.write() as connection:
                await connection.execute(
                    bundles.insert().values(
                        workspace=row.workspace,
                        name=row.name,
                        definition=to_json(row.definition).decode(),
                        should_run=row.should_run,
                        installed_at=row.installed_at,
                        era=row.era,
                    )
                )
                if sealed:
                    await add_set(connection, row.workspace, row.name, FIRST_REVISION, sealed)

    async def set_should_run(self, workspace: str, name: str, should_run: bool) -> None:
        """Keep whether the operator wants the bundle up."""
        await self._set(workspace, name, should_run=should_run)

    async def set_era(self, workspace: str, name: str, era: str) -> None:
        """Keep the protocol version that the installed version answered with."""
        await self._set(workspace, name, era=era)

    async def set_definition(self, workspace: str, name: str, definition: Definition) -> None:
        """Keep another definition of a bundle."""
        await self._set(workspace, name, definition=to_json(definition).decode())

    async def remove(self, workspace: str, name: str) -> None:
        """Delete the bundle and its credentials; generations, transitions and runs stay."""
        async with self._database.write() as connection:
            for table in (credentials, credential_sets):
                await connection.execute(
                    table.delete().where(table.c.workspace == workspace, table.c.bundle == name)
                )
            await connection.execute(bundles.delete().where(_is(workspace, name)))

    async def _set(self, workspace: str, name: str, **values: object) -> None:
        async with self._database.write() as connection:
            await connection.execute(bundles.update().where(_is(workspace, name)).values(**values))


def _is(workspace: str, name: str) -> ColumnElement[bool]:
    return and_(bundles.c.workspace == workspace, bundles.c.name == name)


def _bundle(row: Row[Any]) -> BundleRow:
    return BundleRow(
        workspace=row.workspace,
        name=row.name,
        definition=from_json(row.definition, Definition),
        should_run=row.should_run,
        installed_at=row.installed_at,
        era=row.era,
    )
