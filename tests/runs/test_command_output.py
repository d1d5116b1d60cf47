"""Output of commands: cut into pieces, kept within bounds, and counted where it is not."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.errors import StoreUnavailable
from roost.models import RunProgress
from roost.runs import command_output
from roost.runs.command_output import CommandOutput
from roost.runs.output_backlog import OutputBacklog
from roost.runs.output_pieces import FEW_LINES, NOTE, STDERR, STDOUT, OutputPiece, OutputSplitter
from roost.runs.payload import MESSAGE_LIMIT
from roost.vault import Scrubber


def pieces_of(*chunks: bytes) -> list[OutputPiece]:
    splitter = OutputSplitter(STDOUT)
    found = [piece for chunk in chunks for piece in splitter.feed(chunk)]
    return found + splitter.flush()


def text_of(pieces: Sequence[OutputPiece]) -> str:
    return "".join(piece.text + "\n" * piece.is_ended for piece in pieces)


def line(text: str) -> OutputPiece:
    return OutputPiece(STDOUT, text)


# Pieces --------------------------------------------------------------------------------------


def test_a_few_lines_are_an_event_each_wherever_the_chunks_are_cut() -> None:
    for chunks in ((b"one\ntwo\n\n",), (b"on", b"e\ntw", b"o\n", b"\n"), (b"one", b"\ntwo\n\n")):
        assert pieces_of(*chunks) == [line("one"), line("two"), line("")]


def test_a_flood_is_many_lines_in_few_events() -> None:
    pieces = pieces_of(b"".join(b"line %d\n" % number for number in range(10_000)))
    assert len(pieces) < 50
    assert sum(piece.lines for piece in pieces) == 10_000
    assert text_of(pieces).split("\n")[:-1] == [f"line {number}" for number in range(10_000)]
    assert max(len(piece.text) for piece in pieces) <= MESSAGE_LIMIT


def test_what_ends_without_a_line_feed_is_kept_and_says_so() -> None:
    last = pieces_of(b"one\ntwo")[-1]
    assert (last.text, last.is_ended, last.lines) == ("two", False, 1)
    assert last.figures == RunProgress(STDOUT, 0)


def test_a_long_line_is_cut_into_pieces_that_make_it_up_again() -> None:
    for count in (MESSAGE_LIMIT, MESSAGE_LIMIT + 1, 10 * MESSAGE_LIMIT):
        text = "é" * count
        chunks = [text.encode()[at : at + 999] for at in range(0, 2 * count, 999)]
        pieces = pieces_of(*chunks, b"\nnext\n")
        assert text_of(pieces) == f"{text}\nnext\n"
        assert sum(piece.lines for piece in pieces) == 2
        assert max(len(piece.text) for piece in pieces) <= MESSAGE_LIMIT


def test_a_carriage_return_ends_a_line_with_its_feed_and_starts_it_over_without() -> None:
    assert pieces_of(b"dos\r\nbar 1%\rbar 9%\nend\r", b"\n") == [
        line("dos"),
        line("bar 9%"),
        line("end"),
    ]
    assert pieces_of(b"a\r", b"b\n") == [line("b")]


def test_a_line_that_was_shown_in_part_and_starts_over_tells_the_terminal() -> None:
    splitter = OutputSplitter(STDOUT)
    assert splitter.feed(b"10%") == []
    assert [piece.text for piece in splitter.partial()] == ["10%"]
    assert splitter.partial() == []
    assert splitter.feed(b"\r20%\r30%\ndone\n") == [line("\r30%"), line("done")]


def test_bytes_that_are_no_text_are_replaced_and_characters_are_never_cut() -> None:
    assert pieces_of(b"a\xff\xfeb\n") == [line("a��b")]
    splitter = OutputSplitter(STDOUT)
    splitter.feed("näm".encode()[:2])
    assert [piece.text for piece in splitter.partial()] == ["n"]
    assert [piece.text for piece in splitter.feed("äm".encode()[1:] + b"\n")] == ["äm"]


@given(
    st.lists(st.text(alphabet="ab\né", max_size=9), max_size=9),
    st.lists(st.integers(0, 60), max_size=6),
)
def test_no_byte_is_lost_or_repeated_by_any_cut(parts: list[str], cuts: list[int]) -> None:
    data = ("".join(parts) * FEW_LINES).encode()
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    chunks = [data[a:b] for a, b in pairwise(edges)]
    assert text_of(pieces_of(*chunks)) == data.decode()


# Backlog -------------------------------------------------------------------------------------


def drained(backlog: OutputBacklog) -> list[OutputPiece]:
    found = []
    while backlog:
        found += backlog.take()
    return found


def test_what_finds_no_room_is_counted_where_it_is_missing() -> None:
    backlog = OutputBacklog(waiting_limit=20)
    backlog.put([line("0123456789"), line("0123456789")])
    assert backlog.is_full
    backlog.put([line("lost"), OutputPiece(STDERR, "a\nb", lines=2)])
    first = drained(backlog)
    backlog.put([line("later")])
    backlog.end()
    assert [piece.text for piece in first] == ["0123456789"] * 2
    assert [(piece.stream, piece.text) for piece in drained(backlog)] == [
        (NOTE, "3 lines of output were not stored"),
        (STDOUT, "later"),
    ]
    assert backlog.dropped_lines == 3


def test_of_very_much_output_the_beginning_and_the_end_are_kept() -> None:
    backlog = OutputBacklog(head_limit=20, tail_limit=20)
    backlog.put([line(f"{number:04}") for number in range(100)])
    backlog.end()
    assert [piece.text for piece in drained(backlog)] == [
        *("0000", "0001", "0002", "0003"),
        "much output: from here on only the last part is kept, and shown at the end",
        "92 lines of output are left out here",
        *("0096", "0097", "0098", "0099"),
    ]
    assert backlog.dropped_lines == 92


# Storing -------------------------------------------------------------------------------------


class Shelf:
    """A ledger that keeps output, once it is let."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self.writes = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.is_down = False

    async def outputs(self, run_id: str, pieces: Sequence[tuple[str, RunProgress | None]]) -> bool:
        self.writes += 1
        await self.gate.wait()
        if self.is_down:
            raise StoreUnavailable("the disk is full; make room")
        self.kept += [text for text, _ in pieces]
        return True


