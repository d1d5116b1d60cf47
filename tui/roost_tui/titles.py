"""`Titles`: what stands above the panels, in the header and in the footer of the dashboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost_tui import remarks
from roost_tui.actions import BOTTOM, EVERYWHERE, Place
from roost_tui.spans import Spans, Tone
from roost_tui.widgets.header_bar import HeaderBar
from roost_tui.widgets.key_footer import KeyFooter
from roost_tui.widgets.panel_title import PanelTitle, Tab

if TYPE_CHECKING:
    from roost_tui.dashboard import Dashboard

LABELS: dict[Place, str] = {place: place.value.capitalize() for place in EVERYWHERE}

BOTTOM_TABS: tuple[Tab, ...] = tuple((place, LABELS[place]) for place in BOTTOM)
ALL_TABS: tuple[Tab, ...] = tuple((place, LABELS[place]) for place in EVERYWHERE)


class Titles:
    """Tells the lines around the panels what they say."""

    def __init__(self, dashboard: Dashboard) -> None:
        self._dashboard = dashboard

    def show(self) -> None:
        """Bring titles, header marks and footer up to date."""
        dashboard = self._dashboard
        self._show_title("all-title", ALL_TABS, dashboard.place)
        self._show_title("bundles-title", ALL_TABS[:1], Place.BUNDLES)
        self._show_title("runs-title", ALL_TABS[1:2], Place.RUNS)
        self._show_title("bottom-title", BOTTOM_TABS, dashboard.tab)
        dashboard.query_one(HeaderBar).marks = dashboard.marks
        dashboard.query_one(KeyFooter).entries = dashboard.footer()

    def _show_title(self, title_id: str, tabs: tuple[Tab, ...], active: Place) -> None:
        dashboard = self._dashboard
        title = dashboard.query_one(f"#{title_id}", PanelTitle)
        title.tabs, title.active = tabs, active
        title.is_focused = active is dashboard.place and not dashboard.is_typing
        title.remark = self._remark(active)

    def _remark(self, place: Place) -> Spans:
        dashboard = self._dashboard
        if place is Place.LOGS:
            return self._log_remark()
        if place in (Place.DETAIL, Place.EVENTS, Place.SNAPSHOT):
            label = dashboard.selection.label
            return ((label, Tone.STRONG),) if label else ()
        choice = dashboard.choices[place]
        is_bundles = place is Place.BUNDLES
        model = dashboard.bundle_model if is_bundles else dashboard.run_model
        table = dashboard.bundle_table if is_bundles else dashboard.run_table
        return remarks.table_remark(
            len(table.rows), model.unfiltered, choice.filter, faults_only=choice.faults_only
        )

    def _log_remark(self) -> Spans:
        log = self._dashboard.log_view
        run = self._dashboard.selection.run
        return remarks.log_remark(
            self._dashboard.log_label,
            past=log.past,
            is_complete=run is not None and not run.status.is_active,
            is_live=self._dashboard.state.link.is_live,
            shown=log.shown,
            total=log.total,
            dropped=log.dropped,
            new_lines=log.new_lines,
            is_following=log.is_following,
            wanted=log.filter,
        )
