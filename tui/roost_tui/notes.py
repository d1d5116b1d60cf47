"""What the operator did: marks on rows, and the list of messages behind them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from roost_tui import render
from roost_tui.spans import Tone

RowKey = tuple[str, str]
"""Workspace and bundle name, or workspace and run id."""

OUTCOME_MS = 15_000
"""How long a good outcome stays on its row; long enough to be read after looking away."""

FAILURE_MS = 120_000
"""How long a bad one stays; the list of messages keeps it."""


class Severity(StrEnum):
    """How much a message matters."""

    INFORMATION = "information"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Message:
    """One line of the list of messages."""

    at: int
    severity: Severity
    text: str


@dataclass(frozen=True, slots=True)
class RowNote:
    """A mark on a row: an action under way, or how it ended and when."""

    words: str
    """A word or two; of a failure the last one alone tells it."""
    at: int
    is_pending: bool = False
    is_failure: bool = False

    def is_over(self, now: int) -> bool:
        """Whether it has been seen long enough."""
        if self.is_pending:
            return False
        return now - self.at > (FAILURE_MS if self.is_failure else OUTCOME_MS)

    def wordings(self, beside: str = "") -> tuple[str, ...]:
        """Return the note as it stands on the row, longest first.

        Args:
            beside: a word that stands before it and need not be said twice.
        """
        if self.is_pending:
            return f"{self.words} pending", "pending"
        time = render.clock_minute(self.at)
        if self.is_failure:
            outcome = self.words.split()[-1]
            return f"{self.words} {time}", f"{outcome} {time}", self.words, outcome
        return (time,) if self.words == beside else (f"{self.words} {time}", self.words)

    @property
    def tone(self) -> Tone:
        """What the note means."""
        if self.is_pending:
            return Tone.BUSY
        return Tone.FAULT if self.is_failure else Tone.ACCENT
