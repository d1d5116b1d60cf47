"""Secrets in hex, HTML, shell quotes and wrapped base64, and secrets that overlap."""

from __future__ import annotations

import base64
import html
import shlex
import textwrap
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.vault import REPLACEMENT, Scrubber

SECRET = "tok'en-\"<A&B>\\$x/0123456789"
TOKEN = "sk-4f9XkQ2mZr7TnB1cVw8LpY0aHd3GjEs6"
LONG = "".join(f"{number:04x}-" for number in range(120))

token_text = st.text("abcdefXYZ0189+/-_&'\"<\\$ ", min_size=6, max_size=40).filter(
    lambda text: len(text.strip()) >= 6
)
cut_lists = st.lists(st.integers(0, 900), max_size=10)


def in_pieces(scrubber: Scrubber, data: bytes, cuts: list[int]) -> bytes:
    stream = scrubber.stream()
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    fed = [stream.feed(data[a:b]) for a, b in pairwise(edges)]
    return b"".join(fed) + stream.flush()


def wrapped(encoded: bytes, columns: int, end: str) -> str:
    return end.join(textwrap.wrap(encoded.decode(), columns)) + end


def windows(text: str, size: int = 6) -> set[str]:
    return {text[at : at + size] for at in range(len(text) - size + 1)}


@pytest.mark.parametrize(
    "text",
    [
        SECRET.encode().hex(),
        SECRET.encode().hex().upper(),
        html.escape(SECRET),
        html.escape(SECRET, quote=False),
        html.escape(SECRET).replace("&#x27;", "&#39;"),
        shlex.quote(SECRET)[1:-1],
        SECRET.replace("'", "'\\''"),
        SECRET.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$"),
    ],
    ids=["hex", "HEX", "html", "html text", "html 39", "shlex", "set -x", "double quotes"],
)
def test_a_value_is_replaced_whole_in_each_form(text: str) -> None:
    assert Scrubber([SECRET]).text(f"x {text} y") == f"x {REPLACEMENT} y"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("columns", [64, 76])
@pytest.mark.parametrize("offset", range(0, 150, 7))
def test_wrapped_base64_is_replaced_across_lines_in_any_pieces(
    columns: int, end: str, offset: int
) -> None:
    text = wrapped(base64.b64encode(b"z" * offset + TOKEN.encode() + b"y" * 80), columns, end)
    scrubber = Scrubber([TOKEN])
    cleaned = scrubber.text(text)
    assert cleaned.count(REPLACEMENT) == 1
    left = "".join(cleaned.replace(REPLACEMENT, "").split())
    assert len(left) <= len("".join(text.split())) - len(TOKEN) * 8 // 6 + 2
    for size in (1, 7, 64, 65):
        cuts = list(range(0, len(text), size))
        assert in_pieces(scrubber, text.encode(), cuts) == cleaned.encode()


@pytest.mark.parametrize("columns", [60, 64, 76])
def test_a_value_longer_than_several_wrapped_lines_is_replaced(columns: int) -> None:
    for encoded in (base64.b64encode(LONG.encode()), LONG.encode().hex().encode()):
        cleaned = Scrubber([LONG]).text("head\n" + wrapped(encoded, columns, "\n") + "tail\n")
        assert cleaned.count(REPLACEMENT) == 1
        assert len(cleaned) < 30


def test_lines_that_are_not_full_are_not_joined() -> None:
    text = f"{base64.b64encode(TOKEN.encode()).decode()[:20]}\nnext\n"
    stream = Scrubber([TOKEN]).stream()
    assert stream.feed(text.encode()) == text.encode()


def test_nothing_of_two_values_that_overlap_is_left() -> None:
    scrubber = Scrubber(["abcdefghij", "ghijklmnop"])
    assert scrubber.text("<abcdefghijklmnop>") == f"<{REPLACEMENT}>"
    for cut in range(18):
        assert in_pieces(scrubber, b"<abcdefghijklmnop>", [cut]) == f"<{REPLACEMENT}>".encode()


def test_a_value_that_repeats_itself_leaves_no_rest() -> None:
    scrubber = Scrubber(["ababab"])
    assert scrubber.text("xabababab") == f"x{REPLACEMENT}"
    assert in_pieces(scrubber, b"xabababab", list(range(9))) == f"x{REPLACEMENT}".encode()


def test_values_that_only_touch_are_replaced_each() -> None:
    assert Scrubber(["abcdef", "ghijkl"]).text("abcdefghijkl") == REPLACEMENT * 2


def test_a_short_line_of_a_value_goes_with_the_whole_in_either_line_end() -> None:
    scrubber = Scrubber(["first-line\nab\nlast-line"])
    for end in ("\n", "\r\n"):
        assert scrubber.text(f"<first-line{end}ab{end}last-line>") == f"<{REPLACEMENT}>"


@given(
    values=st.lists(token_text, min_size=1, max_size=3),
    encodings=st.lists(st.integers(0, 6), min_size=1, max_size=4),
    filler=st.text("ab \n", max_size=90),
    columns=st.sampled_from([64, 76]),
    end=st.sampled_from(["\n", "\r\n"]),
    cuts=cut_lists,
)
def test_any_pieces_of_any_forms_read_like_the_whole(
    values: list[str],
    encodings: list[int],
    filler: str,
    columns: int,
    end: str,
    cuts: list[int],
) -> None:
    parts = []
    for number, which in enumerate(encodings):
        value = values[number % len(values)]
        around = f"{filler}{value}{filler}".encode()
        forms = (
            value,
            value.encode().hex(),
            html.escape(value),
            value.replace("'", "'\\''"),
            wrapped(base64.b64encode(around), columns, end),
            wrapped(around.hex().encode(), columns, end),
            base64.b64encode(around).decode(),
        )
        parts.append(forms[which] + filler)
    text = "".join(parts)
    scrubber = Scrubber(values)
    expected = scrubber.text(text).encode()
    assert in_pieces(scrubber, text.encode(), cuts) == expected
    assert in_pieces(scrubber, text.encode(), list(range(len(text)))) == expected


@given(
    whole=st.text(
        "abcdefghijklmnopqrstuvwxyz",
        min_size=14,
        max_size=30,
    ),
    length=st.integers(6, 12),
    starts=st.lists(st.integers(0, 18), min_size=1, max_size=4),
)
def test_no_six_characters_of_any_overlapping_value_survive(
    whole: str, length: int, starts: list[int]
) -> None:
    values = [whole[at : at + length] for at in starts if at + length <= len(whole)]
    cleaned = Scrubber(values).text(f"0{whole}0").replace(REPLACEMENT, "|")
    for value in values:
        assert not windows(value) & windows(cleaned)


@given(value=token_text, before=st.binary(max_size=100), after=st.binary(max_size=100))
def test_wrapped_or_not_no_packed_form_survives(value: str, before: bytes, after: bytes) -> None:
    value = value.strip()
    data = before + value.encode() + after
    scrubber = Scrubber([value])
    for packed in (base64.b64encode(data), data.hex().encode()):
        for text in (packed.decode(), wrapped(packed, 64, "\n"), wrapped(packed, 76, "\r\n")):
            assert REPLACEMENT in scrubber.text(text)
