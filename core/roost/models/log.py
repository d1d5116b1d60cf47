"""Log lines as clients read them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class LogStream(StrEnum):
    """Where a line came from; `roost` lines are ours (starts, ends, prepare steps)."""

    STDOUT = "out"
    STDERR = "err"
    ROOST = "roost"


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line. `offset` is the byte position behind it in its generation's log."""

    at: int
    stream: LogStream
    text: str
    generation: int
    offset: int


@dataclass(frozen=True, slots=True)
class LogPage:
    """Consecutive lines of one generation's log, in order."""

    generation: int
    lines: tuple[LogLine, ...]
    start_offset: int
    end_offset: int
    """Pass it as `after` to read on."""
    size_bytes: int
    dropped: int = 0
    """Lines that retention has removed."""
