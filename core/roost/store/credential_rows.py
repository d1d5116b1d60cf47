"""Encrypted credentials: the newest set of each bundle and the one before it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, Table, and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from roost.models import CredentialRow, CredentialSet
from roost.store.database import Database
from roost.store.tables import credential_sets, credentials


class SqlCredentialRows:
    """Meets `roost.store.base.CredentialRows`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self, workspace: str, bundle: str) -> CredentialSet:
        """Return the newest set; revision 0 without rows before the first write."""
        async with self._database.read() as connection:
            found = (await connection.execute(_both_sets(workspace, bundle))).all()
        newest = max((row.in_set for row in found), default=0)
        rows = tuple(CredentialRow(*row[1:]) for row in found if row.in_set == newest and row.field)
        return CredentialSet(newest, rows, any(row.in_set == newest - 1 for row in found))

    async def previous(self, workspace: str, bundle: str) -> tuple[CredentialRow, ...] | None:
        """Return the rows of the revision before the newest, or None when it is not kept."""
        async with self._database.read() as connection:
            revision = await _newest(connection, workspace, bundle) - 1
            if not await _has_set(connection, workspace, bundle, revision):
                return None
            return await _rows(connection, workspace, bundle, revision)

    async def replace(
        self,
        workspace: str,
        bundle: str,
        *,
        expected_revision: int,
        rows: tuple[CredentialRow, ...],
    ) -> bool:
        """Make `rows` the set of revision `expected_revision` + 1 in one transaction.

        The set at `expected_revision` becomes the previous one and anything older is deleted.

        Returns:
            False, with nothing changed, when the newest revision is another one by now.
        """
        async with self._database.write() as connection:
            if await _newest(connection, workspace, bundle) != expected_revision:
                return False
            await add_set(connection, workspace, bundle, expected_revision + 1, rows)
            await _delete_before(connection, workspace, bundle, expected_revision)
            return True


def _of(table: Table, workspace: str, bundle: str) -> ColumnElement[bool]:
    return and_(table.c.workspace == workspace, table.c.bundle == bundle)


def _both_sets(workspace: str, bundle: str) -> Select[Any]:
    """Select what is kept in one statement: every start reads it, each statement is a thread hop.

    A set without fields gives one row without a field.
    """
    sets, fields = credential_sets.c, credentials.c
    joined = credential_sets.outerjoin(
        credentials,
        and_(
            fields.workspace == sets.workspace,
            fields.bundle == sets.bundle,
            fields.in_set == sets.revision,
        ),
    )
    kept = (fields.field, fields.ciphertext, fields.revision, fields.set_at, fields.set_by)
    return (
        select(sets.revision.label("in_set"), *kept)
        .select_from(joined)
        .where(_of(credential_sets, workspace, bundle))
        .order_by(fields.field)
    )


async def _newest(connection: AsyncConnection, workspace: str, bundle: str) -> int:
    query = select(func.max(credential_sets.c.revision)).where(
        _of(credential_sets, workspace, bundle)
    )
    return int(await connection.scalar(query) or 0)


async def _has_set(connection: AsyncConnection, workspace: str, bundle: str, revision: int) -> bool:
    query = select(credential_sets.c.revision).where(
        _of(credential_sets, workspace, bundle), credential_sets.c.revision == revision
    )
    return await connection.scalar(query) is not None


async def _rows(
    connection: AsyncConnection, workspace: str, bundle: str, in_set: int
) -> tuple[CredentialRow, ...]:
    table = credentials.c
    query = (
        select(table.field, table.ciphertext, table.revision, table.set_at, table.set_by)
        .where(_of(credentials, workspace, bundle), table.in_set == in_set)
        .order_by(table.field)
    )
    return tuple(CredentialRow(*row) for row in await connection.execute(query))


async def add_set(
    connection: AsyncConnection,
    workspace: str,
    bundle: str,
    revision: int,
    rows: tuple[CredentialRow, ...],
) -> None:
    """Insert one revision of a bundle's credentials inside the caller's transaction."""
    key = {"workspace": workspace, "bundle": bundle}
    await connection.execute(credential_sets.insert().values(**key, revision=revision))
    if rows:
        await connection.execute(
            credentials.insert(), [key | _values(row) | {"in_set": revision} for row in rows]
        )


def _values(row: CredentialRow) -> dict[str, Any]:
    return {
        "field": row.field,
        "ciphertext": row.ciphertext,
        "revision": row.revision,
        "set_at": row.set_at,
        "set_by": row.set_by,
    }


async def _delete_before(
    connection: AsyncConnection, workspace: str, bundle: str, revision: int
) -> None:
    for table, column in (
        (credentials, credentials.c.in_set),
        (credential_sets, credential_sets.c.revision),
    ):
        await connection.execute(
            table.delete().where(_of(table, workspace, bundle), column < revision)
        )
