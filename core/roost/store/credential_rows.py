"""Encrypted credentials: the newest set of each bundle and the one before it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, and_, bindparam, func, select

from roost.errors import Conflict
from roost.models import CredentialRow, CredentialSet
from roost.models.vault import KEY_ID_BYTES, sealing_key
from roost.store.connection import StoreConnection
from roost.store.database import Database
from roost.store.tables import credential_sets, credentials, facts

Reseal = Callable[[str, str, str, bytes], bytes]
"""Gives the new ciphertext for a workspace, a bundle, a field and its ciphertext."""

_KEY = ("workspace", "bundle", "in_set", "field")
_RETIRED = "vault_key_retired:"
_ROTATED_AT = "vault_rotated_at"


class SqlCredentialRows:
    """Meets `roost.store.base.CredentialRows`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def revisions(self) -> dict[tuple[str, str], int]:
        """Return the newest revision of every bundle that has any, by workspace and name."""
        sets = credential_sets.c
        query = select(sets.workspace, sets.bundle, func.max(sets.revision)).group_by(
            sets.workspace, sets.bundle
        )
        async with self._database.read() as connection:
            return {(row[0], row[1]): row[2] for row in await connection.execute(query)}

    async def load(self, workspace: str, bundle: str) -> CredentialSet:
        """Return the newest set; revision 0 without rows before the first write."""
        async with self._database.read() as connection:
            of = {"of_workspace": workspace, "of_bundle": bundle}
            found = (await connection.execute(_BOTH_SETS, of)).all()
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
            return await replace_set(connection, workspace, bundle, expected_revision, rows)

    async def key_ids(self) -> dict[str, int]:
        """Return how many values each key has sealed, by its id; empty where none is named."""
        head = func.substr(credentials.c.ciphertext, 1, 1 + KEY_ID_BYTES)
        async with self._database.read() as connection:
            found = await connection.execute(select(head, func.count()).group_by(head))
            counts: Counter[str] = Counter()
            for start, count in found:
                counts[sealing_key(bytes(start))] += count
        return dict(counts)

    async def reseal(self, reseal: Reseal, *, retired: tuple[str, ...], at: int) -> int:
        """Replace ciphertexts of all revisions and retire keys, in one transaction.

        From then on a write of values that a retired key has sealed is refused, so that none that
        was prepared before comes in behind.

        Args:
            reseal: gives the new ciphertext for a workspace, a bundle, a field and its ciphertext;
                what it raises undoes all.
            retired: ids of the keys that seal no more.
            at: when, in epoch milliseconds.

        Returns:
            How many values were sealed anew.
        """
        async with self._database.write() as connection:
            changed = [
                {"b_ciphertext": new, **{f"b_{name}": row[name] for name in _KEY}}
                for row in (await connection.execute(select(credentials))).mappings().all()
                if (new := reseal(row["workspace"], row["bundle"], row["field"], row["ciphertext"]))
                != row["ciphertext"]
            ]
            if changed:
                same = and_(*(credentials.c[name] == bindparam(f"b_{name}") for name in _KEY))
                update = credentials.update().where(same)
                await connection.execute(
                    update.values(ciphertext=bindparam("b_ciphertext")), changed
                )
            await _set_fact(connection, _ROTATED_AT, str(at))
            for key in retired:
                await _set_fact(connection, _RETIRED + key, str(at))
        return len(changed)

    async def reinstate_key(self, key: str) -> None:
        """Let a retired key seal again, because the operator has put it back."""
        async with self._database.read() as connection:
            if not await _retired(connection, {key}):
                return
        async with self._database.write() as connection:
            await connection.execute(facts.delete().where(facts.c.name == _RETIRED + key))

    async def rotated_at(self) -> int | None:
        """Return when values were last sealed anew."""
        async with self._database.read() as connection:
            found = await connection.scalar(
                select(facts.c.value).where(facts.c.name == _ROTATED_AT)
            )
        return None if found is None else int(found)


def _of(table: Table, workspace: str, bundle: str) -> ColumnElement[bool]:
    return and_(table.c.workspace == workspace, table.c.bundle == bundle)


