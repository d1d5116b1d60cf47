"""Kept versions of bundles, inside the transactions of `SqlBundleRows`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Row, and_, select

from roost.models import Definition, VersionRow
from roost.models.codec import from_json, to_json
from roost.store.connection import StoreConnection
from roost.store.tables import bundle_versions as table


async def versions_of(
    connection: StoreConnection, workspace: str, bundle: str
) -> tuple[VersionRow, ...]:
    """Return the kept versions of a bundle, newest first."""
    query = select(table).where(_of(workspace, bundle)).order_by(table.c.number.desc())
    return tuple(_version(row) for row in await connection.execute(query))


async def all_definitions(connection: StoreConnection) -> tuple[Definition, ...]:
    """Return the definitions of every kept version of every bundle."""
    found = await connection.scalars(select(table.c.definition))
    return tuple(from_json(text, Definition) for text in found)


async def add_version(
    connection: StoreConnection, workspace: str, bundle: str, version: VersionRow
) -> None:
    """Insert a version."""
    await connection.execute(
        table.insert().values(
            workspace=workspace,
            bundle=bundle,
            number=version.number,
            definition=to_json(version.definition).decode(),
            installed_at=version.installed_at,
            installed_by=version.installed_by,
        )
    )


async def forget_versions(
    connection: StoreConnection, workspace: str, bundle: str, numbers: tuple[int, ...]
) -> None:
    """Delete versions by their numbers."""
    await connection.execute(
        table.delete().where(_of(workspace, bundle), table.c.number.in_(numbers))
    )


async def forget_all_versions(connection: StoreConnection, workspace: str, bundle: str) -> None:
    """Delete every version of a bundle."""
    await connection.execute(table.delete().where(_of(workspace, bundle)))


def _of(workspace: str, bundle: str) -> ColumnElement[bool]:
    return and_(table.c.workspace == workspace, table.c.bundle == bundle)


def _version(row: Row[Any]) -> VersionRow:
    return VersionRow(
        number=row.number,
        definition=from_json(row.definition, Definition),
        installed_at=row.installed_at,
        installed_by=row.installed_by,
    )
