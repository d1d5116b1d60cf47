"""Store implementations for the contract suite, and values to put into them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from roost.models import (
    NewRun,
    RunKind,
    RunStatus,
    RunView,
    WorkspaceView,
)
from roost.store import SqlStore

OWNER = "daemon-1"

STORES: dict[str, Callable[[Path], SqlStore]] = {
    "sqlite": lambda directory: SqlStore(f"sqlite:///{directory / 'roost.db'}"),
}
"""How each implementation is made, still closed, for a directory of its own."""


async def add_workspaces(store: SqlStore, *ids: str) -> None:
    """Insert workspaces for bundles and runs to stand in."""
    for workspace in ids:
        await store.workspaces.add(WorkspaceView(workspace, workspace.title(), 1))


def new_run(
    run_id: str,
    *,
    owner: str = OWNER,
    epoch: int = 1,
    input: Any = None,
    input_hash: str = "hash",
    **changes: Any,
) -> NewRun:
    """Return a pending tool call of workspace `main`, with `changes` to its view."""
    view = RunView(
        id=run_id,
        workspace="main",
        kind=RunKind.TOOL_CALL,
        status=RunStatus.PENDING,
        title="files.search",
        created_at=1_000,
        bundle="files",
        tool="search",
    )
    return NewRun(replace(view, **changes), input, owner, epoch, input_hash)
