"""Decoding event streams, however their bytes are cut."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.client.sse import SseDecoder

Decoded = list[tuple[str, str, str]]


def _decode(*chunks: bytes) -> Decoded:
    decoder = SseDecoder()
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    return [(event.name, event.data, event.id) for event in events]


def test_an_event_has_its_name_data_and_id() -> None:
    assert _decode(b"event: bundle\nid: s.7\ndata: {}\n\n") == [("bundle", "{}", "s.7")]


def test_an_event_without_a_name_is_a_message() -> None:
    assert _decode(b"data: x\n\n") == [("message", "x", "")]


def test_several_data_lines_are_joined_by_line_breaks() -> None:
    assert _decode(b"data: a\ndata\ndata: b\n\n") == [("message", "a\n\nb", "")]


def test_only_one_space_after_the_colon_is_taken_off() -> None:
    assert _decode(b"data:a\n\ndata:  b\n\n") == [("message", "a", ""), ("message", " b", "")]


def test_comments_and_unknown_fields_are_passed_over() -> None:
    assert _decode(b": keep-alive\n\ndata: a\n: in between\nretry: 5\nfoo: 1\n\n") == [
        ("message", "a", "")
    ]


def test_an_event_without_data_is_no_event_and_leaves_no_name_behind() -> None:
    assert _decode(b"event: ghost\n\ndata: a\n\n") == [("message", "a", "")]


def test_the_id_stays_until_another_one_comes() -> None:
    stream = b"id: 1\ndata: a\n\ndata: b\n\nid: 2\x00\ndata: c\n\nid\ndata: d\n\n"
    assert [id for _, _, id in _decode(stream)] == ["1", "1", "1", ""]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_every_kind_of_line_end_is_understood(end: bytes) -> None:
    lines = [b"event: a", b"data: 1", b"data: 2", b"", b"data: 3", b"", b""]
    assert _decode(end.join(lines)) == [("a", "1\n2", ""), ("message", "3", "")]


def test_a_line_end_cut_in_two_is_one_line_end() -> None:
    assert _decode(b"data: a\r", b"\ndata: b\r", b"", b"\n\r", b"\n") == [("message", "a\nb", "")]


def test_a_lone_return_at_the_end_of_a_piece_completes_the_event() -> None:
    assert _decode(b"data: a\r\r") == [("message", "a", "")]


def test_a_byte_order_mark_is_taken_off_at_the_start_only() -> None:
    mark = "\ufeff".encode()
    assert _decode(mark + b"data: a\n\n" + mark + b"data: b\n\n") == [("message", "a", "")]


def test_what_is_not_utf8_does_not_end_the_stream() -> None:
    assert _decode(b"data: \xff\n\ndata: a\n\n") == [
        ("message", "\ufffd", ""),
        ("message", "a", ""),
    ]


def test_an_unfinished_event_is_not_told() -> None:
    assert _decode(b"data: a\n\ndata: b\n") == [("message", "a", "")]


STREAM = (
    '\ufeffevent: snapshot\r\nid: s.1\r\ndata: {"name": "grün 🪺"}\r\n\r\n'
    ": keep-alive\n\nevent: x\rdata: 1\rdata: 2\r\rdata: last\n\n"
).encode()


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_the_cuts_between_pieces_do_not_matter(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[begin:end] for begin, end in itertools.pairwise(edges)]
    assert _decode(*pieces) == _decode(STREAM)
    assert len(_decode(STREAM)) == 3


def test_bytes_one_by_one_are_the_same_stream() -> None:
    assert _decode(*(STREAM[at : at + 1] for at in range(len(STREAM)))) == _decode(STREAM)
