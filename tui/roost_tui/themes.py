"""Themes of our own, and the colours that Roost adds to every theme."""

from __future__ import annotations

from textual.color import Color
from textual.theme import Theme

DEFAULT_THEME = "roost-dark"

ROOST_DARK = Theme(
    name=DEFAULT_THEME,
    primary="#7fb4ca",
    secondary="#5d7f97",
    accent="#c6a6e0",
    foreground="#d3dae3",
    background="#14181f",
    surface="#1b212b",
    panel="#232b37",
    success="#8fc18a",
    warning="#e0b36a",
    error="#ec7f7f",
    dark=True,
    variables={
        "roost-muted": "#7f8b9b",
        "text-primary": "#7fb4ca",
        "text-accent": "#c6a6e0",
        "text-success": "#8fc18a",
        "text-warning": "#e0b36a",
        "text-error": "#ec7f7f",
        "roost-faint": "#687383",
        "roost-line": "#333d4b",
        "roost-cursor": "#2a3a4c",
        "roost-cursor-quiet": "#1c232d",
        "border": "#5d7f97",
        "input-selection-background": "#7fb4ca 30%",
        "scrollbar": "#333d4b",
        "scrollbar-background": "#1b212b",
        "scrollbar-corner-color": "#1b212b",
    },
)
"""Calm: greys carry the text, colour is kept for state."""

ROOST_HIGH_CONTRAST = Theme(
    name="roost-high-contrast",
    primary="#00e5ff",
    secondary="#80d8ff",
    accent="#ffb0ff",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#1a1a1a",
    success="#5cff5c",
    warning="#ffe600",
    error="#ff7a7a",
    dark=True,
    text_alpha=1.0,
    variables={
        "roost-muted": "#d0d0d0",
        "text-primary": "#00e5ff",
        "text-accent": "#ffb0ff",
        "text-success": "#5cff5c",
        "text-warning": "#ffe600",
        "text-error": "#ff7a7a",
        "roost-faint": "#a0a0a0",
        "roost-line": "#ffffff",
        "roost-cursor": "#0037b3",
        "roost-cursor-quiet": "#333333",
        "border": "#ffffff",
    },
)
"""At least 7:1 between text and ground, also for what is muted."""

ROOST_THEMES = (ROOST_DARK, ROOST_HIGH_CONTRAST)

_ANSI_ADDITIONS = {
    "roost-muted": "ansi_bright_black",
    "roost-faint": "ansi_bright_black",
    "roost-line": "ansi_bright_black",
    "roost-cursor": "ansi_blue",
    "roost-cursor-quiet": "ansi_default",
}
"""For themes that leave the colours to the terminal."""


def with_additions(variables: dict[str, str]) -> dict[str, str]:
    """Return a theme's variables with the additions it does not name itself, mixed from its own."""
    foreground, background, primary = (
        variables[name] for name in ("foreground", "background", "primary")
    )
    if any(color.startswith("ansi") for color in (foreground, background, primary)):
        return _ANSI_ADDITIONS | variables
    ground = Color.parse(background)
    text, tint = Color.parse(foreground), Color.parse(primary)
    additions = {
        "roost-muted": ground.blend(text, 0.62).hex,
        "roost-faint": ground.blend(text, 0.4).hex,
        "roost-line": ground.blend(text, 0.2).hex,
        "roost-cursor": ground.blend(tint, 0.3).hex,
        "roost-cursor-quiet": ground.blend(text, 0.08).hex,
    }
    return additions | variables
