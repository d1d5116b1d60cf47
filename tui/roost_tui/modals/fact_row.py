"""`FactRow`: a label and what is so, aligned with the rows of a form."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static

from roost_tui.glyphs import glyphs_of
from roost_tui.modals.palette import ACCENT, MUTED, TONE_STYLES
from roost_tui.plan_text import Fact
from roost_tui.spans import Tone

_STYLES = TONE_STYLES | {Tone.TEXT: "", Tone.STRONG: "bold", Tone.ACCENT: ACCENT}


class FactRow(Horizontal):
    """One fact; a warning has its glyph."""

    DEFAULT_CSS = """
    FactRow { height: auto; padding-left: 2; }
    FactRow .label { width: 20; height: auto; padding-right: 2; color: $foreground 60%; }
    FactRow .fact { width: 1fr; height: auto; padding-left: 2; }
    """

    def __init__(self, fact: Fact) -> None:
        super().__init__()
        self.fact = fact

    def compose(self) -> ComposeResult:
        """Lay out the label and the text."""
        style = _STYLES.get(self.fact.tone, MUTED)
        yield Static(Content(self.fact.label), classes="label")
        yield Static(Content.styled(self._words, style), classes="fact")

    @property
    def _words(self) -> str:
        if self.fact.label != "warning":
            return self.fact.text
        return f"{glyphs_of(self.app).attention} {self.fact.text}"
