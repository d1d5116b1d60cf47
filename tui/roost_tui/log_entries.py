"""Lines of the log panel, made of a bundle's log or of a run's events."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from roost.models import LogLine, LogStream, RunEvent, RunEventKind
from roost_tui.filters import Subject
from roost_tui.spans import Tone

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

TAB = 8
"""Cells between tab stops, as programs that print tabs expect."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One line to draw."""

    at: int
    label: str
    text: str
    tone: Tone
    generation: int = 0

    def subject(self) -> Subject:
        """Return what a filter sees of the line."""
        fields = {"stream": self.label, "gen": str(self.generation)}
        return Subject(self.text, self.at, fields)


def harmless(text: str) -> str:
    """Return the text without what would steer the terminal."""
    return _CONTROLS.sub("", _ESCAPES.sub("", text)).replace("\n", " ").expandtabs(TAB)


_STREAM_TONES = {
    LogStream.STDOUT: Tone.TEXT,
    LogStream.STDERR: Tone.WARN,
    LogStream.ROOST: Tone.ACCENT,
}


def from_log(lines: Iterable[LogLine]) -> list[LogEntry]:
    """Turn lines of a bundle's log into entries."""
    return [
        LogEntry(
            line.at,
            line.stream.value,
            harmless(line.text),
            _STREAM_TONES[line.stream],
            line.generation,
        )
        for line in lines
    ]


_EVENT_TONES = {
    RunEventKind.STATUS: Tone.ACCENT,
    RunEventKind.STEP: Tone.TEXT,
    RunEventKind.OUTPUT: Tone.TEXT,
    RunEventKind.EMIT: Tone.OK,
    RunEventKind.RELOAD: Tone.WARN,
}


def from_run_event(event: RunEvent) -> LogEntry:
    """Turn an event of a run into an entry."""
    count = f"{event.name}  " if event.name is not None else ""
    if event.current is not None:
        total = "" if event.total is None else f"/{event.total:g}"
        count = f"{event.current:g}{total}  "
    text = harmless(count + event.message)
    return LogEntry(event.at, event.kind.value, text, _EVENT_TONES[event.kind])


def from_run_events(run_events: Iterable[RunEvent]) -> list[LogEntry]:
    """Turn events of a run into entries; output of several lines takes as many."""
    entries: list[LogEntry] = []
    for event in run_events:
        lines = event.message.splitlines() if event.kind is RunEventKind.OUTPUT else ()
        entries += [from_run_event(replace(event, message=line)) for line in lines]
        if not lines:
            entries.append(from_run_event(event))
    return entries
