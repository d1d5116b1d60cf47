"""`SnapshotList`: the table of the snapshots screen."""

from __future__ import annotations

from collections.abc import Sequence

from roost.models import SnapshotView
from roost_tui import snapshot_rows
from roost_tui.actions import KeyAction, Place
from roost_tui.glyphs import Glyphs
from roost_tui.notes import RowKey
from roost_tui.widgets.table import RowTable


class SnapshotList(RowTable[SnapshotView], inherit_bindings=False):
    """Startup snapshots, one line for each bundle."""

    def __init__(self, entries: Sequence[KeyAction], glyphs: Glyphs) -> None:
        super().__init__(entries, Place.SNAPSHOT_LIST, snapshot_rows.COLUMNS, glyphs)
        self.sort_title = snapshot_rows.DEFAULT_ORDER

    def key_of(self, row: SnapshotView) -> RowKey:
        return row.workspace, row.name
