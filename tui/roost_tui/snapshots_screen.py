"""`SnapshotsScreen`: the startup snapshots of all bundles, and all about the selected one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from textual import events, on
from textual.containers import Vertical
from textual.getters import query_one
from textual.reactive import reactive
from textual.widget import Widget

from roost.contract import EngineAPI
from roost.models import SnapshotState, SnapshotView
from roost_tui import remarks, snapshot_page, snapshot_rows
from roost_tui.actions import FILTER_KEYS, KeyAction, Place, footer_entries, key_text
from roost_tui.columns import Drawing
from roost_tui.dashboard import Dashboard
from roost_tui.filters import NO_FILTER, FilterError, parse_filter
from roost_tui.notes import RowKey
from roost_tui.overlay import Overlay, entries_for
from roost_tui.rereading import Rereading
from roost_tui.row_model import Choice, sorted_by_next
from roost_tui.selection import NOTHING_SELECTED, Selection
from roost_tui.selection_screen import SETTLE_S
from roost_tui.snapshot_feed import SnapshotFeed
from roost_tui.snapshot_text import NOT_LOOKED_AT
from roost_tui.spans import Spans, Tone
from roost_tui.usefulness import fits
from roost_tui.widgets.filter_bar import FilterBar
from roost_tui.widgets.lines_view import LinesView
from roost_tui.widgets.panel_title import PanelTitle
from roost_tui.widgets.snapshot_list import SnapshotList
from roost_tui.widgets.table import RowTable

PANELS = (Place.SNAPSHOT_LIST, Place.SNAPSHOT_PAGE)

ROOMY = (100, 30)
"""Cells and lines from which on the page stands below the table."""

_OF_TABLE = frozenset(
    {
        "screen.open",
        "screen.filter",
        "screen.next_match",
        "screen.previous_match",
        "screen.sort_left",
        "screen.sort_right",
        "screen.sort_order",
    }
)
"""Actions of tables that this screen has while its table has the focus."""

_OWN = _OF_TABLE | {
    "screen.faults",
    "screen.menu",
    "screen.workspace",
    "screen.all_workspaces",
    "screen.next_panel",
    "screen.previous_panel",
    "screen.zoom",
    "bundle.respawn",
}
"""Actions of the dashboard that this screen has, too."""

_OF_ROW = ("screen.open", "screen.menu", "screen.copy", "bundle.respawn")


def entries_here(entries: Sequence[KeyAction]) -> tuple[KeyAction, ...]:
    """Return the entries of the table that this screen has, as entries of its two panels."""
    return entries_for(entries, PANELS, _OWN)


class SnapshotsScreen(Overlay, inherit_bindings=False):
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

    is_zoomed: reactive[bool] = reactive(False, init=False)

    page_view = query_one(f"#{Place.SNAPSHOT_PAGE}", LinesView)
    filter_bar = query_one(FilterBar)

    def __init__(
        self,
        dashboard: Dashboard,
        engine: Callable[[], EngineAPI | None],
        key: RowKey | None = None,
    ) -> None:
        super().__init__(dashboard, engine, entries_here(dashboard.entries), id="snapshots-screen")
        self.table = SnapshotList(self.entries, dashboard.glyphs)
        """Asked for the selected row by every action, so it is not looked up each time."""
        self._choice = Choice(sort_title=snapshot_rows.DEFAULT_ORDER)
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
    def workspace_shown(self) -> str | None:
        return self._dashboard.workspace

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
        choice = self._present_choice()
        rows = self._model.rows(self._known_rows(), choice, dashboard.rows_at)
        has_workspaces = choice.workspace is None and len(dashboard.shown.workspaces) > 1
        table.show_columns(snapshot_rows.columns(has_workspaces=has_workspaces))
        table.show_order(choice.sort_title, is_descending=choice.is_descending)
        table.show_empty(self._why_empty(choice))
        table.show(rows, Drawing(dashboard.rows_at, dashboard.glyphs, dashboard.notes))
        if self._wanted is not None and table.select(self._wanted):
            self._wanted = None

    def _present_choice(self) -> Choice:
        dashboard = self._dashboard
        self._choice = replace(
            self._choice, workspace=dashboard.workspace, faults_only=dashboard.is_faults_only
        )
        return self._choice

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

    @on(RowTable.Opened)
    def open_row(self, message: RowTable.Opened) -> None:
        message.stop()
        self.action_perform("screen.open")

    # Filter

    @property
    def is_typing(self) -> bool:
        """Whether a filter is being typed."""
        return self.filter_bar.has_class("-shown")

    def set_filter(self, text: str) -> None:
        """Show only the snapshots that a filter leaves.

        Raises:
            FilterError: the text is no filter; the table keeps what it had.
        """
        wanted = parse_filter(text, snapshot_rows.SNAPSHOT_KEYS) or NO_FILTER
        self._choice = replace(self._choice, filter=wanted)
        self.show()

    @on(FilterBar.Typed)
    def try_filter(self, message: FilterBar.Typed) -> None:
        message.stop()
        try:
            self.set_filter(message.text)
        except FilterError as error:
            self.filter_bar.say(((str(error), Tone.FAULT),))
        else:
            self.filter_bar.say(())

    @on(FilterBar.Kept)
    @on(FilterBar.Cleared)
    def leave_filter(self, message: FilterBar.Kept | FilterBar.Cleared) -> None:
        message.stop()
        if isinstance(message, FilterBar.Cleared):
            self.set_filter("")
        self.filter_bar.close()
        self.table.focus()
        self.show()

    # Actions

    def do(self, action_id: str) -> bool:
        handlers: dict[str, Callable[[], object]] = {
            "screen.back": self._back,
            "screen.snapshots": lambda: None,
            "screen.open": self._open,
            "screen.filter": self._filter,
            "screen.next_match": lambda: self.table.step(1),
            "screen.previous_match": lambda: self.table.step(-1),
            "screen.sort_left": lambda: self._sort(-1),
            "screen.sort_right": lambda: self._sort(1),
            "screen.sort_order": self._reverse,
            "screen.next_panel": self._step_panel,
            "screen.previous_panel": self._step_panel,
            "screen.zoom": self._zoom,
            "screen.menu": self._menu,
            "screen.copy": self._copy,
        }
        handler = handlers.get(action_id)
        if handler is None:
            return False
        handler()
        return True

    def can_perform(self, action_id: str) -> bool:
        if not super().can_perform(action_id):
            return False
        if action_id in ("screen.workspace", "screen.all_workspaces"):
            return bool(self._dashboard.check_action("perform", (action_id,)))
        if action_id in _OF_TABLE and self._place is not Place.SNAPSHOT_LIST:
            return False
        if action_id in ("screen.next_match", "screen.previous_match"):
            return bool(self._choice.filter)
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

    def _filter(self) -> None:
        self.filter_bar.open(Place.SNAPSHOT_LIST, self._choice.filter.source)

    def _sort(self, by: int) -> None:
        self._choice = sorted_by_next(self._choice, self.table.shown_titles(), by)

    def _reverse(self) -> None:
        self._choice = replace(self._choice, is_descending=not self._choice.is_descending)

    def _copy(self) -> None:
        label = self.selection.label
        if self._place is Place.SNAPSHOT_PAGE:
            self.copy(self.page_view.text, f"everything about the snapshot of {label}")
        else:
            self.copy(label, label)

    def _menu(self) -> None:
        from roost_tui.modals import ActionMenu  # modals load when they are first opened

        entries = [
            (entry.id, key_text(entry.keys), entry.label)
            for entry in self.entries
            if entry.group in ("Bundle", "Row") and entry.id != "screen.menu"
            if self.can_perform(entry.id) and self.is_useful(entry.id)
        ]

        def chosen(action_id: str | None) -> None:
            if action_id is not None:
                self.action_perform(action_id)

        self.app.push_screen(ActionMenu(self.selection.label, entries), chosen)


def _may_build(view: SnapshotView) -> bool:
    is_unknown = view.reason is not None and view.reason.code == NOT_LOOKED_AT
    return view.is_eligible or is_unknown


def _nothing(width: int) -> list[Spans]:
    return [(("  Nothing is selected.", Tone.MUTED),)]
