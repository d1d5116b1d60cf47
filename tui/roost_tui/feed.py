"""`SelectionFeed`: brings the log, the detail and the events of the selected row to the panels."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from roost.clock import Clock
from roost.contract import EngineAPI
from roost.errors import DaemonUnreachable, LogNotFound, RoostError
from roost.models import BundleDetail, BundleView, LogLine, LogPage, RunDetail, RunView
from roost_tui.log_entries import from_log, from_run_events
from roost_tui.log_resume import LogPlace, lines_since
from roost_tui.selection import NOTHING_SELECTED, Selection
from roost_tui.spans import Spans, Tone
from roost_tui.widgets.log_view import LogView

PAGE_LINES = 500
"""Older lines read at once: some screens full, in one short answer."""


def _say(text: str, tone: Tone = Tone.MUTED) -> Spans:
    return ((text, tone),)


def _nothing_yet(selection: Selection) -> str:
    if selection.key is None:
        return "Nothing is selected."
    verb = "written" if selection.bundle is not None else "reported"
    return f"{selection.label} has {verb} nothing yet."


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
        self._held = NOTHING_SELECTED
        self._oldest: LogPlace | None = None
        self._place: LogPlace | None = None
        self._last_seq = 0

    @property
    def label(self) -> str:
        """Whose lines the view holds."""
        return self._held.label

    def holds(self, selection: Selection) -> bool:
        """Say whether the view holds lines of this row."""
        return self._held.key is not None and self._held.key == selection.key

    def begin(self, selection: Selection) -> None:
        """Empty the view for the lines of a row."""
        self._held = selection
        self._oldest = self._place = None
        self._last_seq = 0
        self._log.reset(_say(_nothing_yet(selection)))

    async def follow(self, selection: Selection, *, resumes: bool = False) -> None:
        """Follow the log of a bundle or the events of a run until cancelled.

        Args:
            selection: the row; the view was emptied for it, or holds lines of it.
            resumes: go on behind the last line, so that the view keeps what it shows.
        """
        engine = self._engine()
        if engine is None:
            return
        try:
            if selection.bundle is not None:
                await self._follow_log(engine, selection.bundle, self._place if resumes else None)
            elif selection.run is not None:
                await self._follow_run(engine, selection.run)
        except DaemonUnreachable:
            return  # the banner says so, and what was read stays
        except LogNotFound:
            self._log.say_empty(_say(_nothing_yet(selection)))
        except RoostError as error:
            self._log.say_empty(_say(error.message, Tone.WARN))

    async def _follow_log(
        self, engine: EngineAPI, bundle: BundleView, place: LogPlace | None
    ) -> None:
        async for page in engine.follow_log(bundle.workspace, bundle.name):
            lines: Sequence[LogLine] | None = page.lines
            if place is not None:
                lines = await lines_since(engine, bundle, place, page)
                place = None
            if lines is None:
                self.begin(self._held)
                lines = page.lines
            self._note_oldest(page)
            self._place = (page.generation, page.end_offset)
            self._log.append(from_log(lines), self._clock.now())

    def _note_oldest(self, page: LogPage) -> None:
        if self._oldest is None:
            self._oldest = (page.generation, page.start_offset)
            self._log.dropped = page.dropped
            self._log.has_older = page.start_offset > 0 or page.generation > 1

    async def _follow_run(self, engine: EngineAPI, run: RunView) -> None:
        async for event in engine.run_events(run.workspace, run.id, after=self._last_seq):
            self._last_seq = event.seq
            self._log.append(from_run_events([event]), self._clock.now())

    async def load_older(self) -> None:
        """Read the page before the oldest line, from the generation before where one ended."""
        bundle, oldest = self._held.bundle, self._oldest
        if bundle is None or oldest is None:
            return
        try:
            page = await self._page_before(bundle, oldest)
        except DaemonUnreachable:
            self._log.has_older = True  # it is asked for again once there is a connection
            return
        except RoostError:
            self._log.prepend([], self._clock.now(), has_older=False)
            return
        self._oldest = (page.generation, page.start_offset)
        self._log.dropped += page.dropped
        has_older = page.start_offset > 0 or page.generation > 1
        self._log.prepend(from_log(page.lines), self._clock.now(), has_older=has_older)

    async def _page_before(self, bundle: BundleView, oldest: LogPlace) -> LogPage:
        engine = self._engine()
        if engine is None:
            raise DaemonUnreachable("older lines cannot be read before there is a connection")
        generation, offset = oldest
        return await engine.log_page(
            bundle.workspace,
            bundle.name,
            generation=generation if offset else generation - 1,
            before=offset or None,
            limit=PAGE_LINES,
        )

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
        self._held = Selection(bundle=bundle)
        self._oldest = self._place = None
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
