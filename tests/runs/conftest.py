"""A store, a ledger over it, and tool calls over that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.ledger import Desk, Ledger
from tests.support.stores import STORES, add_workspaces

from roost.store import SqlStore


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    async with STORES["sqlite"](tmp_path) as store:
        await add_workspaces(store, "main", "other")
        yield store


@pytest.fixture
async def ledger(store: SqlStore, tmp_path: Path) -> AsyncIterator[Ledger]:
    ledger = Ledger(store.runs, tmp_path)
    yield ledger
    await ledger.recorder.close()


@pytest.fixture
async def desk(ledger: Ledger) -> AsyncIterator[Desk]:
    desk = Desk(ledger)
    yield desk
    desk.caller.ignores_cancel = False
    async with asyncio.timeout(30):
        await desk.calls.close(5)
