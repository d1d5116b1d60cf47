"""The statements that every step of a run executes, each built once; see `fixed_statement`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Update, bindparam, literal_column
from sqlalchemy.ext.asyncio import AsyncConnection

from roost.models import NewRun, RunError, RunEvent, RunProgress, RunStatus, RunView
from roost.models.codec import to_json
from roost.store.fixed_statement import fixed
from roost.store.run_columns import VIEW_COLUMNS, values_of
from roost.store.tables import run_events, run_payloads, runs

_IS_ACTIVE = runs.c.status.in_(
    [literal_column(f"'{status}'") for status in RunStatus if status.is_active]
)
_PLAIN_NAMES = tuple(column.name for column in VIEW_COLUMNS[:-5])
"""The columns in front of those of progress and error."""

_NEW_RUN = fixed(runs.insert())
_NEW_PAYLOAD = fixed(run_payloads.insert())
_NEW_EVENT = fixed(run_events.insert())
_RESULT = fixed(
    run_payloads.update()
    .where(run_payloads.c.run_id == bindparam("of_run"))
    .values(result=bindparam("new_result"), is_truncated=bindparam("new_is_truncated"))
)


async def change_active(
    connection: AsyncConnection,
    run_id: str,
    *,
    owner: str | None,
    epoch: int,
    lapsed_at: int | None = None,
    events: int = 0,
    steps: int = 0,
    **values: Any,
) -> RunView | None:
    """Change an active run, or return None when it is not active under this lease.

    Args:
        owner: with `epoch`, the lease under which the run must be; None takes any.
        lapsed_at: when its lease must have run out, in epoch milliseconds; None takes any.
        events: how many events come with the change; their numbers are counted up.
        steps: how many of them are steps.
        values: the columns to set, by name.
    """
    statement = _change_of(tuple(values), owner is not None, lapsed_at is not None)
    parameters = {f"new_{name}": value for name, value in values.items()}
    parameters |= {"of_run": run_id, "more_events": events, "more_steps": steps}
    if owner is not None:
        parameters |= {"by_owner": owner, "under_epoch": epoch}
    if lapsed_at is not None:
        parameters["by_then"] = lapsed_at
    row = (await connection.execute(statement, parameters)).one_or_none()
    return None if row is None else _view(row)


def _view(row: Sequence[Any]) -> RunView:
    """Read a run by the places of its columns, which is quicker than by their names."""
    *plain, current, total, message, code, sentence = row
    return RunView(
        **dict(zip(_PLAIN_NAMES, plain, strict=True)),
        progress=None if current is None else RunProgress(current, total, message),
        error=None if code is None else RunError(code, sentence),
    )


@cache
def _change_of(names: tuple[str, ...], is_leased: bool, has_lapsed: bool) -> Update:
    conditions: list[ColumnElement[bool]] = [runs.c.id == bindparam("of_run"), _IS_ACTIVE]
    if is_leased:
        conditions.append(runs.c.lease_owner == bindparam("by_owner"))
        conditions.append(runs.c.lease_epoch == bindparam("under_epoch"))
    if has_lapsed:
        conditions.append(runs.c.lease_until <= bindparam("by_then"))
    counted: dict[str, Any] = {
        "last_seq": runs.c.last_seq + bindparam("more_events"),
        "step_count": runs.c.step_count + bindparam("more_steps"),
    }
    changed: dict[str, Any] = {name: bindparam(f"new_{name}") for name in names}
    return fixed(
        runs.update().where(*conditions).values(**counted, **changed).returning(*VIEW_COLUMNS)
    )


async def insert_new(connection: AsyncConnection, new: NewRun) -> None:
    """Insert a run and its input."""
    of_lease = {
        "lease_owner": new.lease_owner,
        "lease_epoch": new.lease_epoch,
        "lease_ms": new.lease_ms,
        "input_hash": new.input_hash,
        "events_dropped": 0,
    }
    await connection.execute(_NEW_RUN, values_of(new.run) | of_lease)
    written = to_json(new.input).decode()
    payload = {"run_id": new.run.id, "input": written, "is_truncated": False}
    await connection.execute(_NEW_PAYLOAD, payload)


async def insert_events(connection: AsyncConnection, events: Sequence[RunEvent]) -> None:
    """Insert events; there must be at least one."""
    rows = [{name: getattr(event, name) for name in _EVENT_NAMES} for event in events]
    await connection.execute(_NEW_EVENT, rows[0] if len(rows) == 1 else rows)


_EVENT_NAMES = tuple(column.name for column in run_events.columns)


async def set_result(
    connection: AsyncConnection, run_id: str, result: Any, *, is_truncated: bool
) -> None:
    """Store the result of a run beside its input; None stores none."""
    written = None if result is None else to_json(result).decode()
    values = {"of_run": run_id, "new_result": written, "new_is_truncated": is_truncated}
    await connection.execute(_RESULT, values)
