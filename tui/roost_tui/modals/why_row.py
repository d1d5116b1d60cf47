"""`WhyRow`: one check of a bundle: how it went, what it was found from, and what mends it."""

from __future__ import annotations

import re

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Static

from roost.models import WhyStatus, WhyStep
from roost_tui.actions import KeyAction, key_text
from roost_tui.glyphs import Glyphs, glyphs_of
from roost_tui.log_entries import harmless
from roost_tui.modals.palette import ACCENT, BAD, GOOD, MUTED

_COMMAND = re.compile(r"`([^`]+)`")


def status_piece(status: WhyStatus, glyphs: Glyphs) -> Content:
    """Draw how a check went: glyph, word and colour."""
    glyph, style = {
        WhyStatus.PASSED: (glyphs.run_done, GOOD),
        WhyStatus.FAILED: (glyphs.run_failed, f"bold {BAD}"),
        WhyStatus.UNKNOWN: (glyphs.todo, MUTED),
    }[status]
    return Content.styled(f"{glyph} {status}", style)


def copied_text(step: WhyStep) -> str:
    """Return what is worth pasting: the first command that mends it, what to do, or what is."""
    command = _COMMAND.search(step.way_out)
    return command.group(1) if command else step.way_out or step.said


def way_out_piece(step: WhyStep, mend: KeyAction | None) -> Content:
    """Draw what to do next, with the key that does it where there is one."""
    way_out = Content.styled(harmless(step.way_out), ACCENT)
    if mend is None:
        return way_out
    key = key_text(mend.keys)
    return Content.assemble((f"{key} ", f"bold {ACCENT}"), (f"{mend.label}  ", "bold"), way_out)


class WhyRow(Horizontal):
    """One check.

    Args:
        step: what was found.
        mend: the action that mends it, where a key does it from here.
    """

    DEFAULT_CSS = """
    WhyRow { height: auto; }
    WhyRow .status { width: 11; }
    WhyRow .check { width: 13; padding-right: 2; color: $text-muted; }
    WhyRow .words { width: 1fr; height: auto; }
    WhyRow .said, WhyRow .evidence, WhyRow .way-out { width: 1fr; height: auto; }
    WhyRow .evidence { padding-left: 2; color: $text-muted; }
    WhyRow .way-out { padding-left: 2; }
    WhyRow.-failed { margin-bottom: 1; }
    WhyRow.-failed .said { text-style: bold; }
    WhyRow.-unknown .said { color: $text-muted; }
    """

    def __init__(self, step: WhyStep, mend: KeyAction | None) -> None:
        super().__init__()
        self.step = step
        self._mend = mend
        self.add_class(f"-{step.status}")

    def compose(self) -> ComposeResult:
        """Lay out status, check, sentence, evidence and the way out."""
        yield Static(status_piece(self.step.status, glyphs_of(self.app)), classes="status")
        yield Static(Content(self.step.check.replace("_", " ")), classes="check")
        with Vertical(classes="words"):
            yield Static(Content(harmless(self.step.said)), classes="said")
            if self.step.evidence:
                evidence = "\n".join(harmless(line) for line in self.step.evidence)
                yield Static(Content(evidence), classes="evidence")
            if self.step.way_out:
                yield Static(way_out_piece(self.step, self._mend), classes="way-out")
