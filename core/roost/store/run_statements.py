"""The statements that every step of a run executes, each built once; see `fixed_statement`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from functools import cache
from operator import attrgetter
from typing import Any

from sqlalchemy import ColumnElement, Update, bindparam, literal_column

from roost.models import NewRun, RunError, RunEvent, RunProgress, RunStatus, RunView
from roost.models.codec import to_json
from roost.store.fixed_statement import Execute, Parameters, fixed
from roost.store.run_columns import VIEW_COLUMNS, values_of
from roost.store.tables import run_events, run_payloads, runs

IS_ACTIVE = runs.c.status.in_(
    [literal_column(f"'{status}'") for status in RunStatus if status.is_active]
)
"""The condition that a run is active, with its words in the text of the statement."""

_FIELDS = [field.name for field in fields(RunView)]
_PROGRESS, _ERROR = _FIELDS.index("progress"), _FIELDS.index("error")
"""Places among the fields of a run of the two that `VIEW_COLUMNS` has at its end."""

_NEW_RUN = fixed(runs.insert())
_NEW_PAYLOAD = fixed(run_payloads.insert())
NEW_EVENT = fixed(run_events.insert())
_RESULT = fixed(
    run_payloads.update()
    .where(run_payloads.c.run_id == bindparam("of_run"))
    .values(result=bindparam("new_result"), is_truncated=bindparam("new_is_truncated"))
)


def change_active_now(execute: Execute, run_id: str, **change: Any) -> RunView | None:
    """Change an active run, or return None when it is not active under the lease that is named.

    Args:
        change: what the parameters of `_change` are; any others are the columns to set.
    """
    rows = execute(*_change(run_id, **change))
    return read_view(rows[0]) if rows else None


def _change(
    run_id: str,
    *,
    owner: str | None,
    epoch: int,
    lapsed_at: int | None = None,
    events: int = 0,
    steps: int = 0,
    **values: Any,
) -> tuple[Update, dict[str, Any]]:
    """Return the statement of a change, and its parameters.

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
    return statement, parameters


def read_view(row: Sequence[Any]) -> RunView:
    """Read a run by the places of its columns, which is quicker than by their names."""
    *plain, current, total, message, code, sentence = row
    plain.insert(_PROGRESS, None if current is None else RunProgress(current, total, message))
    plain.insert(_ERROR, None if code is None else RunError(code, sentence))
    return RunView(*plain)


@cache
def _change_of(names: tuple[str, ...], is_leased: bool, has_lapsed: bool) -> Update:
    conditions: list[ColumnElement[bool]] = [runs.c.id == bindparam("of_run"), IS_ACTIVE]
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


def insert_new(execute: Execute, new: NewRun) -> None:
    """Insert a run and its input."""
    of_lease = {
        "lease_owner": new.lease_owner,
        "lease_epoch": new.lease_epoch,
        "lease_ms": new.lease_ms,
        "input_hash": new.input_hash,
        "events_dropped": 0,
    }
    execute(_NEW_RUN, values_of(new.run) | of_lease)
    written = to_json(new.input).decode()
    execute(_NEW_PAYLOAD, {"run_id": new.run.id, "input": written, "is_truncated": False})


def insert_events(execute: Execute, events: Sequence[RunEvent]) -> None:
    """Insert events; there must be at least one."""
    execute(NEW_EVENT, values_of_events(events))


def values_of_events(events: Sequence[RunEvent]) -> Parameters:
    """Return the parameters with which `NEW_EVENT` inserts events."""
    if len(events) == 1:
        return dict(zip(_EVENT_NAMES, _EVENT_VALUES(events[0]), strict=True))
    return [dict(zip(_EVENT_NAMES, _EVENT_VALUES(event), strict=True)) for event in events]


_EVENT_NAMES = tuple(column.name for column in run_events.columns)
_EVENT_VALUES = attrgetter(*_EVENT_NAMES)


def set_result(execute: Execute, run_id: str, result: Any, *, is_truncated: bool) -> None:
    """Store the result of a run beside its input; None stores none."""
    written = None if result is None else to_json(result).decode()
    execute(_RESULT, {"of_run": run_id, "new_result": written, "new_is_truncated": is_truncated})
