"""Live viewers of runs: woken by each stored change, and fed from the store alone.

A viewer reads what is stored behind the number it has seen. So nothing is shown before it is
stored, nothing is missed or repeated, and a slow viewer holds up nobody. The newest row of a run
that is followed is remembered: most changes, such as a renewed lease, have no event to be read.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager

from roost.errors import RunNotFound
from roost.models import RunEvent, RunEventKind, RunView
from roost.runs.audience import Audience
from roost.store.base import RunRows

PAGE = 500
"""Events read at once."""


class RunViewers:
    """Waits for changes of runs."""

    def __init__(self, rows: RunRows) -> None:
        self._rows = rows
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._newest: dict[str, RunView] = {}
        """As stored, of the runs that somebody waits for."""
        self._is_closed = False
        self.audience = Audience()

    def wake(self, run_id: str, stored: RunView | None = None) -> None:
        """Tell the viewers of a run that something of it was stored.

        Args:
            run_id: the run's id.
            stored: its row; None lets them read it.
        """
        if run_id not in self._waiting:
            return
        newest = self._newest.get(run_id)
        if stored is None:
            self._newest.pop(run_id, None)
        elif newest is None or stored.last_seq >= newest.last_seq:
            self._newest[run_id] = stored
        for changed in self._waiting[run_id]:
            changed.set()

    def close(self) -> None:
        """Let every viewer read what is stored and end."""
        self._is_closed = True
        for run_id in self._waiting:
            self.wake(run_id)

    async def get(self, workspace: str, run_id: str) -> RunView:
        """Return a run.

        Raises:
            RunNotFound: no such run in this workspace.
        """
        view = await self._rows.get(workspace, run_id)
        if view is None:
            raise RunNotFound(run_id)
        return view

    async def wait_settled(self, workspace: str, run_id: str) -> RunView:
        """Wait until a run has settled, or until the recorder closes.

        Raises:
            RunNotFound: no such run in this workspace.
        """
        with self._changes(run_id) as changed:
            while True:
                changed.clear()
                view = await self.get(workspace, run_id)
                if self._is_closed or not view.status.is_active:
                    return view
                await changed.wait()

    async def events(
        self, workspace: str, run_id: str, after: int
    ) -> AsyncGenerator[RunEvent, None]:
        """Yield the events after a sequence number, live; ends after the terminal one.

        Args:
            after: number of the last event seen; one that was never given counts as 0. Where
                later events are not kept any more, a `RELOAD` says so first.

        Raises:
            RunNotFound: no such run in this workspace.
        """
        view = await self.get(workspace, run_id)
        seen = after if 0 <= after <= view.last_seq else 0
        with self._changes(run_id) as changed, self.audience.seat(run_id):
            while True:
                changed.clear()
                is_closed = self._is_closed
                # Before its events: none comes later.
                view = self._newest.get(run_id) or await self.get(workspace, run_id)
                while seen < view.last_seq and (
                    events := await self._rows.events(run_id, after=seen, limit=PAGE)
                ):
                    if events[0].seq > seen + 1:
                        yield _reload(run_id, events[0])
                    for event in events:
                        yield event
                    seen = events[-1].seq
                if is_closed or not view.status.is_active:
                    return
                await changed.wait()

    @contextmanager
    def _changes(self, run_id: str) -> Iterator[asyncio.Event]:
        changed = asyncio.Event()
        waiting = self._waiting.setdefault(run_id, set())
        waiting.add(changed)
        try:
            yield changed
        finally:
            waiting.discard(changed)
            if not waiting:
                self._waiting.pop(run_id, None)
                self._newest.pop(run_id, None)


def _reload(run_id: str, first: RunEvent) -> RunEvent:
    """Return what tells that the events before the first one that is kept are gone."""
    message = f"the events up to {first.seq - 1} are not kept any more; read the run anew"
    return RunEvent(run_id, first.seq - 1, first.at, RunEventKind.RELOAD, message)
