"""`RunFeed`: reads one run with its events, live, by sequence number."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from roost.contract import EngineAPI
from roost.models import RunDetail, RunEvent, RunEventKind, RunQuery, RunView
from roost_tui.notes import RowKey

STEP_LIMIT = 5000
"""Steps kept for the timeline; the events behind them are kept by the daemon."""

CHILD_LIMIT = 50
"""Child runs that are named."""

_KEPT = (RunEventKind.STATUS, RunEventKind.STEP)
"""Kinds of events that the timeline is made of."""


class RunFeed:
    """What is known of one run. Viewers resume by number: nothing is left out or shown twice.

    Args:
        key: workspace and id of the run.
        on_events: told every new event; the first argument says that all before them is void.
        on_change: told that something else has changed.
    """

    def __init__(
        self,
        key: RowKey,
        on_events: Callable[[bool, Sequence[RunEvent]], None],
        on_change: Callable[[], None],
    ) -> None:
        self.key = key
        self.detail: RunDetail | None = None
        self.children: tuple[RunView, ...] = ()
        self.steps: list[RunEvent] = []
        """Steps and changes of status, oldest first."""
        self.first_seq = 1
        """Number of the oldest event that was read."""
        self.has_reloaded = False
        """Whether retention passed this viewer, so that it was read anew."""
        self._last_seq = 0
        self._on_events = on_events
        self._on_change = on_change

    async def follow(self, engine: EngineAPI) -> None:
        """Read the run and its events until it has settled, or until cancelled.

        Raises:
            DaemonUnreachable: follow again when there is a connection; it goes on where it was.
            RunNotFound: there is no such run any more.
        """
        if self.detail is None:
            await self._read_anew(engine)
        async for event in engine.run_events(*self.key, after=self._last_seq):
            if event.kind is RunEventKind.RELOAD:
                self.has_reloaded = True
                await self._read_anew(engine, event.seq)
            elif event.seq > self._last_seq:
                self._take((event,))
        await self._read(engine)
        self._on_change()

    async def _read(self, engine: EngineAPI) -> RunDetail:
        detail = await engine.run(*self.key)
        query = RunQuery(self.key[0], parent=self.key[1], limit=CHILD_LIMIT)
        self.children = await engine.runs(query)
        self.detail = detail
        return detail

    async def _read_anew(self, engine: EngineAPI, goes_on_from: int = 1) -> None:
        """Take the events that are stored in place of what was known."""
        events = (await self._read(engine)).events
        self.steps.clear()
        self._last_seq = max(goes_on_from - 1, 0)
        self.first_seq = events[0].seq if events else goes_on_from
        self._take(events, is_anew=True)

    def _take(self, events: Sequence[RunEvent], *, is_anew: bool = False) -> None:
        if events:
            self._last_seq = events[-1].seq
        self.steps += [event for event in events if event.kind in _KEPT]
        del self.steps[:-STEP_LIMIT]
        self._on_events(is_anew, events)
