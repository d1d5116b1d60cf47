"""Installed bundles."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Row, Update, and_, bindparam, select

from roost.errors import AlreadyExists
from roost.models import BundleRow, CredentialRow, CredentialSet, Definition, VersionRow
from roost.models.codec import from_json, to_json
from roost.store.credential_rows import add_set, replace_set
from roost.store.database import Database, refusing
from roost.store.fixed_statement import fixed
from roost.store.tables import bundles, credential_sets, credentials
from roost.store.version_rows import (
    add_version,
    all_definitions,
    forget_all_versions,
    forget_versions,
    versions_of,
)

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

    async def add(
        self, row: BundleRow, sealed: tuple[CredentialRow, ...] = (), *, by: str = ""
    ) -> None:
        """Insert a bundle, its first version and the first revision of its credentials, or none.

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
                        version_number=row.version_number,
                    )
                )
                first = VersionRow(row.version_number, row.definition, row.installed_at, by)
                await add_version(connection, row.workspace, row.name, first)
                if sealed:
                    await add_set(connection, row.workspace, row.name, FIRST_REVISION, sealed)

    async def set_should_run(self, workspace: str, name: str, should_run: bool) -> None:
        """Keep whether the operator wants the bundle up."""
        await self._set(_WISH, workspace, name, should_run)

    async def set_era(self, workspace: str, name: str, era: str) -> None:
        """Keep the protocol version that the installed version answered with."""
        await self._set(_ERA, workspace, name, era)

    async def set_definition(self, workspace: str, name: str, definition: Definition) -> None:
        """Keep another definition of a bundle."""
        await self._set(_DEFINITION, workspace, name, to_json(definition).decode())

    async def versions(self, workspace: str, name: str) -> tuple[VersionRow, ...]:
        """Return the kept versions of a bundle, newest first."""
        async with self._database.read() as connection:
            return await versions_of(connection, workspace, name)

    async def kept_definitions(self) -> tuple[Definition, ...]:
        """Return the definitions of every kept version of every bundle."""
        async with self._database.read() as connection:
            return await all_definitions(connection)

    async def switch_version(
        self,
        row: BundleRow,
        *,
        new: VersionRow | None = None,
        credentials: CredentialSet | None = None,
    ) -> bool:
        """Start another version of a bundle from now on, in one transaction with what it needs.

        Args:
            row: the bundle as it is to be; its era is forgotten.
            new: a version to keep from now on.
            credentials: what becomes the next revision after the one it names.

        Returns:
            False, with nothing changed, when the credentials have another revision by now.
        """
        async with self._database.write() as connection:
            if credentials is not None and not await replace_set(
                connection, row.workspace, row.name, credentials.revision, credentials.rows
            ):
                return False
            if new is not None:
                await add_version(connection, row.workspace, row.name, new)
            await connection.execute(
                bundles.update()
                .where(_is(row.workspace, row.name))
                .values(
                    definition=to_json(row.definition).decode(),
                    version_number=row.version_number,
                    era=None,
                )
            )
            return True

    async def forget_versions(self, workspace: str, name: str, numbers: tuple[int, ...]) -> None:
        """Delete versions of a bundle."""
        async with self._database.write() as connection:
            await forget_versions(connection, workspace, name, numbers)

    async def remove(self, workspace: str, name: str) -> None:
        """Delete the bundle with its versions and credentials; its history stays."""
        async with self._database.write() as connection:
            await forget_all_versions(connection, workspace, name)
            for table in (credentials, credential_sets):
                await connection.execute(
                    table.delete().where(table.c.workspace == workspace, table.c.bundle == name)
                )
            await connection.execute(bundles.delete().where(_is(workspace, name)))

    async def _set(self, setting: Update, workspace: str, name: str, value: object) -> None:
        of = {"of_workspace": workspace, "of_name": name}
        async with self._database.write() as connection:
            await connection.execute(setting, {**of, "new_value": value})


def _is(workspace: str, name: str) -> ColumnElement[bool]:
    return and_(bundles.c.workspace == workspace, bundles.c.name == name)


def _setting(column: str) -> Update:
    return fixed(
        bundles.update()
        .where(
            bundles.c.workspace == bindparam("of_workspace"),
            bundles.c.name == bindparam("of_name"),
        )
        .values({column: bindparam("new_value")})
    )


# Built once: starts and stops execute them.
_WISH = _setting("should_run")
_ERA = _setting("era")
_DEFINITION = _setting("definition")


def _bundle(row: Row[Any]) -> BundleRow:
    return BundleRow(
        workspace=row.workspace,
        name=row.name,
        definition=from_json(row.definition, Definition),
        should_run=row.should_run,
        installed_at=row.installed_at,
        era=row.era,
        version_number=row.version_number,
    )
