"""How tones become colours: component classes, so that themes and style sheets reach them.

Textual works out every component class of every widget whenever styles change, which made up half
of the time to the first frame. So one invisible `Swatch` has the tones, for all who draw with them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from roost_tui.spans import Spans, Tone

_TONE_CLASSES = frozenset(f"tone--{tone}" for tone in Tone)

_RULES = {
    Tone.TEXT: "color: $foreground;",
    Tone.MUTED: "color: $roost-muted;",
    Tone.STRONG: "color: $foreground; text-style: bold;",
    Tone.ACCENT: "color: $text-primary;",
    Tone.OK: "color: $text-success;",
    Tone.BUSY: "color: $text-accent;",
    Tone.WARN: "color: $text-warning;",
    Tone.FAULT: "color: $text-error; text-style: bold;",
    Tone.TITLE: "color: $text-primary; text-style: bold;",
    Tone.RULE: "color: $roost-line;",
}


class Swatch(Widget):
    """Holds the colours of the tones; never shown."""

    COMPONENT_CLASSES: ClassVar[set[str]] = set(_TONE_CLASSES)
    DEFAULT_CSS = "Swatch { display: none; }\n" + "\n".join(
        f"Swatch .tone--{tone} {{ {rule} }}" for tone, rule in _RULES.items()
    )

    FRAME = "frame-tones"
    """Id of the swatch for what stands around the panels."""
    PANELS = "panel-tones"
    """Id of the swatch for rows and figures, which grey when the daemon is lost."""

    def tone(self, tone: Tone) -> Style:
        """Return the style of a tone in the present theme."""
        return self.get_component_rich_style(f"tone--{tone}", partial=True)


def strip_of(spans: Spans, style_of: Callable[[Tone], Style], base: Style) -> Strip:
    """Draw spans on a base style.

    Blanks before a text are segments of their own: some programs that draw exported screens drop
    them otherwise.
    """
    segments: list[Segment] = []
    for text, tone in spans:
        words = text.lstrip(" ")
        if len(words) < len(text):
            segments.append(Segment(" " * (len(text) - len(words)), base))
        if words:
            segments.append(Segment(words, base + style_of(tone)))
    return Strip(segments)
