"""An open store of each implementation, in a directory of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.stores import STORES, add_workspaces

from roost.store import SqlStore


@pytest.fixture(params=sorted(STORES))
def closed_store(request: pytest.FixtureRequest, tmp_path: Path) -> SqlStore:
    return STORES[request.param](tmp_path)


@pytest.fixture
async def store(closed_store: SqlStore) -> AsyncIterator[SqlStore]:
    async with closed_store:
        await add_workspaces(closed_store, "main", "other")
        yield closed_store
