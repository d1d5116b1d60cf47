"""The two tables of the dashboard."""

from __future__ import annotations

from collections.abc import Sequence

from roost.models import BundleView, RunView
from roost_tui import bundle_rows, run_rows
from roost_tui.actions import KeyAction, Place
from roost_tui.glyphs import Glyphs
from roost_tui.notes import RowKey
from roost_tui.widgets.table import RowTable


class BundleTable(RowTable[BundleView], inherit_bindings=False):
    """Bundles, one line each."""

    def __init__(self, entries: Sequence[KeyAction], glyphs: Glyphs) -> None:
        super().__init__(entries, Place.BUNDLES, bundle_rows.COLUMNS, glyphs)
        self.sort_title = bundle_rows.DEFAULT_ORDER

    def key_of(self, row: BundleView) -> RowKey:
        return row.workspace, row.name


class RunTable(RowTable[RunView], inherit_bindings=False):
    """Runs, one line each."""

    def __init__(self, entries: Sequence[KeyAction], glyphs: Glyphs) -> None:
        super().__init__(entries, Place.RUNS, run_rows.COLUMNS, glyphs)
        self.sort_title = run_rows.DEFAULT_ORDER

    def key_of(self, row: RunView) -> RowKey:
        return row.workspace, row.id
