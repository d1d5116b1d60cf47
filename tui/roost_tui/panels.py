"""`PanelScreen`: a screen of panels, of which as many are shown as fit."""

from __future__ import annotations

from textual import events, on
from textual.reactive import reactive
from textual.screen import Screen

from roost_tui.actions import BOTTOM, EVERYWHERE, Place
from roost_tui.resizing import SteadySize
from roost_tui.widgets.panel_title import PanelTitle
from roost_tui.widgets.span_view import SpanView

NARROW = 100
"""Cells below which one panel is shown at a time."""

SHORT = 18
"""Lines below which three panels would be too small to read."""


class PanelScreen(SteadySize, Screen[None], inherit_bindings=False):
    """Knows which panel has the focus and which are shown; subclasses fill them."""

    is_zoomed: reactive[bool] = reactive(False, init=False)

    place = Place.BUNDLES
    """The panel that has the focus, or had it last."""
    lead = Place.BUNDLES
    """The table whose row is selected."""
    tab = Place.LOGS
    """The panel at the bottom."""

    def show_rows(self) -> None:
        """Bring the content of the panels up to date."""
        raise NotImplementedError

    def show_titles(self) -> None:
        """Bring what stands around the panels up to date."""
        raise NotImplementedError

    @property
    def is_single(self) -> bool:
        """Whether one panel is shown at a time."""
        return self.is_zoomed or self.is_cramped

    @property
    def is_cramped(self) -> bool:
        """Whether the terminal is too small for more than one panel."""
        return self.size.width < NARROW or self.size.height < SHORT

    @property
    def visible_bottom(self) -> Place | None:
        """The panel about the selected row that can be seen, if any."""
        if self.is_single:
            return self.place if self.place in BOTTOM else None
        return self.tab

    def size_changed(self) -> None:
        self.call_after_refresh(self.lay_out_panels)

    def watch_is_zoomed(self) -> None:
        self.lay_out_panels()

    def lay_out_panels(self) -> None:
        """Show the panels that fit.

        The classes change together and the styles are worked out once: that walks every widget.
        """
        panels = {place: self.panel(place) for place in EVERYWHERE}
        before = [self.classes, *(panel.classes for panel in panels.values())]
        self.set_class(self.is_single, "-single", update=False)
        for place in BOTTOM:
            self.set_class(place is self.tab, f"-tab-{place}", update=False)
        for place, panel in panels.items():
            panel.set_class(place is self.place, "-shown", update=False)
        if before != [self.classes, *(panel.classes for panel in panels.values())]:
            self.update_node_styles()
        self.show_rows()

    def panel(self, place: Place) -> SpanView:
        """Return the widget of a panel."""
        return self.query_one(f"#{place}", SpanView)

    def go_to(self, place: Place) -> None:
        """Show a panel and give it the focus."""
        self._take_place(place)
        self.lay_out_panels()
        self.panel(place).focus()

    def show_tab(self, place: Place) -> None:
        """Show a panel at the bottom without giving it the focus."""
        self.tab = place
        self.lay_out_panels()

    def _take_place(self, place: Place) -> None:
        self.place = place
        if place in BOTTOM:
            self.tab = place
        else:
            self.lead = place

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        if isinstance(event.widget, SpanView) and event.widget.place is not self.place:
            self._take_place(event.widget.place)
            self.lay_out_panels()
        self.show_titles()

    @on(PanelTitle.TabChosen)
    def choose_tab(self, message: PanelTitle.TabChosen) -> None:
        message.stop()
        self.go_to(message.place)
