"""`Bounded`: a widget as tall as its content, as far as the screen has room for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.geometry import Size

if TYPE_CHECKING:
    from textual.widget import Widget as _Base
else:
    # Textual reads styles and component classes along the first base that is a widget: a mixin
    # that were one would hide those of the widget it is mixed into.
    _Base = object

_LEAST_ROWS = 3
"""A bounded widget never gets fewer rows, however small the terminal."""


class Bounded(_Base):
    """Mixed into a scrolling widget whose height is ``auto``."""

    reserved_rows: int = 8
    """Rows of the screen that are kept free for what stands around it."""

    def reserve(self, rows: int) -> None:
        """Keep this many rows of the screen free."""
        if rows != self.reserved_rows:
            self.reserved_rows = rows
            self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the height of the content, bounded by what the screen has left."""
        wanted = super().get_content_height(container, viewport, width)
        return min(wanted, max(_LEAST_ROWS, viewport.height - self.reserved_rows))
