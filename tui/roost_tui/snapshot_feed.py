"""`SnapshotFeed`: what is known of one bundle's startup snapshot, read anew when it changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from textual.screen import Screen

from roost.contract import EngineAPI
from roost_tui.notes import RowKey
from roost_tui.rereading import Rereading
from roost_tui.state import ScreenState

if TYPE_CHECKING:
    from roost.models import SnapshotDetail  # loaded when one is first read


class SnapshotFeed:
    """Reads the snapshot of the bundle that is shown.

    Args:
        engine: the engine, or None while there is no connection.
        changed: told when more is known.
        settle_s: how long another bundle must stay selected before its snapshot is read.
    """

    def __init__(
        self,
        engine: Callable[[], EngineAPI | None],
        changed: Callable[[], None],
        *,
        settle_s: float = 0.0,
    ) -> None:
        self._reading: Rereading[RowKey, SnapshotDetail] = Rereading(
            "read snapshot",
            engine,
            lambda engine, key: engine.snapshot(*key),
            changed,
            settle_s=settle_s,
        )

    def known_of(self, key: RowKey | None) -> SnapshotDetail | str | None:
        """Return a bundle's snapshot, why it cannot be read, or None while nothing is known."""
        if key is None:
            return None
        return self._reading.problem_of(key) or self._reading.known_of(key)

    def follow(self, screen: Screen[Any], key: RowKey | None, state: ScreenState) -> None:
        """Read the snapshot of a bundle, and again whenever it changes.

        Args:
            screen: owns the worker.
            key: workspace and name of the bundle.
            state: tells of changes; with another connection everything is read anew.
        """
        if key is None or not state.link.is_live:
            self._reading.rest()
        else:
            self._reading.follow(screen, key, state.snapshot_mark(key))
