"""Styles of text inside the modals. A glyph and a word always say the same as the colour."""

from __future__ import annotations

from roost_tui.spans import Tone

MUTED = "$foreground 60%"
"""Beside the point; `$text-muted` is an automatic colour, which content cannot resolve."""
ACCENT = "$text-accent"
"""Under way, and keys."""
GOOD = "$text-success"
"""Done, running."""
WARN = "$text-warning"
"""Wants attention."""
BAD = "$text-error"
"""Failed."""

TONE_STYLES = {
    Tone.OK: GOOD,
    Tone.BUSY: ACCENT,
    Tone.WARN: WARN,
    Tone.FAULT: f"bold {BAD}",
    Tone.MUTED: MUTED,
}
"""The tones of states, so that a state looks in a modal as it does in a table."""
