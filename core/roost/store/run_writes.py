"""Conditional changes of runs and the events they cause, for every module that writes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_

from roost.models import RunEvent, RunEventKind, RunProgress, RunView
from roost.store.connection import StoreConnection
from roost.store.run_columns import VIEW_COLUMNS, view_of
from roost.store.run_statements import NEW_EVENT, values_of_events
from roost.store.tables import runs


def is_run(run_id: str, workspace: str | None = None) -> ColumnElement[bool]:
    """Return the condition that a row is this run, of this workspace if one is given."""
    condition = runs.c.id == run_id
    return condition if workspace is None else and_(condition, runs.c.workspace == workspace)


def under_lease(owner: str, epoch: int) -> ColumnElement[bool]:
    """Return the condition that a run is held by this owner under this epoch."""
    return and_(runs.c.lease_owner == owner, runs.c.lease_epoch == epoch)


async def change(
    connection: StoreConnection, condition: ColumnElement[bool], **values: Any
) -> RunView | None:
    """Change the one run that meets a condition, or return None when none does."""
    statement = runs.update().where(condition).values(**values).returning(*VIEW_COLUMNS)
    row = (await connection.execute(statement)).one_or_none()
    return None if row is None else view_of(row)


async def add_event(
    connection: StoreConnection,
    view: RunView,
    at: int,
    kind: RunEventKind,
    message: str,
    progress: RunProgress | None,
) -> RunEvent:
    """Insert the event whose number the row of its run has just counted up to."""
    added = event(view.id, view.last_seq, at, kind, message, progress)
    await add_events(connection, (added,))
    return added


def event(
    run_id: str,
    seq: int,
    at: int,
    kind: RunEventKind,
    message: str,
    progress: RunProgress | None,
    name: str | None = None,
) -> RunEvent:
    """Return an event as it is stored."""
    return RunEvent(
        run_id=run_id,
        seq=seq,
        at=at,
        kind=kind,
        message=message,
        current=progress.current if progress else None,
        total=progress.total if progress else None,
        name=name,
    )


async def add_events(connection: StoreConnection, events: Sequence[RunEvent]) -> None:
    """Insert events."""
    await connection.execute(NEW_EVENT, values_of_events(events))


def progress_values(reports: Sequence[RunProgress | None]) -> dict[str, Any]:
    """Return what the newest of several reports changes in the run."""
    newest = next((progress for progress in reversed(reports) if progress is not None), None)
    if newest is None:
        return {}
    return {
        "progress_current": newest.current,
        "progress_total": newest.total,
        "progress_message": newest.message,
    }
