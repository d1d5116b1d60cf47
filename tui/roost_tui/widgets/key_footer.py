"""`KeyFooter`: the keys that matter for what has the focus."""

from __future__ import annotations

from textual.reactive import reactive

from roost_tui.actions import KeyAction, key_text
from roost_tui.spans import Span, Spans, Tone, width_of
from roost_tui.widgets.span_line import SpanLine


class KeyFooter(SpanLine):
    """The last line of the screen."""

    entries: reactive[tuple[KeyAction, ...]] = reactive(())

    def __init__(self) -> None:
        super().__init__(id="footer")

    def spans(self, width: int) -> Spans:
        spans: list[Span] = [(" ", Tone.TEXT)]
        for entry in self.entries:
            pair: Spans = (
                (key_text(entry.keys), Tone.TITLE),
                (" ", Tone.TEXT),
                (entry.label, Tone.MUTED),
                ("  ", Tone.TEXT),
            )
            if width_of((*spans, *pair)) > width + 1:
                break
            spans += pair
        return tuple(spans)
