from __future__ import annotations

import pytest

from roost.models import LogStream
from roost.supervision.loglines import LINE_LIMIT, LineSplitter, format_lines, parse_line


def lines_of(*chunks: bytes) -> list[str]:
    splitter = LineSplitter()
    lines = [line for chunk in chunks for line in splitter.feed(chunk)]
    return lines + splitter.flush()


@pytest.mark.parametrize(
    ("chunks", "lines"),
    [
        ([b"one\ntwo\n"], ["one", "two"]),
        ([b"on", b"e\nt", b"wo"], ["one", "two"]),
        ([b"\n\n"], ["", ""]),
        ([b"windows\r\nlines\r\n"], ["windows", "lines"]),
        ([b"split\r", b"\nend"], ["split", "end"]),
        ([b"10 %\r20 %\r30 %\n"], ["30 %"]),
        ([b"10 %\r", b"20 %\r", b"30 %\r"], ["30 %"]),
        ([b"\r10 %", b"\r20 %", b"\ndone\n"], ["20 %", "done"]),
        ([b"\r\r\r"], []),
        ([b"text\r\r\n"], ["text"]),
        ([b"caf\xc3", b"\xa9\n"], ["café"]),
        ([b"bad \xff byte\n"], ["bad � byte"]),
        ([b"form\x0cfeed \xe2\x80\xa8 stays\n"], ["form\x0cfeed \u2028 stays"]),
    ],
)
def test_chunks_become_lines(chunks: list[bytes], lines: list[str]) -> None:
    assert lines_of(*chunks) == lines


def test_a_long_line_is_cut_and_says_by_how_much() -> None:
    [line] = lines_of(*[b"x" * 50_000] * 20, b"\n")
    assert line == "x" * LINE_LIMIT + f" [cut {1_000_000 - LINE_LIMIT} bytes]"


def test_a_line_of_just_the_limit_is_whole() -> None:
    assert lines_of(b"x" * LINE_LIMIT + b"\n") == ["x" * LINE_LIMIT]


def test_a_cut_never_splits_a_character() -> None:
    [line] = lines_of(b"x" + "é".encode() * LINE_LIMIT + b"\n")
    kept = (LINE_LIMIT - 1) // 2
    assert line == "x" + "é" * kept + f" [cut {2 * (LINE_LIMIT - kept)} bytes]"


def test_an_endless_progress_display_takes_no_memory() -> None:
    splitter = LineSplitter()
    for percent in range(20_000):
        splitter.feed(b"\rprogress %d" % percent)
    assert splitter.partial == "progress 19999"
    assert len(splitter._kept) < 100


def test_a_long_state_that_is_overwritten_leaves_no_cut_mark() -> None:
    assert lines_of(b"x" * 20_000, b"\rdone\n") == ["done"]


def test_a_line_reads_back_as_it_was_written() -> None:
    [raw] = format_lines(1700, LogStream.STDERR, [" two  spaces "])
    line = parse_line(raw[:-1], 3, 99)
    assert raw == b"1700 err  two  spaces \n"
    assert (line.at, line.stream, line.text) == (1700, LogStream.STDERR, " two  spaces ")
    assert (line.generation, line.offset) == (3, 99)


@pytest.mark.parametrize("raw", [b"", b"garbage", b"x out text", b"1 other text"])
def test_a_damaged_line_is_shown_as_it_stands(raw: bytes) -> None:
    line = parse_line(raw, 1, 5)
    assert (line.at, line.stream, line.text) == (0, LogStream.ROOST, raw.decode())
