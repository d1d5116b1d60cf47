"""`RunsScreen`: all runs of a workspace or of all, with those of long ago and several at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from textual import on, work
from textual.widget import Widget

from roost.contract import EngineAPI
from roost.errors import DaemonUnreachable, RoostError
from roost.models import RunView
from roost_tui import remarks, run_list_rows, tables_model
from roost_tui.actions import FILTER_KEYS, KeyAction, Place
from roost_tui.columns import Drawing
from roost_tui.dashboard import Dashboard
from roost_tui.filters import RUN_KEYS, parse_filter
from roost_tui.notes import RowKey, Severity
from roost_tui.older_runs import OlderRuns
from roost_tui.overlay import NOT_CONNECTED, entries_for, without_link_key
from roost_tui.row_model import Choice
from roost_tui.selection import NOTHING_SELECTED, Selection
from roost_tui.spans import Spans, Tone
from roost_tui.table_overlay import MOVES, WORKSPACES, TableOverlay
from roost_tui.usefulness import run_fits
from roost_tui.widgets.filter_bar import FilterBar
from roost_tui.widgets.panel_title import PanelTitle
from roost_tui.widgets.run_list import RunList
from roost_tui.widgets.table import RowTable

_OWN = MOVES | WORKSPACES | {"screen.faults", "screen.menu"}
"""Actions of tables that this screen has, too."""

_OF_RUN = (
    "run.stop",
    "run.retry",
    "run.resume",
    "run.replace",
    "screen.open",
    "screen.menu",
    "screen.copy",
)
_OF_ROWS = ("screen.mark", "screen.mark_range")


def entries_here(entries: Sequence[KeyAction]) -> tuple[KeyAction, ...]:
    """Return the entries of the table that this screen has; retrying a run goes before the link."""
    return without_link_key(entries_for(entries, (Place.RUN_LIST,), _OWN))


class RunsScreen(TableOverlay, inherit_bindings=False):
    """The runs of the workspace that the dashboard shows.

    Args:
        dashboard: where the picture comes from.
        engine: the engine, or None while there is no connection.
        filter: what to show of the runs at first.
    """

    AUTO_FOCUS = f"#{Place.RUN_LIST}"
    main_place = Place.RUN_LIST
    filter_keys = RUN_KEYS
    menu_groups = ("Run", "Row")

    def __init__(
        self,
        dashboard: Dashboard,
        engine: Callable[[], EngineAPI | None],
        filter: str = "",
    ) -> None:
        entries = entries_here(dashboard.entries)
        self.table = RunList(entries, dashboard.glyphs)
        choice = Choice(filter=parse_filter(filter, RUN_KEYS), sort_title="")
        super().__init__(dashboard, engine, entries, self.table, choice, id="runs-screen")
        self._model = tables_model.run_model(run_list_rows.COLUMNS)
        self._older = OlderRuns()
        self._was_live = True
        self._is_reading = False
        self._problem = ""
        self._wanted: RowKey | None = None

    @property
    def selection(self) -> Selection:
        run = self.table.cursor_row
        return Selection(run=run, marked=self.table.marked) if run else NOTHING_SELECTED

    def compose_panels(self) -> Iterable[Widget]:
        yield PanelTitle("run-list-title", self._dashboard.glyphs)
        yield self.table
        yield FilterBar()

    # Showing

    def show_panels(self) -> None:
        dashboard, table = self._dashboard, self.table
        self._begin_anew_after_a_loss()
        choice = self.present_choice()
        rows = self._model.rows(self._index, choice, dashboard.rows_at)
        has_workspaces = choice.workspace is None and len(dashboard.shown.workspaces) > 1
        table.show_columns(
            tables_model.run_columns(has_workspaces=has_workspaces, columns=run_list_rows.COLUMNS)
        )
        table.show_order(choice.sort_title, is_descending=choice.is_descending)
        table.show_empty(self._why_empty(choice))
        table.show(rows, Drawing(dashboard.rows_at, dashboard.glyphs, dashboard.notes))
        if self._wanted is not None and table.select(self._wanted):
            self._wanted = None
        self._show_title(choice)
        self._want_older()

    def _begin_anew_after_a_loss(self) -> None:
        """Forget older runs with a new connection: some may have settled between the two."""
        is_live = self._dashboard.state.link.is_live
        if is_live and not self._was_live:
            self._older.clear()
        self._was_live = is_live

    @property
    def _index(self) -> Mapping[str, RunView]:
        return self._older.merged(self._dashboard.shown.runs)

    def _why_empty(self, choice: Choice) -> tuple[Spans, ...]:
        if self._is_reading:
            return ((("Reading older runs...", Tone.MUTED),),)
        shown = self._dashboard.shown
        return remarks.no_runs(shown, choice.filter, faults_only=choice.faults_only)

    def _show_title(self, choice: Choice) -> None:
        title = self.query_one("#run-list-title", PanelTitle)
        title.tabs, title.active = ((Place.RUN_LIST, "Runs"),), Place.RUN_LIST
        title.is_focused = not self.is_typing
        count = len(self.table.marks)
        marked: Spans = ((f"{count} marked, order held  ", Tone.WARN),) if count else ()
        problem: Spans = ((f"{self._problem}  ", Tone.WARN),) if self._problem else ()
        more: Spans = ()
        if self._is_reading:
            more = (("  reading older ones", Tone.MUTED),)
        elif self._older.has_more(choice.workspace):
            more = (("  and older", Tone.MUTED),)
        title.remark = (
            *problem,
            *marked,
            *remarks.table_remark(
                len(self.table.rows),
                self._model.unfiltered,
                choice.filter,
                faults_only=choice.faults_only,
            ),
            *more,
        )

    # Older runs

    @on(RunList.EndNeared)
    def read_older(self, message: RunList.EndNeared) -> None:
        message.stop()
        self._want_older()

    def _want_older(self) -> None:
        if self._is_reading or self._problem or not self._dashboard.state.link.is_live:
            return
        if self.table.is_near_end and self._older.has_more(self._dashboard.workspace):
            self._is_reading = True
            self._read_page()

    @work(group="older-runs", name="read older runs")
    async def _read_page(self) -> None:
        """Read the page behind the oldest run that is known."""
        engine = self._engine()
        try:
            if engine is not None:
                dashboard = self._dashboard
                await self._older.read(engine, dashboard.workspace, dashboard.shown.runs)
        except DaemonUnreachable:
            pass  # the banner says so, and it is read again once there is a connection
        except RoostError as error:
            self._problem = "older runs cannot be read"
            self.post_message(Dashboard.Said(Severity.ERROR, error.message))
        finally:
            self._is_reading = False
        if self.is_attached:
            self.show()

    def show_run(self, run: RunView) -> None:
        """Put the cursor on a run, as soon as it is among the rows."""
        self._wanted = run.workspace, run.id
        self.show()

    def clear_marks(self) -> None:
        """Take every mark away."""
        self.table.clear_marks()
        self.show()

    def set_filter(self, text: str) -> None:
        self._problem = ""
        super().set_filter(text)

    # Rows

    @on(RowTable.CursorMoved)
    def take_cursor(self, message: RowTable.CursorMoved) -> None:
        message.stop()
        self._want_older()

    # Actions

    def handlers(self) -> dict[str, Callable[[], object]]:
        return super().handlers() | {
            "screen.back": self._back,
            "screen.runs": lambda: None,
            "screen.open": self._open,
            "screen.mark": self.table.toggle_mark,
            "screen.mark_range": self.table.mark_range,
            "screen.stop_shown": self._stop_shown,
            "screen.copy": lambda: self.copy(self.selection.label, self.selection.label),
            "run.retry": self._retry,
            "run.stop": lambda: self._ask(self.selection),
        }

    def can_perform(self, action_id: str) -> bool:
        if not super().can_perform(action_id):
            return False
        run = self.table.cursor_row
        match action_id:
            case "run.retry" if self._dashboard.state.link.phase in NOT_CONNECTED:
                return True  # the key connects again
            case "run.retry" | "run.replace" | "run.resume":
                return run is not None and run_fits(action_id, run)
            case "screen.stop_shown":
                return any(row.status.is_active for row in self.table.rows)
        return run is not None or action_id not in (*_OF_RUN, *_OF_ROWS)

    def is_useful(self, action_id: str) -> bool:
        if action_id == "run.stop" and self.table.marks:
            return True
        run = self.table.cursor_row
        return run is None or run_fits(action_id, run)

    def footer(self) -> tuple[KeyAction, ...]:
        return FILTER_KEYS if self.is_typing else super().footer()

    def _back(self) -> None:
        if self.table.marks:
            self.table.clear_marks()
        elif self._choice.filter:
            self.set_filter("")
        else:
            self.dismiss(None)

    def _open(self) -> None:
        run = self.table.cursor_row
        if run is not None:
            self.post_message(Dashboard.RunOpened(run))

    def sort_titles(self) -> tuple[str, ...]:
        return "", *super().sort_titles()

    def _ask(self, selection: Selection, action_id: str = "run.stop") -> None:
        self.post_message(Dashboard.OperationRequested(action_id, selection))

    def _stop_shown(self) -> None:
        active = tuple(run for run in self.table.rows if run.status.is_active)
        self._ask(Selection(run=self.table.cursor_row, marked=active))

    def _retry(self) -> None:
        if self._dashboard.state.link.phase in NOT_CONNECTED:
            self._dashboard.action_perform("link.retry")
        else:
            self._ask(replace(self.selection, marked=()), "run.retry")
