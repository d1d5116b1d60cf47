"""`SteadySize`: lays a screen out for the size that the terminal has, not for one it had."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import events

if TYPE_CHECKING:
    from textual.widget import Widget as _Base
else:
    # Textual reads styles along the first base that is a widget; see `modals.bounded`.
    _Base = object


class SteadySize(_Base):
    """Mixed into a screen, before its class.

    Textual answers each resize of a screen with another one. Two sizes in the queue at once would
    take turns for ever, so only the present size is laid out.
    """

    def on_resize(self, event: events.Resize) -> None:
        """Drop a size that has passed, before the screen itself takes it."""
        if event.size != self.app.size:
            event.prevent_default()
            return
        self.size_changed()

    def size_changed(self) -> None:
        """Do what a new size asks for beyond the layout."""
