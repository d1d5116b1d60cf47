"""Migrations and tables say the same, and a database of another version is told from ours."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, make_url

from roost.errors import StoreUnavailable
from roost.store import migrate as migrations
from roost.store import open_store
from roost.store.migrate import MIGRATIONS, REVISIONS, migrate, upgrade
from roost.store.tables import metadata

COLD_OPEN = """
import asyncio, sys
from pathlib import Path
from roost.store import open_store

async def main():
    store = await open_store(Path(sys.argv[1]))
    await store.close()

asyncio.run(main())
print(any(name.split(".")[0] == "alembic" for name in sys.modules))
"""


NEXT_REVISION = """
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade():
    op.add_column(
        "workspaces", sa.Column("colour", sa.Text, nullable=False, server_default="plain")
    )
"""


def schema(path: Path) -> dict[str, str]:
    connection = sqlite3.connect(path)
    rows = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"
    ).fetchall()
    connection.close()
    return {name: re.sub(r"\s+", " ", sql) for name, sql in rows if name != "alembic_version"}


def migrated(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        upgrade(connection, REVISIONS[-1])
    return engine


def test_the_migrations_make_exactly_the_tables_of_a_new_database(tmp_path: Path) -> None:
    migrated(tmp_path / "migrated.db").dispose()
    migrate(make_url(f"sqlite:///{tmp_path / 'new.db'}"))
    assert schema(tmp_path / "migrated.db") == schema(tmp_path / "new.db")
    assert len(schema(tmp_path / "new.db")) > len(metadata.tables)


def test_the_metadata_finds_nothing_to_change_in_a_migrated_database(tmp_path: Path) -> None:
    engine = migrated(tmp_path / "migrated.db")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert context.get_current_revision() == REVISIONS[-1]
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_the_known_revisions_are_those_of_the_migration_files() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    scripts = ScriptDirectory.from_config(config).walk_revisions()
    assert tuple(reversed([script.revision for script in scripts])) == REVISIONS


def test_a_new_database_carries_the_newest_revision(tmp_path: Path) -> None:
    url = make_url(f"sqlite:///{tmp_path / 'roost.db'}")
    migrate(url)
    migrate(url)
    connection = sqlite3.connect(tmp_path / "roost.db")
    assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [
        (REVISIONS[-1],)
    ]
    connection.close()


def test_an_older_database_is_upgraded_and_keeps_its_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = make_url(f"sqlite:///{tmp_path / 'roost.db'}")
    migrate(url)
    with closing(sqlite3.connect(tmp_path / "roost.db")) as connection, connection:
        connection.execute("INSERT INTO workspaces VALUES ('main', 'Main', 1)")
    shutil.copytree(MIGRATIONS, tmp_path / "migrations")
    (tmp_path / "migrations" / "versions" / "0002_colours.py").write_text(NEXT_REVISION)
    monkeypatch.setattr(migrations, "MIGRATIONS", tmp_path / "migrations")
    monkeypatch.setattr(migrations, "REVISIONS", (*REVISIONS, "0002"))
    migrate(url)
    with closing(sqlite3.connect(tmp_path / "roost.db")) as connection:
        rows = connection.execute("SELECT id, colour FROM workspaces").fetchall()
        version = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    assert (rows, version) == ([("main", "plain")], [("0002",)])


async def test_a_database_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    store = await open_store(tmp_path)
    await store.close()
    connection = sqlite3.connect(tmp_path / "roost.db")
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    with pytest.raises(StoreUnavailable, match="newer version of Roost"):
        await open_store(tmp_path)


def test_neither_a_new_nor_a_current_database_pays_for_alembic(tmp_path: Path) -> None:
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", COLD_OPEN, str(tmp_path)],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert done.stdout == "False\n"
