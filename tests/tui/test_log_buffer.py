"""The window over a log, and the lines in it."""

from __future__ import annotations

from roost.models import LogLine, LogStream
from roost_tui.filters import LOG_KEYS, parse_filter
from roost_tui.log_buffer import LogBuffer
from roost_tui.log_entries import LogEntry, from_log, harmless
from roost_tui.spans import Tone


def _lines(first: int, last: int) -> list[LogEntry]:
    return [LogEntry(at, "out", f"line {at}", Tone.TEXT) for at in range(first, last + 1)]


def test_the_oldest_lines_give_way_to_newer_ones() -> None:
    buffer = LogBuffer(window=10)
    buffer.append(_lines(1, 8), 0)
    assert buffer.append(_lines(9, 14), 0)
    assert [entry.at for entry in buffer.shown] == list(range(6, 15))
    assert not buffer.is_tail_missing


def test_the_newest_lines_give_way_to_older_ones() -> None:
    buffer = LogBuffer(window=10)
    buffer.append(_lines(9, 16), 0)
    assert buffer.prepend(_lines(1, 8), 0) == 8
    assert [entry.at for entry in buffer.shown] == list(range(1, 11))
    assert buffer.is_tail_missing


def test_a_filter_counts_shown_against_all() -> None:
    buffer = LogBuffer()
    buffer.append(_lines(1, 30), 0)
    buffer.set_filter(parse_filter("~2$", LOG_KEYS, strict=False), 0)
    buffer.append(_lines(31, 33), 0)
    assert [entry.at for entry in buffer.shown] == [2, 12, 22, 32]
    assert buffer.total == 33


def test_what_would_steer_the_terminal_is_taken_out() -> None:
    text = "\x1b[31mred\x1b[0m \x1b]0;title\x07 bell\x07 back\x08 tab\tend\r"
    assert harmless(text) == "red  bell back tab      end"


def test_lines_keep_their_stream_and_generation() -> None:
    line = LogLine(5, LogStream.STDERR, "oops", generation=3, offset=9)
    (entry,) = from_log([line])
    assert (entry.label, entry.generation, entry.tone) == ("err", 3, Tone.WARN)
    subject = entry.subject()
    assert parse_filter("stream:err gen:3", LOG_KEYS, strict=False).matches(subject, 5)
