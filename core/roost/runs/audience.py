"""`Audience`: who follows which run, for work that must not outlast those who look at it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Audience:
    """Counts the viewers of each run and tells whoever asked for one."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._told: dict[str, Callable[[int], None]] = {}

    @contextmanager
    def seat(self, run_id: str) -> Iterator[None]:
        """Count one viewer of a run inside the block."""
        self._change(run_id, 1)
        try:
            yield
        finally:
            self._change(run_id, -1)

    def tell(self, run_id: str, changed: Callable[[int], None]) -> None:
        """Call this with the number of viewers whenever it changes, and now."""
        self._told[run_id] = changed
        changed(self._counts[run_id])

    def forget(self, run_id: str) -> None:
        """Tell nobody of this run any more."""
        self._told.pop(run_id, None)

    def _change(self, run_id: str, by: int) -> None:
        self._counts[run_id] += by
        if changed := self._told.get(run_id):
            changed(self._counts[run_id])
        if not self._counts[run_id]:
            del self._counts[run_id]
