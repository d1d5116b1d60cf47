"""`TableOverlay`: what screens over the dashboard share whose rows are filtered and sorted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

from textual import on
from textual.getters import query_one

from roost.contract import EngineAPI
from roost_tui.actions import KeyAction, key_text
from roost_tui.dashboard import Dashboard
from roost_tui.filters import NO_FILTER, FilterError, parse_filter
from roost_tui.overlay import Overlay
from roost_tui.row_model import Choice, sorted_by_next
from roost_tui.spans import Tone
from roost_tui.widgets.filter_bar import FilterBar
from roost_tui.widgets.table import RowTable

MOVES = frozenset(
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
"""Actions of tables that these screens have, too."""

WORKSPACES = frozenset({"screen.workspace", "screen.all_workspaces"})
"""Actions that the dashboard does for them."""


class TableOverlay(Overlay, inherit_bindings=False):
    """A table under a filter, an order and a menu of its row.

    Args:
        dashboard: where the picture comes from.
        engine: the engine, or None while there is no connection.
        entries: the entries of the table of keys that it has.
        table: its rows; asked by every action, so it is not looked up each time.
        choice: what it shows at first, in which order.
        id: of the screen.
    """

    filter_keys: ClassVar[frozenset[str]]
    """The fields that ``key:value`` of a filter may name."""

    menu_groups: ClassVar[tuple[str, ...]]
    """The groups of actions that the menu of a row offers."""

    filter_bar = query_one(FilterBar)

    def __init__(
        self,
        dashboard: Dashboard,
        engine: Callable[[], EngineAPI | None],
        entries: tuple[KeyAction, ...],
        table: RowTable[Any],
        choice: Choice,
        *,
        id: str,
    ) -> None:
        super().__init__(dashboard, engine, entries, id=id)
        self._rows = table
        self._choice = choice

    @property
    def workspace_shown(self) -> str | None:
        return self._dashboard.workspace

    def present_choice(self) -> Choice:
        """Return what is shown, with what the dashboard has chosen for all screens."""
        dashboard = self._dashboard
        self._choice = replace(
            self._choice, workspace=dashboard.workspace, faults_only=dashboard.is_faults_only
        )
        return self._choice

    # Filter

    @property
    def is_typing(self) -> bool:
        """Whether a filter is being typed."""
        return self.filter_bar.has_class("-shown")

    def set_filter(self, text: str) -> None:
        """Show only the rows that a filter leaves.

        Raises:
            FilterError: the text is no filter; the table keeps what it had.
        """
        wanted = parse_filter(text, self.filter_keys) or NO_FILTER
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
        self._rows.focus()
        self.show()

    # Rows

    @on(RowTable.Opened)
    def open_row(self, message: RowTable.Opened) -> None:
        message.stop()
        self.action_perform("screen.open")

    # Actions

    def do(self, action_id: str) -> bool:
        handler = self.handlers().get(action_id)
        if handler is None:
            return False
        handler()
        return True

    def handlers(self) -> dict[str, Callable[[], object]]:
        """Return what this screen does itself, by action."""
        return {
            "screen.filter": self._filter,
            "screen.next_match": lambda: self._rows.step(1),
            "screen.previous_match": lambda: self._rows.step(-1),
            "screen.sort_left": lambda: self._sort(-1),
            "screen.sort_right": lambda: self._sort(1),
            "screen.sort_order": self._reverse,
            "screen.menu": self._menu,
        }

    def can_perform(self, action_id: str) -> bool:
        if not super().can_perform(action_id):
            return False
        if action_id in WORKSPACES:
            return bool(self._dashboard.check_action("perform", (action_id,)))
        if action_id in ("screen.next_match", "screen.previous_match"):
            return bool(self._choice.filter)
        return True

    def sort_titles(self) -> tuple[str, ...]:
        """Return the orders that can be chosen, as their columns stand."""
        return tuple(self._rows.shown_titles())

    def _filter(self) -> None:
        self.filter_bar.open(self.main_place, self._choice.filter.source)

    def _sort(self, by: int) -> None:
        self._choice = sorted_by_next(self._choice, self.sort_titles(), by)

    def _reverse(self) -> None:
        self._choice = replace(self._choice, is_descending=not self._choice.is_descending)

    def _menu(self) -> None:
        from roost_tui.modals import ActionMenu  # modals load when they are first opened

        entries = [
            (entry.id, key_text(entry.keys), entry.label)
            for entry in self.entries
            if entry.group in self.menu_groups and entry.id != "screen.menu"
            if self.can_perform(entry.id) and self.is_useful(entry.id)
        ]

        def chosen(action_id: str | None) -> None:
            if action_id is not None:
                self.action_perform(action_id)

        self.app.push_screen(ActionMenu(self.selection.label, entries), chosen)
