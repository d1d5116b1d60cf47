"""What a process said last, from its crash record or its log."""

from __future__ import annotations

from roost.engine.why.steps import EVIDENCE_LINES
from roost.engine.why.subject import Subject
from roost.models import CrashRecord, LogStream

LOG_TAIL = 200
"""Lines of a log among which the last words are looked for."""


def last_words(subject: Subject, crash: CrashRecord | None) -> tuple[str, ...]:
    """Return the last lines a process wrote: on stderr, or on both streams where that is empty."""
    said = [line for line in crash.stderr_tail if line.strip()] if crash else []
    if not said:
        number = crash.generation if crash else None
        said = [*stream_lines(subject, number, LogStream.STDOUT, LogStream.STDERR)]
    return tuple(said[-EVIDENCE_LINES:])


def stream_lines(subject: Subject, generation: int | None, *streams: LogStream) -> tuple[str, ...]:
    """Return the last lines of some streams of a generation's log, empty ones left out.

    Args:
        generation: its number; None is the newest with a log.
    """
    page = subject.read_log(generation, LOG_TAIL)
    lines = page.lines if page else ()
    return tuple(line.text for line in lines if line.stream in streams and line.text.strip())
