"""`FactLines`: labels with what is so, drawn at once, for facts that change while they are read."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

from roost_tui.modals.palette import ACCENT, MUTED, TONE_STYLES
from roost_tui.plan_text import Fact
from roost_tui.spans import Spans, Tone
from roost_tui.text_blocks import wrapped_pair

_STYLES = TONE_STYLES | {Tone.TEXT: "", Tone.STRONG: "bold", Tone.ACCENT: ACCENT}


class FactLines(Widget):
    """Facts one below the other; values are wrapped beside their labels.

    It has no widget for each fact: those would have to be taken out and put in again, one
    answer of the engine after the other, while the cursor goes on.
    """

    DEFAULT_CSS = """
    FactLines { width: 1fr; height: auto; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._facts: tuple[Fact, ...] = ()

    @property
    def facts(self) -> tuple[Fact, ...]:
        """What is shown, in order."""
        return self._facts

    @facts.setter
    def facts(self, facts: Sequence[Fact]) -> None:
        if self._facts != tuple(facts):
            self._facts = tuple(facts)
            self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the number of lines at this width."""
        return len(self._lines(width))

    def render(self) -> Content:
        """Draw the lines for the current width."""
        lines = self._lines(self.content_size.width)
        return Content("\n").join(
            Content.assemble(*((text, _STYLES.get(tone, MUTED)) for text, tone in line))
            for line in lines
        )

    def _lines(self, width: int) -> list[Spans]:
        found: list[Spans] = []
        for fact in self._facts:
            found += wrapped_pair(fact.label, fact.text, width, fact.tone)
        return found
