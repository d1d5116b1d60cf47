"""Brings the database of a data directory to the newest schema, in one transaction.

Alembic takes half a second to import, so it is used only when there is something to upgrade: a
database at the newest revision is left alone, and an empty one gets the tables as they are now.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import URL, Column, Connection, MetaData, String, Table, create_engine, inspect
from sqlalchemy.pool import NullPool

from roost.errors import StoreUnavailable
from roost.store import sqlite
from roost.store.tables import metadata

REVISIONS = ("0001",)
"""Every schema revision, oldest first; a test holds it against the files in `migrations`."""

MIGRATIONS = Path(__file__).parent / "migrations"

_version = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), primary_key=True),
)


def migrate(url: URL) -> None:
    """Create or upgrade the tables; call it in a thread.

    Raises:
        StoreUnavailable: a newer version of Roost made the database.
    """
    sqlite.prepare(url)
    engine = create_engine(sqlite.sync_url(url), poolclass=NullPool, hide_parameters=True)
    sqlite.install_hooks(engine)
    try:
        with engine.connect() as connection:
            revision = _revision(connection)
        if revision != REVISIONS[-1]:
            with engine.execution_options(**{sqlite.WRITES: True}).begin() as connection:
                _bring_to_head(connection, url)
    finally:
        engine.dispose()


def _bring_to_head(connection: Connection, url: URL) -> None:
    revision = _revision(connection)  # again, because another process may have come first
    if revision is None:
        metadata.create_all(connection)
        _version.create(connection, checkfirst=True)
        connection.execute(_version.insert().values(version_num=REVISIONS[-1]))
    elif revision not in REVISIONS:
        raise StoreUnavailable(
            f"{url.database} was made by a newer version of Roost (schema {revision}, this one "
            f"knows {REVISIONS[-1]}); install that version again or choose another data directory"
        )
    elif revision != REVISIONS[-1]:
        upgrade(connection, REVISIONS[-1])


def upgrade(connection: Connection, revision: str) -> None:
    """Run the migrations up to `revision` inside the caller's transaction."""
    # Imported here for the time it takes; almost no start of a daemon needs it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(_version.name):
        return None
    revision: str | None = connection.scalar(_version.select())
    return revision
