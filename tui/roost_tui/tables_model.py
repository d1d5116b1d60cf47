"""The row models of the dashboard's two tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from roost.models import BundleView, RunStatus, RunView
from roost_tui import bundle_rows, render, run_rows
from roost_tui.columns import Column
from roost_tui.row_model import Choice, RowModel

Row = TypeVar("Row")


def bundle_model() -> RowModel[BundleView]:
    """Return the model of the bundle table."""
    return RowModel(
        lambda bundle: bundle.workspace, bundle_rows.subject_of, render.is_faulty, _arrange_bundles
    )


def run_model(columns: Sequence[Column[RunView]] = run_rows.COLUMNS) -> RowModel[RunView]:
    """Return the model of a table of runs with these columns."""

    def arrange(rows: Sequence[RunView], choice: Choice) -> list[RunView]:
        known = (*columns, run_rows.WORKSPACE_COLUMN)
        column = next((entry for entry in known if entry.title == choice.sort_title), None)
        return run_rows.arranged(rows, column, descending=choice.is_descending)

    return RowModel(lambda run: run.workspace, run_rows.subject_of, _is_bad, arrange)


def _is_bad(run: RunView) -> bool:
    return run.status in (RunStatus.FAILED, RunStatus.ABORTED)


def bundle_columns(*, has_workspaces: bool) -> tuple[Column[BundleView], ...]:
    """Return the columns of the bundle table."""
    return _with_workspace(bundle_rows.COLUMNS, bundle_rows.WORKSPACE_COLUMN, has_workspaces)


def run_columns(
    *, has_workspaces: bool, columns: tuple[Column[RunView], ...] = run_rows.COLUMNS
) -> tuple[Column[RunView], ...]:
    """Return the columns of a table of runs."""
    return _with_workspace(columns, run_rows.WORKSPACE_COLUMN, has_workspaces)


def _with_workspace(
    columns: tuple[Column[Row], ...], extra: Column[Row], wanted: bool
) -> tuple[Column[Row], ...]:
    return (columns[0], extra, *columns[1:]) if wanted else columns


def _arrange_bundles(rows: Sequence[BundleView], choice: Choice) -> list[BundleView]:
    columns = (*bundle_rows.COLUMNS, bundle_rows.WORKSPACE_COLUMN)
    column = next(column for column in columns if column.title == choice.sort_title)
    return bundle_rows.arranged(rows, column, descending=choice.is_descending)
