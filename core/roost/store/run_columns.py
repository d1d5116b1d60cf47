"""How a `RunView` lies in the columns of a row, and back."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from sqlalchemy import ColumnElement, Row

from roost.models import RunError, RunEvent, RunProgress, RunStatus, RunView
from roost.store.tables import runs

_PLAIN = tuple(field.name for field in fields(RunView) if field.name not in ("progress", "error"))

VIEW_COLUMNS = tuple(
    runs.c[name]
    for name in (
        *_PLAIN,
        "progress_current",
        "progress_total",
        "progress_message",
        "error_code",
        "error_sentence",
    )
)
"""What a view is read from."""


def values_of(run: RunView) -> dict[str, Any]:
    """Return the columns of a run."""
    values = {name: getattr(run, name) for name in _PLAIN}
    if run.progress is not None:
        values["progress_current"] = run.progress.current
        values["progress_total"] = run.progress.total
        values["progress_message"] = run.progress.message
    if run.error is not None:
        values["error_code"] = run.error.code
        values["error_sentence"] = run.error.sentence
    return values


def view_of(row: Row[*tuple[Any, ...]]) -> RunView:
    """Read a run out of a row that has `VIEW_COLUMNS`."""
    values = row._mapping
    return RunView(
        **{name: values[name] for name in _PLAIN}, progress=_progress(row), error=_error(row)
    )


def _progress(row: Row[*tuple[Any, ...]]) -> RunProgress | None:
    if row.progress_current is None:
        return None
    return RunProgress(row.progress_current, row.progress_total, row.progress_message)


def _error(row: Row[*tuple[Any, ...]]) -> RunError | None:
    return None if row.error_code is None else RunError(row.error_code, row.error_sentence)


def event_of(row: Row[*tuple[Any, ...]]) -> RunEvent:
    """Read an event out of a row of `run_events`."""
    return RunEvent(**row._mapping)


def is_active() -> ColumnElement[bool]:
    """Return the condition that a run still occupies its scope."""
    return runs.c.status.in_([status for status in RunStatus if status.is_active])
