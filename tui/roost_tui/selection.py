"""What an action acts on: the row under the cursor."""

from __future__ import annotations

from dataclasses import dataclass

from roost.models import BundleView, RunView
from roost_tui.notes import RowKey


@dataclass(frozen=True, slots=True)
class Selection:
    """The selected bundle or run, as it was last known; both are None when there is no row."""

    bundle: BundleView | None = None
    run: RunView | None = None
    marked: tuple[RunView, ...] = ()
    """Runs that are acted on together, in place of the row under the cursor."""

    @property
    def key(self) -> tuple[str, RowKey] | None:
        """What identifies it, over changes of its view."""
        if self.bundle is not None:
            return "bundle", (self.bundle.workspace, self.bundle.name)
        if self.run is not None:
            return "run", (self.run.workspace, self.run.id)
        return None

    @property
    def row_key(self) -> RowKey | None:
        """Workspace and name or id."""
        return self.key[1] if self.key else None

    @property
    def bundle_key(self) -> RowKey | None:
        """Workspace and name of the bundle, or of the one that does the run's work."""
        if self.bundle is not None:
            return self.bundle.workspace, self.bundle.name
        if self.run is not None and self.run.bundle:
            return self.run.workspace, self.run.bundle
        return None

    @property
    def label(self) -> str:
        """How it is called on the screen."""
        if self.bundle is not None:
            return self.bundle.name
        return self.run.id if self.run is not None else ""


NOTHING_SELECTED = Selection()
