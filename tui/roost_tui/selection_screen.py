"""`SelectionScreen`: the panels about the selected row: log, detail, events and snapshot."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import cached_property, partial

from textual import on, work
from textual.getters import query_one
from textual.reactive import reactive

from roost.clock import Clock
from roost.contract import EngineAPI
from roost.models import BundleView
from roost_tui import bundle_text, row_text
from roost_tui.actions import Place
from roost_tui.feed import SelectionFeed
from roost_tui.glyphs import Glyphs
from roost_tui.notes import RowKey, RowNote
from roost_tui.panels import PanelScreen
from roost_tui.row_text import Detail
from roost_tui.selection import Selection
from roost_tui.snapshot_feed import SnapshotFeed
from roost_tui.state import ScreenState
from roost_tui.widgets.lines_view import LinesView
from roost_tui.widgets.log_view import LogView

SETTLE_S = 0.08
"""How long the cursor must rest before the panels read what belongs to its row."""


class SelectionScreen(PanelScreen, inherit_bindings=False):
    """Reads what the panels show of the selected row, and goes on where it was after a loss.

    Args:
        engine: the engine, or None while there is no connection.
        clock: time for stamps, durations and countdowns.
        glyphs: the set of characters.
    """

    state: reactive[ScreenState] = reactive(ScreenState(), init=False)
    shown: reactive[ScreenState] = reactive(ScreenState())
    """`state`, or what it was when the picture was paused."""
    now: reactive[int] = reactive(0, init=False)
    notes: reactive[Mapping[RowKey, RowNote]] = reactive({}, init=False)

    log_view = query_one("#logs", LogView)
    detail_view = query_one("#detail", LinesView)
    events_view = query_one("#events", LinesView)
    snapshot_view = query_one("#snapshot", LinesView)

    def __init__(
        self, engine: Callable[[], EngineAPI | None], clock: Clock, glyphs: Glyphs, *, id: str
    ) -> None:
        super().__init__(id=id)
        self.clock = clock
        self.glyphs = glyphs
        self._engine = engine
        self._detail: tuple[object, Detail | None] = (None, None)
        self._snapshot_feed = SnapshotFeed(engine, self._show_lines, settle_s=SETTLE_S)
        self._fed: tuple[tuple[object, object], Place | None] | None = None
        self._log_followed: object = None
        self._lost_at: int | None = None

    @property
    def selection(self) -> Selection:
        """The selected row as it is now."""
        raise NotImplementedError

    @cached_property
    def _feed(self) -> SelectionFeed:
        return SelectionFeed(self._engine, self.clock, self.log_view)

    @property
    def rows_at(self) -> int:
        """The time that rows are true for: it stands still while nothing is heard of them."""
        return self.now if self._lost_at is None else self._lost_at

    @property
    def log_label(self) -> str:
        """Whose lines the log panel holds: without a connection it may be another row's."""
        return self._feed.label

    def show_selection(self) -> None:
        """Bring the panels about the selected row up to date."""
        self._follow_selection()
        self._show_lines()
        self.show_titles()

    def follow_link(self, before: ScreenState, state: ScreenState) -> None:
        """Hold still when the connection is lost; read anew, behind what was read, with the next.

        Args:
            before: the state that is left behind.
            state: the state that is shown from now on.
        """
        if state.link.is_live:
            self._lost_at = None
            if not before.link.is_live:
                self._fed = self._log_followed = None
        elif before.link.is_live:
            self._lost_at = self.now

    def _follow_selection(self) -> None:
        """Read what the visible panel needs when another row or another panel is shown."""
        if self.visible_bottom is Place.SNAPSHOT:
            return self._snapshot_feed.follow(self, self.selection.bundle_key, self.shown)
        wanted = (self._version_of(self.selection), self.visible_bottom)
        if wanted == self._fed or not self.state.link.is_live:
            return
        before, self._fed = self._fed, wanted
        is_same_row = before is not None and before[0][0] == wanted[0][0]
        if wanted[1] is Place.LOGS:
            self._follow_log_of(self.selection)
        elif wanted[1] is not None:
            self.load_detail(self.selection, is_new=not is_same_row)

    def _follow_log_of(self, selection: Selection) -> None:
        if self._log_followed == selection.key and selection.key is not None:
            return
        is_known = self._feed.holds(selection)
        if is_known and self.log_view.past:
            self._log_followed = selection.key
        else:
            self.follow_log(selection, resumes=is_known)

    def _version_of(self, selection: Selection) -> tuple[object, object]:
        """Return what identifies a selection, and what makes its detail outdated."""
        if (bundle := selection.bundle) is not None:
            number = bundle.generation.number if bundle.generation else 0
            return selection.key, (bundle.state, bundle.step, number, bundle.credential_revision)
        if (run := selection.run) is not None:
            return selection.key, run.status
        return None, None

    # Log

    def follow_log(self, selection: Selection, *, resumes: bool = False) -> None:
        """Follow the log of the selected row until another one is selected.

        Args:
            selection: the row.
            resumes: go on behind the last line that was read, which is of this very log.
        """
        self._log_followed = selection.key
        if not resumes:
            self._feed.begin(selection)
        self._read_log(selection, resumes)

    @work(group="log", exclusive=True)
    async def _read_log(self, selection: Selection, resumes: bool) -> None:
        await asyncio.sleep(SETTLE_S)
        await self._feed.follow(selection, resumes=resumes)

    @work(group="log", exclusive=True)
    async def show_previous_log(self, bundle: BundleView) -> None:
        """Show the log of the generation before."""
        await self._feed.show_previous(bundle)

    @on(LogView.OlderWanted)
    def load_older(self, message: LogView.OlderWanted) -> None:
        message.stop()
        self.run_worker(self._feed.load_older(), name="older lines", group="older", exclusive=True)

    @on(LogView.TailWanted)
    def follow_anew(self, message: LogView.TailWanted) -> None:
        message.stop()
        self.follow_log(self.selection)

    @on(LogView.Changed)
    def log_changed(self, message: LogView.Changed) -> None:
        message.stop()
        self.show_titles()

    # Detail and events

    @work(group="detail", exclusive=True)
    async def load_detail(self, selection: Selection, *, is_new: bool) -> None:
        """Load what the detail and events panels show beyond the row."""
        if is_new:
            await asyncio.sleep(SETTLE_S)
        detail = await self._feed.load_detail(selection)
        if detail is None and self._detail[0] == selection.key:
            return  # what was known stays until more is
        self._detail = (selection.key, detail)
        self._show_lines()

    def _show_lines(self) -> None:
        selection = self.selection
        key = selection.key
        detail = self._detail[1] if self._detail[0] == key else None
        if self.visible_bottom is Place.DETAIL:
            build = partial(
                row_text.detail_lines, selection, detail, now=self.rows_at, glyphs=self.glyphs
            )
            self.detail_view.show(build, about=key)
        elif self.visible_bottom is Place.EVENTS:
            moves = row_text.transitions(selection, detail, self.shown.transitions)
            show_moves = partial(bundle_text.transition_lines, moves, glyphs=self.glyphs)
            self.events_view.show(show_moves, about=key)
        elif self.visible_bottom is Place.SNAPSHOT:
            self._show_snapshot(selection.bundle_key)

    def _show_snapshot(self, key: RowKey | None) -> None:
        from roost_tui.snapshot_text import panel_lines  # loaded when it is first shown

        note = self.notes.get(key) if key else None
        build = partial(
            panel_lines,
            self._snapshot_feed.known_of(key),
            note=note,
            now=self.rows_at,
            glyphs=self.glyphs,
        )
        self.snapshot_view.show(build, about=key)