def _both_sets() -> Select[Any]:
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
        .where(sets.workspace == bindparam("of_workspace"), sets.bundle == bindparam("of_bundle"))
        .order_by(fields.field)
    )


_BOTH_SETS = _both_sets()


async def _newest(connection: StoreConnection, workspace: str, bundle: str) -> int:
    query = select(func.max(credential_sets.c.revision)).where(
        _of(credential_sets, workspace, bundle)
    )
    return int(await connection.scalar(query) or 0)


async def _has_set(connection: StoreConnection, workspace: str, bundle: str, revision: int) -> bool:
    query = select(credential_sets.c.revision).where(
        _of(credential_sets, workspace, bundle), credential_sets.c.revision == revision
    )
    return await connection.scalar(query) is not None


async def _rows(
    connection: StoreConnection, workspace: str, bundle: str, in_set: int
) -> tuple[CredentialRow, ...]:
    table = credentials.c
    query = (
        select(table.field, table.ciphertext, table.revision, table.set_at, table.set_by)
        .where(_of(credentials, workspace, bundle), table.in_set == in_set)
        .order_by(table.field)
    )
    return tuple(CredentialRow(*row) for row in await connection.execute(query))


async def replace_set(
    connection: StoreConnection,
    workspace: str,
    bundle: str,
    expected_revision: int,
    rows: tuple[CredentialRow, ...],
) -> bool:
    """Insert the next revision inside the caller's transaction; see `SqlCredentialRows.replace`."""
    if await _newest(connection, workspace, bundle) != expected_revision:
        return False
    if await _retired(connection, _key_ids(rows)):
        return False
    await _insert_set(connection, workspace, bundle, expected_revision + 1, rows)
    await _delete_before(connection, workspace, bundle, expected_revision)
    return True


async def add_set(
    connection: StoreConnection,
    workspace: str,
    bundle: str,
    revision: int,
    rows: tuple[CredentialRow, ...],
) -> None:
    """Insert one revision of a bundle's credentials inside the caller's transaction.

    Raises:
        Conflict: the vault's key was replaced since they were sealed.
    """
    if await _retired(connection, _key_ids(rows)):
        raise Conflict(
            f"the vault's key was replaced while the values of {bundle!r} were stored; nothing was "
            "changed, do it again"
        )
    await _insert_set(connection, workspace, bundle, revision, rows)


async def _insert_set(
    connection: StoreConnection,
    workspace: str,
    bundle: str,
    revision: int,
    rows: tuple[CredentialRow, ...],
) -> None:
    key = {"workspace": workspace, "bundle": bundle}
    await connection.execute(credential_sets.insert().values(**key, revision=revision))
    if rows:
        await connection.execute(
            credentials.insert(), [key | _values(row) | {"in_set": revision} for row in rows]
        )


def _key_ids(rows: tuple[CredentialRow, ...]) -> set[str]:
    return {sealing_key(row.ciphertext) for row in rows}


async def _retired(connection: StoreConnection, keys: set[str]) -> bool:
    names = [_RETIRED + key for key in keys]
    found = select(facts.c.name).where(facts.c.name.in_(names)).limit(1)
    return bool(names) and await connection.scalar(found) is not None


async def _set_fact(connection: StoreConnection, name: str, value: str) -> None:
    await connection.execute(facts.delete().where(facts.c.name == name))
    await connection.execute(facts.insert().values(name=name, value=value))


def _values(row: CredentialRow) -> dict[str, Any]:
    return {
        "field": row.field,
        "ciphertext": row.ciphertext,
        "revision": row.revision,
        "set_at": row.set_at,
        "set_by": row.set_by,
    }


async def _delete_before(
    connection: StoreConnection, workspace: str, bundle: str, revision: int
) -> None:
    for table, column in (
        (credentials, credentials.c.in_set),
        (credential_sets, credential_sets.c.revision),
    ):
        await connection.execute(
            table.delete().where(_of(table, workspace, bundle), column < revision)
        )
