"""`Flow`: short pieces of text in as many lines as they need, none broken or cut off."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

from roost_tui.modals.wording import flow


class Flow(Widget):
    """Pieces laid out from left to right, wrapped between pieces only."""

    DEFAULT_CSS = """
    Flow {
        width: 1fr;
        height: auto;
    }
    """

    def __init__(self, pieces: Sequence[Content] = (), *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._pieces = tuple(pieces)

    @property
    def pieces(self) -> tuple[Content, ...]:
        """What is shown, in order."""
        return self._pieces

    @pieces.setter
    def pieces(self, pieces: Sequence[Content]) -> None:
        if self._pieces != tuple(pieces):
            self._pieces = tuple(pieces)
            self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the number of lines at this width."""
        return len(self._lines(width))

    def render(self) -> Content:
        """Draw the lines for the current width."""
        lines = self._lines(self.content_size.width)
        gap = Content("  ")
        return Content("\n").join(gap.join(self._pieces[i] for i in line) for line in lines)

    def _lines(self, width: int) -> list[list[int]]:
        return flow([piece.cell_length for piece in self._pieces], width)
