"""`SnapshotsScreen`: the startup snapshots of all bundles, and all about the selected one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from textual import events, on
from textual.containers import Vertical
from textual.getters import query_one
from textual.reactive import reactive
from textual.widget import Widget

from roost.contract import EngineAPI
from roost.models import SnapshotState, SnapshotView
from roost_tui import remarks, snapshot_page, snapshot_rows
from roost_tui.actions import FILTER_KEYS, KeyAction, Place, footer_entries
from roost_tui.columns import Drawing
from roost_tui.dashboard import Dashboard
from roost_tui.notes import RowKey
from roost_tui.overlay import entries_for
from roost_tui.rereading import Rereading
from roost_tui.row_model import Choice
from roost_tui.selection import NOTHING_SELECTED, Selection
from roost_tui.selection_screen import SETTLE_S
from roost_tui.snapshot_feed import SnapshotFeed
from roost_tui.snapshot_text import NOT_LOOKED_AT
from roost_tui.spans import Spans, Tone
from roost_tui.table_overlay import MOVES, WORKSPACES, TableOverlay
from roost_tui.usefulness import fits
from roost_tui.widgets.filter_bar import FilterBar
from roost_tui.widgets.lines_view import LinesView
from roost_tui.widgets.panel_title import PanelTitle
from roost_tui.widgets.snapshot_list import SnapshotList
from roost_tui.widgets.table import RowTable

PANELS = (Place.SNAPSHOT_LIST, Place.SNAPSHOT_PAGE)

ROOMY = (100, 30)
"""Cells and lines from which on the page stands below the table."""

_OWN = (
    MOVES
    | WORKSPACES
    | {
        "screen.faults",
        "screen.menu",
        "screen.next_panel",
        "screen.previous_panel",
        "screen.zoom",
        "bundle.respawn",
    }
)
"""Actions of the dashboard that this screen has, too."""

_OF_ROW = ("screen.open", "screen.menu", "screen.copy", "bundle.respawn")


def entries_here(entries: Sequence[KeyAction]) -> tuple[KeyAction, ...]:
    """Return the entries of the table that this screen has, as entries of its two panels."""
    return entries_for(entries, PANELS, _OWN)


class SnapshotsScreen(TableOverlay, inherit_bindings=False):
    """The snapshots of the workspace that the dashboard shows.

    Args:
        dashboard: where the picture comes from.
        engine: the engine, or None while there is no connection.
        key: the bundle whose snapshot alone is wanted, if it is not all of them.
    """

    AUTO_FOCUS = f"#{Place.SNAPSHOT_LIST}"
    DEFAULT_CSS = """
    SnapshotsScreen #snapshot-list { height: auto; min-height: 4; max-height: 50%; }
    SnapshotsScreen.-single.-on-snapshot-list #snapshot-list { height: 1fr; max-height: 100%; }
    SnapshotsScreen.-single.-on-snapshot-list #snapshot-page { display: none; }
    SnapshotsScreen.-single.-on-snapshot-list #snapshot-page-title { display: none; }
    SnapshotsScreen.-single.-on-snapshot-page #snapshot-list { display: none; }
    SnapshotsScreen.-single.-on-snapshot-page #snapshot-list-title { display: none; }
    """
    main_place = Place.SNAPSHOT_LIST
    filter_keys = snapshot_rows.SNAPSHOT_KEYS
    menu_groups = ("Bundle", "Row")

    is_zoomed: reactive[bool] = reactive(False, init=False)

    page_view = query_one(f"#{Place.SNAPSHOT_PAGE}", LinesView)

    def __init__(
        self,
        dashboard: Dashboard,
        engine: Callable[[], EngineAPI | None],
        key: RowKey | None = None,
    ) -> None:
        entries = entries_here(dashboard.entries)
        self.table = SnapshotList(entries, dashboard.glyphs)
        choice = Choice(sort_title=snapshot_rows.DEFAULT_ORDER)
        super().__init__(dashboard, engine, entries, self.table, choice, id="snapshots-screen")
        self._model = snapshot_rows.model()
        self._wanted = key
        self._is_for_one = key is not None
        self._place = Place.SNAPSHOT_LIST
        self._index: Mapping[RowKey, SnapshotView] = {}
        self._indexed: object = None
        self._reading: Rereading[str | None, tuple[SnapshotView, ...]] = Rereading(
            "read snapshots",
            engine,
            lambda engine, workspace: engine.snapshots(workspace),
            self.show,
        )
        self._feed = SnapshotFeed(engine, self.show, settle_s=SETTLE_S)

    @property
    def view_shown(self) -> SnapshotView | None:
        """The selected row."""
        return self.table.cursor_row

    @property
    def selection(self) -> Selection:
        view = self.view_shown
        key = (view.workspace, view.name) if view else None
        bundle = self._dashboard.shown.bundles.get(key) if key else None
        return Selection(bundle=bundle) if bundle else NOTHING_SELECTED

    def compose_panels(self) -> Iterable[Widget]:
        glyphs = self._dashboard.glyphs
        yield Vertical(
            PanelTitle("snapshot-list-title", glyphs),
            self.table,
            PanelTitle("snapshot-page-title", glyphs),
            LinesView(self.entries, Place.SNAPSHOT_PAGE, glyphs),
        )
        yield FilterBar()

    def on_mount(self) -> None:
        super().on_mount()
        if self._is_for_one:
            self._open()
        else:
            self._lay_out()

    # Showing

    def show_panels(self) -> None:
        if not self.query(FilterBar):
            return
        self._read_what_is_new()
        self._show_rows()
        self._show_page()
        self._show_titles()

    def _read_what_is_new(self) -> None:
        """Read the rows again when a snapshot changed, or a bundle came or went."""
        shown, workspace = self._dashboard.shown, self._dashboard.workspace
        if not self._dashboard.state.link.is_live:
            self._reading.rest()
        elif shown.has_seen_engine:
            version = shown.began_at, shown.snapshot_marks, frozenset(shown.bundles)
            self._reading.follow(self, workspace, version)

    def _show_rows(self) -> None:
        dashboard, table = self._dashboard, self.table
        choice = self.present_choice()
        rows = self._model.rows(self._known_rows(), choice, dashboard.rows_at)
        has_workspaces = choice.workspace is None and len(dashboard.shown.workspaces) > 1
        table.show_columns(snapshot_rows.columns(has_workspaces=has_workspaces))
        table.show_order(choice.sort_title, is_descending=choice.is_descending)
        table.show_empty(self._why_empty(choice))
        table.show(rows, Drawing(dashboard.rows_at, dashboard.glyphs, dashboard.notes))
        if self._wanted is not None and table.select(self._wanted):
            self._wanted = None

    def _known_rows(self) -> Mapping[RowKey, SnapshotView]:
        """Return what was read of bundles that are still there; the same mapping while it is so."""
        views = self._reading.known_of(self._dashboard.workspace) or ()
        bundles = self._dashboard.shown.bundles
        indexed = views, frozenset(bundles)
        if indexed != self._indexed:
            self._indexed = indexed
            keyed = {(view.workspace, view.name): view for view in views}
            self._index = {key: view for key, view in keyed.items() if key in bundles}
        return self._index

    def _why_empty(self, choice: Choice) -> tuple[Spans, ...]:
        workspace = self._dashboard.workspace
        if problem := self._reading.problem_of(workspace):
            return (((problem, Tone.WARN),),)
        shown = self._dashboard.shown
        is_known = self._reading.known_of(workspace) is not None
        if shown.has_seen_engine and shown.bundles and not is_known:
            return ((("Reading how they stand...", Tone.MUTED),),)
        if choice.faults_only and not choice.filter and shown.bundles:
            return ((("No snapshot is stale, refused or failed.", Tone.OK),),)
        return remarks.no_bundles(shown, choice.filter, faults_only=choice.faults_only)

    @property
    def _page_key(self) -> RowKey | None:
        if self._wanted is not None and self._is_for_one:
            return self._wanted
        return self.table.cursor_key

    def _show_page(self) -> None:
        dashboard, key = self._dashboard, self._page_key
        self._feed.follow(self, key, dashboard.shown)
        build = partial(
            snapshot_page.lines,
            self._feed.known_of(key),
            note=dashboard.notes.get(key) if key else None,
            now=dashboard.rows_at,
            glyphs=dashboard.glyphs,
        )
        self.page_view.show(build if key else _nothing, about=key)

    def _show_titles(self) -> None:
        above = self.query_one("#snapshot-list-title", PanelTitle)
        above.tabs, above.active = ((Place.SNAPSHOT_LIST, "Snapshots"),), Place.SNAPSHOT_LIST
        above.is_focused = self._place is Place.SNAPSHOT_LIST and not self.is_typing
        problem = self._reading.problem_of(self._dashboard.workspace) and self.table.rows
        above.remark = (
            *((("cannot be read anew  ", Tone.WARN),) if problem else ()),
            *remarks.table_remark(
                len(self.table.rows),
                self._model.unfiltered,
                self._choice.filter,
                faults_only=self._choice.faults_only,
            ),
        )
        below = self.query_one("#snapshot-page-title", PanelTitle)
        below.tabs, below.active = ((Place.SNAPSHOT_PAGE, "Snapshot"),), Place.SNAPSHOT_PAGE
        below.is_focused = self._place is Place.SNAPSHOT_PAGE
        key = self._page_key
        below.remark = ((f"{key[0]}/{key[1]}", Tone.STRONG),) if key else ()

    # Panels

    def size_changed(self) -> None:
        self.call_after_refresh(self._lay_out)

    def watch_is_zoomed(self) -> None:
        self._lay_out()

    @property
    def _is_cramped(self) -> bool:
        width, height = ROOMY
        return self.size.width < width or self.size.height < height

    def _lay_out(self) -> None:
        self.set_class(self.is_zoomed or self._is_cramped, "-single")
        for place in PANELS:
            self.set_class(place is self._place, f"-on-{place}")
        self.show()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        for place in PANELS:
            if event.widget.id == place:
                self._place = place
        self._lay_out()

    def _go_to(self, place: Place) -> None:
        self._place = place
        self._lay_out()
        self.query_one(f"#{place}").focus()

    def _step_panel(self) -> None:
        is_on_list = self._place is Place.SNAPSHOT_LIST
        self._go_to(Place.SNAPSHOT_PAGE if is_on_list else Place.SNAPSHOT_LIST)

    @on(RowTable.CursorMoved)
    def take_cursor(self, message: RowTable.CursorMoved) -> None:
        message.stop()
        self.show()

    # Actions

    def handlers(self) -> dict[str, Callable[[], object]]:
        return super().handlers() | {
            "screen.back": self._back,
            "screen.snapshots": lambda: None,
            "screen.open": self._open,
            "screen.next_panel": self._step_panel,
            "screen.previous_panel": self._step_panel,
            "screen.zoom": self._zoom,
            "screen.copy": self._copy,
        }

    def can_perform(self, action_id: str) -> bool:
        if not super().can_perform(action_id):
            return False
        if action_id in MOVES and self._place is not Place.SNAPSHOT_LIST:
            return False
        if action_id == "screen.zoom":
            return not self._is_cramped
        is_of_row = action_id in _OF_ROW or action_id.startswith("snapshot.")
        return not is_of_row or self.selection.key is not None

    def is_useful(self, action_id: str) -> bool:
        view, bundle = self.view_shown, self.selection.bundle
        if view is None or bundle is None:
            return True
        is_building = view.state is SnapshotState.BUILDING
        match action_id:
            case "snapshot.build":
                return _may_build(view) and not is_building
            case "snapshot.verify" | "snapshot.remove":
                return view.state is not None and not is_building
        return fits(action_id, bundle)

    def footer(self) -> tuple[KeyAction, ...]:
        if not self.query(FilterBar):
            return ()
        if self.is_typing:
            return FILTER_KEYS
        is_live = self._dashboard.state.link.is_live
        useful = [
            entry
            for entry in self.entries
            if self.can_perform(entry.id)
            and self.is_useful(entry.id)
            and (is_live or not entry.risk)
        ]
        return footer_entries(useful, self._place)

    def _back(self) -> None:
        if self._place is Place.SNAPSHOT_PAGE and not self._is_for_one:
            self.is_zoomed = False
            self._go_to(Place.SNAPSHOT_LIST)
        elif self.is_zoomed and not self._is_for_one:
            self.is_zoomed = False
        elif self._choice.filter:
            self.set_filter("")
        else:
            self.dismiss(None)

    def _open(self) -> None:
        """Show everything about the selected snapshot over the whole screen."""
        self.is_zoomed = True
        self._go_to(Place.SNAPSHOT_PAGE)

    def _zoom(self) -> None:
        self.is_zoomed = not self.is_zoomed

    def _copy(self) -> None:
        label = self.selection.label
        if self._place is Place.SNAPSHOT_PAGE:
            self.copy(self.page_view.text, f"everything about the snapshot of {label}")
        else:
            self.copy(label, label)


def _may_build(view: SnapshotView) -> bool:
    is_unknown = view.reason is not None and view.reason.code == NOT_LOOKED_AT
    return view.is_eligible or is_unknown


def _nothing(width: int) -> list[Spans]:
    return [(("  Nothing is selected.", Tone.MUTED),)]
