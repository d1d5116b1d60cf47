"""`LogBuffer`: a bounded window over a log, with the lines that a filter leaves."""

from __future__ import annotations

from collections.abc import Sequence

from roost_tui.filters import NO_FILTER, Filter
from roost_tui.log_entries import LogEntry

WINDOW = 20_000
"""Lines held at most; older ones are read again from the daemon when they are scrolled to."""


class LogBuffer:
    """Lines in order. One end gives way when the other grows past the window."""

    def __init__(self, window: int = WINDOW) -> None:
        self.window = window
        self._filter = NO_FILTER
        self._lines: list[LogEntry] = []
        self.shown: list[LogEntry] = []
        """The lines that the filter leaves."""
        self.is_tail_missing = False
        """Whether newer lines gave way to older ones."""

    @property
    def total(self) -> int:
        """Lines held."""
        return len(self._lines)

    def clear(self) -> None:
        """Forget all lines."""
        self._lines, self.shown, self.is_tail_missing = [], [], False

    def set_filter(self, wanted: Filter, now: int) -> None:
        """Show only what the filter leaves."""
        self._filter = wanted
        self.shown = self._kept(self._lines, now)

    def append(self, entries: Sequence[LogEntry], now: int) -> bool:
        """Add newer lines; true when `shown` was rebuilt because the oldest gave way."""
        self._lines.extend(entries)
        if len(self._lines) <= self.window:
            self.shown.extend(self._kept(entries, now))
            return False
        # A tenth at once, so that a flood does not rebuild the window line by line.
        self._lines = self._lines[-(self.window * 9 // 10) :]
        self.shown = self._kept(self._lines, now)
        return True

    def prepend(self, entries: Sequence[LogEntry], now: int) -> int:
        """Add older lines and return how many of them are shown."""
        older = self._kept(entries, now)
        self._lines = [*entries, *self._lines]
        if len(self._lines) <= self.window:
            self.shown = older + self.shown
            return len(older)
        self._lines = self._lines[: self.window]
        self.is_tail_missing = True
        self.shown = self._kept(self._lines, now)
        return len(older)

    def _kept(self, entries: Sequence[LogEntry], now: int) -> list[LogEntry]:
        if not self._filter:
            return list(entries)
        return [entry for entry in entries if self._filter.matches(entry.subject(), now)]
