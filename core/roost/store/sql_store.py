"""`SqlStore`: every table family over one database."""

from __future__ import annotations

import uuid
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import URL, select

from roost.errors import StoreUnavailable
from roost.store.audit_rows import SqlAuditRows
from roost.store.bundle_rows import SqlBundleRows
from roost.store.credential_rows import SqlCredentialRows
from roost.store.database import Database
from roost.store.generation_rows import SqlGenerationRows
from roost.store.run_rows import SqlRunRows
from roost.store.schedule_rows import SqlScheduleRows
from roost.store.tables import facts
from roost.store.task_rows import SqlTaskRows
from roost.store.transition_rows import SqlTransitionRows
from roost.store.workspace_rows import SqlWorkspaceRows

FILE_NAME = "roost.db"
"""The database inside a data directory."""


class SqlStore:
    """Meets `roost.store.base.Store`; open it with ``async with`` or `open` and `close`.

    Args:
        url: SQLAlchemy address of the database, such as ``sqlite:///PATH``.
    """

    def __init__(self, url: str | URL) -> None:
        self._database = Database(url)
        self._data_id = ""
        self.workspaces = SqlWorkspaceRows(self._database)
        self.bundles = SqlBundleRows(self._database)
        self.generations = SqlGenerationRows(self._database)
        self.transitions = SqlTransitionRows(self._database)
        self.credentials = SqlCredentialRows(self._database)
        self.runs = SqlRunRows(self._database)
        self.tasks = SqlTaskRows(self._database)
        self.schedules = SqlScheduleRows(self._database)
        self.audit = SqlAuditRows(self._database)

    @property
    def data_id(self) -> str:
        """Identity of this data directory, made at first open; stable over daemon starts.

        Raises:
            StoreUnavailable: the store was never opened.
        """
        if not self._data_id:
            raise StoreUnavailable("the store was not opened yet; open it first")
        return self._data_id

    async def open(self) -> None:
        """Migrate and connect.

        Raises:
            StoreUnavailable: the database cannot be opened.
        """
        await self._database.open()
        try:
            self._data_id = await self._load_data_id()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Close every connection; safe to call twice."""
        await self._database.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def _load_data_id(self) -> str:
        known = select(facts.c.value).where(facts.c.name == "data_id")
        async with self._database.write() as connection:
            data_id = await connection.scalar(known)
            if data_id is None:
                data_id = uuid.uuid4().hex
                await connection.execute(facts.insert().values(name="data_id", value=data_id))
        return str(data_id)


async def open_store(data_dir: Path) -> SqlStore:
    """Open the store of a data directory, which is made private to its user if it is missing.

    Raises:
        StoreUnavailable: the database cannot be opened.
    """
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(
            f"the data directory {data_dir} cannot be made ({error.strerror}); choose another one"
        ) from error
    store = SqlStore(URL.create("sqlite", database=str(data_dir / FILE_NAME)))
    await store.open()
    return store
