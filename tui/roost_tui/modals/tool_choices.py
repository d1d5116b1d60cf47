"""The tools of a bundle as entries of a list."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from roost.models import ToolView
from roost_tui.glyphs import Glyphs
from roost_tui.modals.choice_list import Choice
from roost_tui.modals.palette import BAD, MUTED

_SUMMARY_LENGTH = 64
"""Characters of a description in the list: two lines of the narrow pane; the form shows all."""


def tool_choices(tools: Sequence[ToolView], glyphs: Glyphs) -> list[Choice]:
    """Return an entry per tool: its name, its mark and the start of its description."""
    return [
        Choice(tool.name, _prompt(tool, glyphs), f"{tool.name} {tool.title} {tool.description}")
        for tool in tools
    ]


def tool_heading(tool: ToolView) -> Content:
    """Draw a tool's name with its mark."""
    return Content.assemble((tool.name, "bold"), tool_mark(tool))


def tool_mark(tool: ToolView) -> Content:
    """Draw what a tool's server says of its effect; nothing when it says nothing."""
    if tool.is_destructive:
        return Content.styled("  ! destructive", f"bold {BAD}")
    if tool.is_read_only:
        return Content.styled("  read only", MUTED)
    return Content("")


def summary(description: str, ellipsis: str) -> str:
    """Return the first line of a description, with an ellipsis where it was cut."""
    first, _, _ = description.strip().partition("\n")
    if len(first) <= _SUMMARY_LENGTH:
        return first
    return f"{first[: _SUMMARY_LENGTH - 1].rstrip()}{ellipsis}"


def _prompt(tool: ToolView, glyphs: Glyphs) -> Content:
    text = summary(tool.description or tool.title, glyphs.ellipsis)
    return Content.assemble(tool_heading(tool), ("\n" + text if text else "", MUTED))
