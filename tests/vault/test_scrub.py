"""Secrets leave no trace in captured output, whatever form and whatever pieces they come in."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from itertools import pairwise
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.vault import REPLACEMENT, Scrubber

VALUE = 'p@ss "wörd"/\\+ é\u20ac\U0001f600 %41&=?'
PEM = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----\n"

plain_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
secret_values = st.text(st.characters(exclude_categories=["Cs"]), min_size=6, max_size=24)


def lower_hex(text: str) -> str:
    return re.sub("%..", lambda match: match[0].lower(), text)


ENCODINGS: dict[str, Callable[[str], str]] = {
    "raw": lambda text: text,
    "json": json.dumps,
    "json utf-8": lambda text: json.dumps(text, ensure_ascii=False),
    "json slashes": lambda text: json.dumps(text).replace("/", "\\/"),
    "json in json": lambda text: json.dumps(json.dumps(text)),
    "quote": quote,
    "quote all": lambda text: quote(text, safe=""),
    "quote_plus": quote_plus,
    "quote lower": lambda text: lower_hex(quote(text)),
    "quote_plus lower": lambda text: lower_hex(quote_plus(text)),
}


def in_pieces(scrubber: Scrubber, data: bytes, cuts: list[int]) -> bytes:
    stream = scrubber.stream()
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    fed = [stream.feed(data[a:b]) for a, b in pairwise(edges)]
    return b"".join(fed) + stream.flush()


@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS)
def test_every_form_of_a_value_is_replaced(encode: Callable[[str], str]) -> None:
    scrubbed = Scrubber([VALUE]).text(f"before {encode('x' + VALUE + 'y')} after")
    assert scrubbed.startswith("before ")
    assert scrubbed.endswith(" after")
    assert scrubbed.count(REPLACEMENT) == 1
    assert "wörd" not in scrubbed
    assert "rd" not in scrubbed.replace("[secret]", "").replace("after", "")


@given(value=secret_values, before=plain_text, after=plain_text)
def test_any_embedding_of_any_value_is_found(value: str, before: str, after: str) -> None:
    scrubber = Scrubber([value])
    for encode in ENCODINGS.values():
        found = scrubber.text(encode(before + value + after))
        assert REPLACEMENT in found


@given(value=secret_values, before=st.binary(max_size=9), after=st.binary(max_size=9))
def test_base64_of_any_text_around_a_value_is_found(
    value: str, before: bytes, after: bytes
) -> None:
    data = before + value.encode() + after
    for encoded in (base64.b64encode(data), base64.urlsafe_b64encode(data)):
        found = Scrubber([value]).text(encoded.decode())
        assert REPLACEMENT in found


@pytest.mark.parametrize("offset", range(3))
def test_base64_leaves_no_more_than_the_shared_edges(offset: int) -> None:
    data = b"u" * offset + b"token-0123456789" + b"rest"
    cleaned = Scrubber(["token-0123456789"]).text(base64.b64encode(data).decode())
    left = cleaned.replace(REPLACEMENT, "").rstrip("=")
    assert len(left) * 6 <= (offset + len(b"rest") + 2) * 8


@given(
    values=st.lists(secret_values, min_size=1, max_size=3),
    parts=st.lists(st.one_of(plain_text, st.integers(0, 2)), max_size=8),
    cuts=st.lists(st.integers(0, 300), max_size=8),
    encode=st.sampled_from(list(ENCODINGS.values())),
)
def test_a_stream_in_any_pieces_reads_like_the_whole_text(
    values: list[str],
    parts: list[str | int],
    cuts: list[int],
    encode: Callable[[str], str],
) -> None:
    scrubber = Scrubber(values)
    text = "".join(
        part if isinstance(part, str) else encode(values[part % len(values)]) for part in parts
    )
    expected = scrubber.text(text).encode()
    assert in_pieces(scrubber, text.encode(), cuts) == expected
    assert in_pieces(scrubber, text.encode(), list(range(len(text.encode())))) == expected


@given(
    values=st.lists(st.text("ab", min_size=6, max_size=9), min_size=1, max_size=4),
    text=st.text("ab", max_size=60),
    cuts=st.lists(st.integers(0, 60), max_size=10),
)
def test_overlapping_values_read_the_same_in_pieces(
    values: list[str], text: str, cuts: list[int]
) -> None:
    scrubber = Scrubber(values)
    cleaned = in_pieces(scrubber, text.encode(), cuts)
    assert cleaned == scrubber.text(text).encode()
    assert not any(value.encode() in cleaned for value in values)


@given(data=st.binary(max_size=80), cuts=st.lists(st.integers(0, 80), max_size=6))
def test_bytes_that_are_not_text_pass_unchanged(data: bytes, cuts: list[int]) -> None:
    scrubber = Scrubber(["a-long-secret-value-that-does-not-occur"])
    assert in_pieces(scrubber, data, cuts) == data


def test_ordinary_output_is_not_held_back() -> None:
    stream = Scrubber([VALUE, "token-123456", PEM]).stream()
    assert stream.feed(b"ready on port 8080\n") == b"ready on port 8080\n"
    assert stream.feed(b"tok") == b""
    assert stream.feed(b"yo\n") == b"tokyo\n"


def test_no_more_than_the_longest_form_is_held_back() -> None:
    scrubber = Scrubber(["a" * 50])
    stream = scrubber.stream()
    shown = b"".join(stream.feed(b"a" * 7) for _ in range(400))
    assert len(stream.flush()) < scrubber.longest
    assert b"a" * 50 not in shown


def test_a_value_of_several_lines_is_found_whole_and_line_by_line() -> None:
    scrubber = Scrubber([PEM])
    assert scrubber.text(f"key: {PEM}.") == f"key: {REPLACEMENT}\n."
    assert "MII" not in scrubber.text(PEM.replace("\n", "\r\n"))
    assert scrubber.text("12:00 hkiG9w0BAQEFAASC") == f"12:00 {REPLACEMENT}"
    assert scrubber.text("-----BEGIN PRIVATE KEY-----") == "-----BEGIN PRIVATE KEY-----"
    assert "MII" not in scrubber.text(json.dumps({"key": PEM}))


def test_a_value_is_found_without_the_space_that_was_pasted_with_it() -> None:
    assert Scrubber(["  token-123\n"]).text("x token-123 y") == f"x {REPLACEMENT} y"


def test_json_is_scrubbed_in_strings_and_keys_at_any_depth() -> None:
    value = {"a token-123": [1, None, True, {"deep": ["token-123", 2.5]}], "n": 3}
    assert Scrubber(["token-123"]).json(value) == {
        f"a {REPLACEMENT}": [1, None, True, {"deep": [REPLACEMENT, 2.5]}],
        "n": 3,
    }


def test_short_values_are_left_alone_and_an_empty_scrubber_touches_nothing() -> None:
    scrubber = Scrubber(["12345", ""])
    assert not scrubber
    assert scrubber.text("12345") == "12345"
    text, value, data = "x" * 10, {"a": ["b"]}, b"y" * 10
    assert scrubber.text(text) is text
    assert scrubber.json(value) is value
    assert scrubber.stream().feed(data) is data


def test_the_longer_of_two_values_that_begin_alike_wins() -> None:
    scrubber = Scrubber(["token-abc", "token-abc-def"])
    assert scrubber.text("token-abc-def token-abc") == f"{REPLACEMENT} {REPLACEMENT}"
    assert in_pieces(scrubber, b"token-abc-xyz", [9]) == f"{REPLACEMENT}-xyz".encode()