async def test_lines_that_come_while_the_store_writes_are_one_write() -> None:
    shelf, reader = Shelf(), asyncio.StreamReader()
    shelf.gate.clear()
    output = CommandOutput(shelf, "r-1", OutputBacklog())
    reading = asyncio.create_task(output.read(reader, STDOUT, Scrubber(()).stream()))
    for number in range(100):
        reader.feed_data(b"line %d\n" % number)
        await asyncio.sleep(0)
    reader.feed_eof()
    async with asyncio.timeout(30):
        await reading
        shelf.gate.set()
        await output.finish()
    assert shelf.kept == [f"line {number}" for number in range(100)]
    assert shelf.writes <= 3


async def test_a_store_that_hangs_does_not_keep_the_run_from_ending(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(command_output, "STORE_WAIT_S", 0.05)
    shelf, reader = Shelf(), asyncio.StreamReader()
    shelf.gate.clear()
    output = CommandOutput(shelf, "r-1", OutputBacklog())
    reader.feed_data(b"one\n")
    reader.feed_eof()
    async with asyncio.timeout(30):
        await output.read(reader, STDOUT, Scrubber(()).stream())
        await output.finish()
    assert output.last_words == "one"
    assert output.dropped_lines == 1


async def test_a_reader_that_fails_goes_on_taking_so_that_the_command_never_waits() -> None:
    class Broken:
        def feed(self, data: bytes) -> bytes:
            raise RuntimeError("broken")

        def flush(self) -> bytes:
            return b""

    shelf, reader = Shelf(), asyncio.StreamReader()
    output = CommandOutput(shelf, "r-1", OutputBacklog())
    reader.feed_data(b"one\n" * 10)
    reading = asyncio.create_task(output.read(reader, STDOUT, Broken()))
    await asyncio.sleep(0)
    reader.feed_data(b"two\n")
    reader.feed_eof()
    async with asyncio.timeout(30):
        await reading
        await output.finish()
    assert shelf.kept == ["the rest of this output could not be read; see the daemon's log"]
