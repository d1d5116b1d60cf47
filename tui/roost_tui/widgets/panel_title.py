"""`PanelTitle`: the line above a panel, with its tabs and what is to be said about it."""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len
from textual import events
from textual.message import Message
from textual.reactive import reactive

from roost_tui.actions import Place
from roost_tui.glyphs import UNICODE, Glyphs
from roost_tui.spans import Span, Spans, Tone, clip, width_of
from roost_tui.widgets.span_line import SpanLine

Tab = tuple[Place, str]


class PanelTitle(SpanLine):
    """Tabs on the left, a rule, and a remark on the right."""

    tabs: reactive[tuple[Tab, ...]] = reactive(())
    active: reactive[Place | None] = reactive(None)
    is_focused: reactive[bool] = reactive(False)
    remark: reactive[Spans] = reactive(())

    @dataclass
    class TabChosen(Message):
        """A tab was clicked."""

        place: Place

    def __init__(self, id: str, glyphs: Glyphs = UNICODE) -> None:
        super().__init__(id=id)
        self._glyphs = glyphs

    def spans(self, width: int) -> Spans:
        tabs = self._tab_spans()
        room = max(width - width_of(tabs) - 4, 0)
        remark = self._cut(self._without_quiet(room), room)
        tail: Spans = ((" ", Tone.TEXT), *remark, (" ", Tone.TEXT)) if remark else ()
        rule = max(width - width_of(tabs) - width_of(tail) - 1, 0)
        line = self._glyphs.rule
        return (*tabs, (line * rule, Tone.RULE), *tail, (line, Tone.RULE))

    def _without_quiet(self, room: int) -> Spans:
        """Leave out what matters least, from the left on, until the remark fits."""
        remark = list(self.remark)
        while len(remark) > 1 and width_of(tuple(remark)) > room:
            quiet = next((span for span in remark if span[1] is Tone.MUTED), None)
            if quiet is None:
                break
            remark.remove(quiet)
        return tuple(remark)

    def _cut(self, remark: Spans, room: int) -> Spans:
        kept: list[Span] = []
        for text, tone in remark:
            piece = clip(text, room, self._glyphs.ellipsis)
            kept.append((piece, tone))
            room -= cell_len(piece)
            if room <= 0:
                break
        return tuple(kept)

    def _tab_spans(self) -> Spans:
        spans: list[Span] = [(" ", Tone.TEXT)]
        for place, label in self.tabs:
            spans += [(label, self._tab_tone(place)), ("  ", Tone.TEXT)]
        spans[-1] = (" ", Tone.TEXT)
        return tuple(spans)

    def _tab_tone(self, place: Place) -> Tone:
        if place is not self.active:
            return Tone.MUTED
        return Tone.TITLE if self.is_focused else Tone.STRONG

    def on_click(self, event: events.Click) -> None:
        position = 1
        for place, label in self.tabs:
            if position <= event.x < position + cell_len(label):
                self.post_message(self.TabChosen(place))
            position += cell_len(label) + 2
