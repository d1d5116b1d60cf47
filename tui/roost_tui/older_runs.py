"""`OlderRuns`: runs further back than the snapshot reaches, read page by page."""

from __future__ import annotations

from collections.abc import Mapping

from roost.contract import EngineAPI
from roost.models import RunQuery, RunView

PAGE_RUNS = 200
"""Runs read at once: some screens full, in one short answer."""

OLDER_LIMIT = 20_000
"""Runs kept of what was read; a filter finds what lies further back with the command line."""


class OlderRuns:
    """Runs that settled before those that every viewer is told about."""

    def __init__(self) -> None:
        self._runs: dict[str, RunView] = {}
        self._complete: set[str | None] = set()
        self._merged: tuple[object, Mapping[str, RunView]] = (None, {})

    def clear(self) -> None:
        """Begin anew: there may be a gap before what is known by now."""
        self._runs, self._complete, self._merged = {}, set(), (None, {})

    def merged(self, newer: Mapping[str, RunView]) -> Mapping[str, RunView]:
        """Return these with the older ones before them; the same mapping while nothing changes."""
        if self._merged[0] is not newer:
            ordered = sorted(self._runs.values(), key=lambda run: (run.created_at, run.id))
            older = {run.id: run for run in ordered if run.id not in newer}
            self._merged = (newer, {**older, **newer} if older else newer)
        return self._merged[1]

    def has_more(self, workspace: str | None) -> bool:
        """Say whether there may be older ones of a workspace, or of all."""
        is_complete = bool({None, workspace} & self._complete)
        return not is_complete and len(self._runs) < OLDER_LIMIT

    async def read(
        self, engine: EngineAPI, workspace: str | None, newer: Mapping[str, RunView]
    ) -> None:
        """Read the page behind what is known of a workspace, or of all."""
        known = self.merged(newer).values()
        settled = [
            run for run in known if workspace in (None, run.workspace) and not run.status.is_active
        ]
        # Active runs may be far older than the settled ones that are known.
        oldest = min(settled, key=lambda run: (run.created_at, run.id), default=None)
        query = RunQuery(workspace, limit=PAGE_RUNS, before=oldest.id if oldest else None)
        page = await engine.runs(query)
        is_new = any(run.id not in self._runs and run.id not in newer for run in page)
        self._runs |= {run.id: run for run in page}
        self._merged = (None, {})
        if len(page) < PAGE_RUNS or not is_new:
            self._complete.add(workspace)
