"""`RecentRuns`: what a snapshot of the engine says about runs, in memory."""

from __future__ import annotations

from roost.models import RunStatus, RunView


class RecentRuns:
    """Active runs and the newest settled ones, readable without waiting.

    Args:
        settled_limit: settled runs kept.
    """

    def __init__(self, settled_limit: int) -> None:
        self._settled_limit = settled_limit
        self._active: dict[str, RunView] = {}
        self._settled: dict[str, RunView] = {}

    def put(self, view: RunView) -> None:
        """Take the newest row of a run."""
        if view.status.is_active:
            self._active[view.id] = view
            return
        self._active.pop(view.id, None)
        self._settled[view.id] = view
        while len(self._settled) > self._settled_limit:
            del self._settled[min(self._settled.values(), key=_age).id]

    def put_loaded(self, view: RunView) -> None:
        """Take a row read from the store, unless a newer one is known already."""
        if view.id not in self._active and view.id not in self._settled:
            self.put(view)

    def forget(self, run_id: str) -> None:
        """Drop a run that is not ours any more, or not kept any more."""
        self._active.pop(run_id, None)
        self._settled.pop(run_id, None)

    def newest_first(self) -> tuple[RunView, ...]:
        """Return all of them, newest first."""
        views = [*self._active.values(), *self._settled.values()]
        return tuple(sorted(views, key=_age, reverse=True))

    def active_ids(self, workspace: str, bundle: str) -> tuple[str, ...]:
        """Return the active runs of a bundle, oldest first; one that waits for it is none."""
        views = (
            view
            for view in self._active.values()
            if view.workspace == workspace and view.bundle == bundle and not _waits(view)
        )
        return tuple(view.id for view in sorted(views, key=_age))


def _waits(view: RunView) -> bool:
    return view.task is not None and view.status is RunStatus.PENDING


def _age(view: RunView) -> tuple[int, str]:
    return view.created_at, view.id
