"""`FindingRow`: one finding of the doctor: how bad it is, what is, and what mends it."""

from __future__ import annotations

import re

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Static

from roost.models import Finding, Severity
from roost_tui.glyphs import Glyphs, glyphs_of
from roost_tui.modals.palette import BAD, GOOD, WARN

_COMMAND = re.compile(r"`([^`]+)`")


def severity_piece(severity: Severity, glyphs: Glyphs) -> Content:
    """Draw how much a finding matters: glyph, word and colour."""
    glyph, word, style = {
        Severity.PROBLEM: (glyphs.run_failed, "problem", f"bold {BAD}"),
        Severity.WARNING: (glyphs.ask, "warning", WARN),
        Severity.OK: (glyphs.run_done, "ok", GOOD),
    }[severity]
    return Content.styled(f"{glyph} {word}", style)


def copied_text(finding: Finding) -> str:
    """Return what is worth pasting: the first command that mends it, what to do, or what is."""
    command = _COMMAND.search(finding.mend)
    return command.group(1) if command else finding.mend or finding.said


class FindingRow(Horizontal, can_focus=True):
    """One finding; the one that has the focus is marked."""

    DEFAULT_CSS = """
    FindingRow { height: auto; margin-bottom: 1; }
    FindingRow.-quiet { margin-bottom: 0; }
    FindingRow .marker { width: 2; visibility: hidden; color: $text-accent; text-style: bold; }
    FindingRow:focus .marker { visibility: visible; }
    FindingRow .severity { width: 11; }
    FindingRow .check { width: 16; padding-right: 2; color: $text-muted; }
    FindingRow .words { width: 1fr; height: auto; }
    FindingRow .said, FindingRow .mend { width: 1fr; height: auto; }
    FindingRow .mend { padding-left: 2; color: $text-accent; }
    FindingRow:focus .said { text-style: bold; }
    """

    def __init__(self, finding: Finding) -> None:
        super().__init__()
        self.finding = finding
        self.set_class(not finding.mend, "-quiet")

    def compose(self) -> ComposeResult:
        """Lay out marker, severity, check and the sentences."""
        glyphs = glyphs_of(self.app)
        yield Static(glyphs.cursor, classes="marker")
        yield Static(severity_piece(self.finding.severity, glyphs), classes="severity")
        yield Static(Content(self.finding.check.replace("_", " ")), classes="check")
        with Vertical(classes="words"):
            yield Static(Content(self.finding.said), classes="said")
            if self.finding.mend:
                yield Static(Content(self.finding.mend), classes="mend")
