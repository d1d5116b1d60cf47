"""`SelectionFeed`: brings the log, the detail and the events of the selected row to the panels."""

from __future__ import annotations

from collections.abc import Callable

from roost.clock import Clock
from roost.contract import EngineAPI
from roost.errors import DaemonUnreachable, LogNotFound, RoostError
from roost.models import BundleDetail, BundleView, LogPage, RunDetail, RunView
from roost_tui.log_entries import from_log, from_run_event
from roost_tui.selection import Selection
from roost_tui.spans import Spans, Tone
from roost_tui.widgets.log_view import LogView

PAGE_LINES = 500
"""Older lines read at once: some screens full, in one short answer."""


def _say(text: str, tone: Tone = Tone.MUTED) -> Spans:
    return ((text, tone),)


class SelectionFeed:
    """Reads what belongs to one selection. Its coroutines are the bodies of the screen's workers.

    Args:
        engine: the engine, or None while there is no connection.
        clock: time for filters by age.
        log: the view that the lines go to.
    """

    def __init__(self, engine: Callable[[], EngineAPI | None], clock: Clock, log: LogView) -> None:
        self._engine = engine
        self._clock = clock
        self._log = log
        self._oldest: tuple[int, int] | None = None

    async def follow(self, selection: Selection) -> None:
        """Follow the log of a bundle or the events of a run until cancelled."""
        engine = self._engine()
        if engine is None:
            return
        try:
            if selection.bundle is not None:
                await self._follow_log(engine, selection.bundle)
            elif selection.run is not None:
                await self._follow_run(engine, selection.run)
            else:
                self._log.reset(_say("Nothing is selected."))
        except DaemonUnreachable:
            return  # the banner says so, and what was read stays
        except LogNotFound:
            self._log.say_empty(_say(f"{selection.label} has written nothing yet."))
        except RoostError as error:
            self._log.say_empty(_say(error.message, Tone.WARN))

    async def _follow_log(self, engine: EngineAPI, bundle: BundleView) -> None:
        self._oldest = None
        self._log.reset(_say(f"{bundle.name} has written nothing yet."))
        async for page in engine.follow_log(bundle.workspace, bundle.name):
            self._note_oldest(page)
            self._log.append(from_log(page.lines), self._clock.now())

    def _note_oldest(self, page: LogPage) -> None:
        if self._oldest is None:
            self._oldest = (page.generation, page.start_offset)
            self._log.dropped = page.dropped
            self._log.has_older = page.start_offset > 0 or page.generation > 1

    async def _follow_run(self, engine: EngineAPI, run: RunView) -> None:
        self._oldest = None
        self._log.reset(_say(f"{run.id} has reported nothing yet."))
        async for event in engine.run_events(run.workspace, run.id):
            self._log.append([from_run_event(event)], self._clock.now())

    async def load_older(self, bundle: BundleView) -> None:
        """Read the page before the oldest line, from the generation before where one ended."""
        engine = self._engine()
        if engine is None or self._oldest is None:
            return
        generation, offset = self._oldest
        if offset == 0:
            generation, before = generation - 1, None
        else:
            before = offset
        try:
            page = await engine.log_page(
                bundle.workspace,
                bundle.name,
                generation=generation,
                before=before,
                limit=PAGE_LINES,
            )
        except RoostError:
            return self._log.prepend([], self._clock.now(), has_older=False)
        self._oldest = (page.generation, page.start_offset)
        self._log.dropped += page.dropped
        has_older = page.start_offset > 0 or page.generation > 1
        self._log.prepend(from_log(page.lines), self._clock.now(), has_older=has_older)

    async def show_previous(self, bundle: BundleView) -> None:
        """Show the log of the generation before, without following."""
        engine = self._engine()
        if engine is None:
            return
        try:
            page = await engine.log_page(bundle.workspace, bundle.name, generation=-1)
        except RoostError as error:
            self._log.reset(_say(error.message, Tone.WARN), past="not kept")
            return
        self._oldest = None
        self._log.reset(_say("It wrote nothing."), past=f"generation {page.generation}")
        self._note_oldest(page)
        self._log.append(from_log(page.lines), self._clock.now())
        self._log.move("bottom")

    async def load_detail(self, selection: Selection) -> BundleDetail | RunDetail | None:
        """Return what the detail panel shows beyond the row, or None when it cannot be had."""
        engine = self._engine()
        if engine is None:
            return None
        try:
            if selection.bundle is not None:
                return await engine.bundle(selection.bundle.workspace, selection.bundle.name)
            if selection.run is not None:
                return await engine.run(selection.run.workspace, selection.run.id)
        except RoostError:
            return None  # the row itself is shown; the connection tells for itself
        return None
