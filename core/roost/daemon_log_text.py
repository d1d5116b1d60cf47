"""How a record of the daemon's log reads: one line, and below it where an error came from.

The text of an exception may hold what a bundle wrote or was given (a validator quotes its input),
so a traceback names types and places, and quotes only errors whose text is our own or the
operating system's.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from types import TracebackType

from roost.errors import RoostError

PLAIN_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
JOURNAL_FORMAT = "%(name)s: %(message)s"

CONTINUATION = "    "
"""Begins every line that belongs to the record above it; a record begins with a time stamp."""

ERRORS_SHOWN = 20
"""Errors of one chain or group that are told; a cycle or a huge group ends here."""

_PRIORITIES = (
    (logging.CRITICAL, 2),
    (logging.ERROR, 3),
    (logging.WARNING, 4),
    (logging.INFO, 6),
)
"""Levels and the priorities of syslog that sd-daemon(3) wants in front of a line."""

_DEBUG = 7

_Found = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class LineFormatter(logging.Formatter):
    """A time stamp, the level, the logger and the message, on one line whatever it holds."""

    def __init__(self, pattern: str = PLAIN_FORMAT) -> None:
        super().__init__(pattern)

    def formatMessage(self, record: logging.LogRecord) -> str:
        return one_line(super().formatMessage(record))

    def formatException(self, ei: _Found) -> str:
        error = ei[1]
        return "" if error is None else "\n".join(CONTINUATION + text for text in told(error))

    def formatStack(self, stack_info: str) -> str:
        return "\n".join(CONTINUATION + one_line(text) for text in stack_info.splitlines())


class JournalFormatter(LineFormatter):
    """For the journal, which stamps lines itself and takes their priority from a prefix."""

    def __init__(self) -> None:
        super().__init__(JOURNAL_FORMAT)

    def format(self, record: logging.LogRecord) -> str:
        prefix = f"<{priority(record.levelno)}>"
        return "\n".join(prefix + text for text in super().format(record).split("\n"))


def priority(level: int) -> int:
    """Return the syslog priority of a logging level."""
    return next((number for least, number in _PRIORITIES if level >= least), _DEBUG)


def one_line(text: str) -> str:
    """Escape what would end a line or steer a terminal."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def told(error: BaseException) -> Iterator[str]:
    """Yield the lines that say where an error came from, its causes behind it."""
    for count, (label, current) in enumerate(_related(error)):
        if count == ERRORS_SHOWN:
            yield "... and more errors"
            return
        yield one_line(f"{label}{type(current).__qualname__}{_quoted(current)}")
        for frame in traceback.extract_tb(current.__traceback__):
            yield one_line(f"  {frame.filename}:{frame.lineno} in {frame.name}")


def _related(error: BaseException) -> Iterator[tuple[str, BaseException]]:
    waiting = [("", error)]
    seen: set[int] = set()
    while waiting:
        label, current = waiting.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield label, current
        if isinstance(current, BaseExceptionGroup):
            waiting += [("holding ", inner) for inner in current.exceptions]
        hidden = None if current.__suppress_context__ else current.__context__
        cause = current.__cause__ or hidden
        if cause is not None:
            waiting.append(("because of ", cause))


def _quoted(error: BaseException) -> str:
    return f": {error}" if isinstance(error, RoostError | OSError) else ""


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
