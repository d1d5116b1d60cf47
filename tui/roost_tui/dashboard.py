"""`Dashboard`: bundles, runs, and the log, detail and events of the selected row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingsMap
from textual.containers import Vertical
from textual.getters import query_one
from textual.message import Message
from textual.reactive import reactive

from roost.clock import Clock
from roost.contract import EngineAPI
from roost.errors import RoostError
from roost.models import RunView
from roost_tui import bundle_rows, first_run_text, remarks, run_rows, tables_model
from roost_tui.actions import (
    FILTER_KEYS,
    KeyAction,
    Place,
    bindings_at,
    footer_entries,
    key_text,
)
from roost_tui.columns import Drawing
from roost_tui.commands import Commands
from roost_tui.filters import BUNDLE_KEYS, LOG_KEYS, NO_FILTER, RUN_KEYS, FilterError, parse_filter
from roost_tui.glyphs import UNICODE, Glyphs
from roost_tui.notes import RowKey, Severity
from roost_tui.row_model import Choice
from roost_tui.selection import NOTHING_SELECTED, Selection
from roost_tui.selection_screen import SelectionScreen
from roost_tui.spans import Tone
from roost_tui.state import ScreenState, with_link
from roost_tui.titles import Titles
from roost_tui.widgets.banner import Banner
from roost_tui.widgets.filter_bar import FilterBar
from roost_tui.widgets.header_bar import HeaderBar
from roost_tui.widgets.key_footer import KeyFooter
from roost_tui.widgets.lines_view import LinesView
from roost_tui.widgets.log_view import LogView
from roost_tui.widgets.panel_title import PanelTitle
from roost_tui.widgets.table import RowTable
from roost_tui.widgets.tables import BundleTable, RunTable
from roost_tui.widgets.tones import Swatch
from roost_tui.widgets.welcome import Welcome

MISSED_SHOWN_MS = 30_000
"""How long the header says that changes were missed; the list of messages keeps it."""


class Dashboard(SelectionScreen, inherit_bindings=False):
    """The main screen.

    Args:
        entries: the table of actions as allowed and remapped.
        engine: the engine, or None while there is no connection.
        clock: time for stamps, durations and countdowns.
        glyphs: the set of characters.
        workspace: the workspace to show; None shows all.
        is_read_only: whether the header says that nothing can be changed.
    """

    AUTO_FOCUS = "#bundles"

    workspace: reactive[str | None] = reactive(None)
    is_paused: reactive[bool] = reactive(False, init=False)
    is_faults_only: reactive[bool] = reactive(False, init=False)

    bundle_table = query_one("#bundles", BundleTable)
    run_table = query_one("#runs", RunTable)
    filter_bar = query_one("#filter-bar", FilterBar)
    welcome = query_one("#welcome", Welcome)

    @dataclass
    class OperationRequested(Message):
        """Something is to be done to the selected row."""

        action_id: str
        selection: Selection

    @dataclass
    class BundleOpened(Message):
        """Everything about one bundle is wanted."""

        key: RowKey

    @dataclass
    class RunOpened(Message):
        """Everything about one run is wanted."""

        run: RunView

    @dataclass
    class RunsRequested(Message):
        """All runs are wanted, or those that a filter leaves."""

        filter: str = ""
        workspace: str | None = None
        """Where they are; None leaves the choice as it is."""

    @dataclass
    class SnapshotsRequested(Message):
        """The snapshots of all bundles are wanted, or everything about that of one."""

        key: RowKey | None = None

    class RetryRequested(Message):
        """The operator does not want to wait for the next attempt to connect."""

    class MessagesRequested(Message):
        """The list of messages is wanted."""

    @dataclass
    class Said(Message):
        """Something to tell the operator."""

        severity: Severity
        text: str

    def __init__(
        self,
        entries: Sequence[KeyAction],
        engine: Callable[[], EngineAPI | None],
        clock: Clock,
        *,
        glyphs: Glyphs = UNICODE,
        workspace: str | None = None,
        is_read_only: bool = False,
    ) -> None:
        super().__init__(engine, clock, glyphs, id="dashboard")
        self.entries = tuple(entries)
        self.set_reactive(Dashboard.workspace, workspace)
        self.set_reactive(Dashboard.now, clock.now())
        self.choices = {
            Place.BUNDLES: Choice(workspace, sort_title=bundle_rows.DEFAULT_ORDER),
            Place.RUNS: Choice(workspace, sort_title=run_rows.DEFAULT_ORDER),
        }
        self.is_read_only = is_read_only
        """Whether nothing can be changed from here."""
        self.bundle_model = tables_model.bundle_model()
        self.run_model = tables_model.run_model()
        self._wanted_run: RowKey | None = None
        self._wanted_bundle: RowKey | None = None
        self._missed: tuple[int, int] = (0, 0)
        self._counted_for: object = None
        self._commands = Commands(self)
        self._titles = Titles(self)
        # Keys differ by read-only mode and remapping, so they belong to the instance.
        self._bindings = BindingsMap(bindings_at(entries, None))

    def compose(self) -> ComposeResult:
        yield Swatch(id=Swatch.FRAME)
        yield Swatch(id=Swatch.PANELS)
        yield HeaderBar(self.glyphs).data_bind(
            Dashboard.workspace, Dashboard.now, state=Dashboard.shown
        )
        keys = self._key_of("link.retry"), self._key_of("screen.detach")
        yield Banner(self.glyphs, keys=keys, is_read_only=self.is_read_only).data_bind(
            Dashboard.now, Dashboard.state
        )
        yield Welcome({entry.id: key_text(entry.keys) for entry in self.entries if entry.keys})
        yield PanelTitle("all-title", self.glyphs)
        with Vertical(id="panels"):
            yield PanelTitle("bundles-title", self.glyphs)
            yield BundleTable(self.entries, self.glyphs)
            yield PanelTitle("runs-title", self.glyphs)
            yield RunTable(self.entries, self.glyphs)
            yield PanelTitle("bottom-title", self.glyphs)
            yield LogView(self.entries, self.glyphs)
            yield LinesView(self.entries, Place.DETAIL, self.glyphs)
            yield LinesView(self.entries, Place.EVENTS, self.glyphs)
            yield LinesView(self.entries, Place.SNAPSHOT, self.glyphs)
        yield FilterBar()
        yield KeyFooter()

    def on_mount(self) -> None:
        self.lay_out_panels()
        self.show_rows()
        self.set_interval(1.0, self._tick, name="clock")

    def _key_of(self, action_id: str) -> str:
        return next((key_text(entry.keys) for entry in self.entries if entry.id == action_id), "")

    # State

    def _tick(self) -> None:
        self.now = self.clock.now()
        self.show_rows()

    def watch_notes(self) -> None:
        self.show_rows()

    def watch_state(self, before: ScreenState, state: ScreenState) -> None:
        self.now = self.clock.now()
        self.shown = with_link(self.shown, state.link) if self.is_paused else state
        self.set_class(state.has_seen_engine and not state.link.is_live, "-greyed")
        self.follow_link(before, state)
        self.show_rows()
        self._welcome()

    def watch_is_paused(self, is_paused: bool) -> None:
        if not is_paused:
            self.shown = self.state
        self.show_rows()

    def watch_is_faults_only(self, is_faults_only: bool) -> None:
        for place, choice in self.choices.items():
            self.choices[place] = replace(choice, faults_only=is_faults_only)
        self.show_rows()

    def watch_workspace(self, workspace: str | None) -> None:
        for place, choice in self.choices.items():
            self.choices[place] = replace(choice, workspace=workspace)
        if self.is_mounted:
            self.show_rows()

    @property
    def selection(self) -> Selection:
        """The selected row as it is now."""
        if self.lead is Place.BUNDLES:
            bundle = self.bundle_table.cursor_row
            return Selection(bundle=bundle) if bundle else NOTHING_SELECTED
        run = self.run_table.cursor_row
        return Selection(run=run) if run else NOTHING_SELECTED

    # Rows

    def show_rows(self) -> None:
        """Bring the tables and everything about the selected row up to date."""
        if not self.is_mounted:
            return
        drawing = Drawing(self.rows_at, self.glyphs, self.notes)
        self._show_bundles(drawing)
        self._show_runs(drawing)
        self.show_selection()

    def _show_bundles(self, drawing: Drawing) -> None:
        table, choice = self.bundle_table, self.choices[Place.BUNDLES]
        rows = self.bundle_model.rows(self.shown.bundles, choice, self.rows_at)
        table.show_columns(tables_model.bundle_columns(has_workspaces=self._has_workspaces))
        table.show_order(choice.sort_title, is_descending=choice.is_descending)
        table.show_empty(
            remarks.no_bundles(self.shown, choice.filter, faults_only=choice.faults_only)
        )
        table.show(rows, drawing)
        if self._wanted_bundle is not None and table.select(self._wanted_bundle):
            self._wanted_bundle = None

    def _show_runs(self, drawing: Drawing) -> None:
        table, choice = self.run_table, self.choices[Place.RUNS]
        rows = self.run_model.rows(self.shown.runs, choice, self.rows_at)
        table.show_columns(tables_model.run_columns(has_workspaces=self._has_workspaces))
        table.show_order(choice.sort_title, is_descending=choice.is_descending)
        table.show_empty(remarks.no_runs(self.shown, choice.filter, faults_only=choice.faults_only))
        table.show(rows, drawing)
        if self._wanted_run is not None and table.select(self._wanted_run):
            self._wanted_run = None

    @property
    def _has_workspaces(self) -> bool:
        return self.workspace is None and len(self.shown.workspaces) > 1

    def show_bundle(self, key: RowKey) -> None:
        """Put the cursor on a bundle, as soon as it is among the rows."""
        if self.workspace not in (None, key[0]):
            self.workspace = key[0]
        self.is_faults_only = False
        self.set_filter(Place.BUNDLES, "")
        self._wanted_bundle = key
        if not self.is_first_run:
            self.go_to(Place.BUNDLES)
        self.show_rows()

    def show_run(self, run: RunView) -> None:
        """Put the cursor on a run, as soon as it is among the rows."""
        if self.workspace not in (None, run.workspace):
            self.workspace = run.workspace
        self.is_faults_only = False
        self.set_filter(Place.RUNS, "")
        self._wanted_run = run.workspace, run.id
        self.go_to(Place.RUNS)
        self.show_rows()

    # Nothing is installed

    @property
    def is_first_run(self) -> bool:
        """Whether there is nothing to show yet, in any workspace."""
        shown = self.shown
        return shown.has_seen_engine and not shown.bundles and not shown.runs

    def _welcome(self) -> None:
        """Show the ways to begin while nothing is installed, and the panels otherwise."""
        was_first_run = self.has_class("-first-run")
        self.set_class(self.is_first_run, "-first-run")
        if self.is_first_run:
            self._count_once()
        if self.is_first_run and not was_first_run:
            self.welcome.focus()
        elif was_first_run and not self.is_first_run:
            self.go_to(Place.BUNDLES)

    def _count_once(self) -> None:
        """Count what can be imported, once for each connection; who only reads needs no number."""
        if not self.state.link.is_live:
            self._counted_for = None
        elif self._counted_for is None and "bundle.import" in {e.id for e in self.entries}:
            self._counted_for = self.state.daemon
            self.count_servers()

    @work(group="welcome", name="count servers", exclusive=True)
    async def count_servers(self) -> None:
        """Find out how many servers MCP clients of this machine have."""
        from roost_tui.imports import scan_here  # loaded after the first paint

        engine = self._engine()
        if engine is None:
            return
        self.welcome.is_looking = True
        workspace = self.workspace or min(self.shown.workspaces, default="default")
        try:
            plan = await engine.plan_import(workspace, scan_here())
        except RoostError:
            self.welcome.found = None  # it is said that it could not be found out
        else:
            self.welcome.found = len(plan.entries)
        finally:
            self.welcome.is_looking = False

    # The selected row

    @on(RowTable.CursorMoved)
    def take_cursor(self, message: RowTable.CursorMoved) -> None:
        message.stop()
        self.show_selection()

    @on(RowTable.Opened)
    def open_row(self, message: RowTable.Opened) -> None:
        message.stop()
        self.action_perform("screen.open")

    @property
    def marks(self) -> tuple[str, ...]:
        """Conditions of the screen that the header tells."""
        count, at = self._missed
        conditions = {
            f"{count} missed": bool(count) and self.now - at < MISSED_SHOWN_MS,
            "read only": self.is_read_only,
            "paused": self.is_paused,
            "faults only": self.is_faults_only,
        }
        return tuple(mark for mark, holds in conditions.items() if holds)

    def tell_missed(self, count: int) -> None:
        """Say in the header for a while that changes were missed."""
        self._missed = (count, self.clock.now())
        self.show_titles()

    def go_on_with(self, key: RowKey, action_id: str) -> None:
        """Do an action to a bundle of the table."""
        self.go_to(Place.BUNDLES)
        if self.bundle_table.select(key):
            self.action_perform(action_id)

    def show_titles(self) -> None:
        """Bring titles, header marks and footer up to date."""
        self._titles.show()

    # Filters

    @property
    def is_typing(self) -> bool:
        """Whether a filter is being typed."""
        return self.filter_bar.has_class("-shown")

    def filter_text(self, place: Place) -> str:
        """Return the filter of a panel."""
        if place is Place.LOGS:
            return self.log_view.filter.source
        return self.choices[place].filter.source if place in self.choices else ""

    def set_filter(self, place: Place, text: str) -> None:
        """Give a panel a filter.

        Raises:
            FilterError: the text is no filter; the panel keeps what it had.
        """
        if place is Place.LOGS:
            wanted = parse_filter(text, LOG_KEYS, strict=False)
            self.log_view.set_filter(wanted or NO_FILTER, self.now)
            return
        keys = BUNDLE_KEYS if place is Place.BUNDLES else RUN_KEYS
        wanted = parse_filter(text, keys) or NO_FILTER
        self.choices[place] = replace(self.choices[place], filter=wanted)
        self.show_rows()

    @on(FilterBar.Typed)
    def try_filter(self, message: FilterBar.Typed) -> None:
        message.stop()
        try:
            self.set_filter(message.place, message.text)
        except FilterError as error:
            self.filter_bar.say(((str(error), Tone.FAULT),))
        else:
            self.filter_bar.say(())

    @on(FilterBar.Kept)
    def keep_filter(self, message: FilterBar.Kept) -> None:
        message.stop()
        self.filter_bar.close()
        self.go_to(message.place)

    @on(FilterBar.Cleared)
    def clear_filter(self, message: FilterBar.Cleared) -> None:
        message.stop()
        self.set_filter(message.place, "")
        self.filter_bar.close()
        self.go_to(message.place)

    # Actions

    def action_perform(self, action_id: str) -> None:
        """Do what an action of the table says."""
        self._commands.perform(action_id)
        self.show_titles()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action != "perform":
            return True
        return self._commands.can_perform(str(parameters[0]))

    def performable(self) -> tuple[KeyAction, ...]:
        """Return the actions that the palette offers now."""
        return tuple(
            entry
            for entry in self.entries
            if entry.in_palette and self._commands.can_perform(entry.id)
        )

    def footer(self) -> tuple[KeyAction, ...]:
        """Return the keys to show for what has the focus."""
        if self.is_typing:
            return FILTER_KEYS
        if self.has_class("-first-run"):
            known = {entry.id: entry for entry in self.entries if entry.keys}
            return tuple(known[name] for name in first_run_text.ACTIONS if name in known)
        useful = [entry for entry in self.entries if self._commands.is_useful(entry.id)]
        return footer_entries(useful, self.place)
