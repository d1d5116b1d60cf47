"""Aligned text, cut lines and what may reach a terminal."""

from __future__ import annotations

import pytest

from roost.cli.table import Cell, clean, cut, table_lines, width_of

HEADER = ("STATE", "NAME", "GEN")


def _rows(*rows: tuple[str, str, int]) -> list[list[Cell]]:
    return [[Cell(state, "good"), Cell(name), Cell(number)] for state, name, number in rows]


def test_columns_are_as_wide_as_their_widest_cell_and_numbers_stand_to_the_right() -> None:
    rows = _rows(("o running", "git", 7), ("! dead", "filesystem", 12))
    assert list(table_lines(HEADER, rows, right=("GEN",))) == [
        "STATE      NAME        GEN",
        "o running  git           7",
        "! dead     filesystem   12",
    ]


def test_a_line_never_passes_the_width_and_shows_where_it_was_cut() -> None:
    rows = _rows(("o running", "a" * 40, 7))
    [header, line] = table_lines(HEADER, rows, width=20)
    assert header == "STATE      NAME"
    assert line == "o running  aaaaaaa.."


@pytest.mark.parametrize("width", range(1, 60))
def test_every_width_is_kept(width: int) -> None:
    rows = _rows(("o running", "\u732b" * 20, 7), ("! dead", "", 123456))
    for line in table_lines(HEADER, rows, right=("GEN",), width=width):
        assert width_of(line) <= width


def test_colour_is_written_only_when_asked_for_and_never_counts_as_width() -> None:
    rows = _rows(("o running", "git", 7))
    plain = list(table_lines(HEADER, rows, width=30))
    coloured = list(table_lines(HEADER, rows, width=30, has_colour=True))
    assert "\x1b" not in "".join(plain)
    assert "\x1b[32mo running  \x1b[0m" in coloured[1]
    assert [clean(line).rstrip() for line in coloured] == plain


def test_wide_characters_keep_the_columns_aligned() -> None:
    rows = _rows(("o running", "\u732b", 1), ("o running", "cats", 2))
    lines = list(table_lines(HEADER, rows))
    assert [width_of(line) for line in lines[1:]] == [18, 18]


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain", "plain"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07name", "name"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("a\r\nb\x00c", "a b c"),
        ("\x9b31mred", "31mred"),
        ("\x1bcreset", "creset"),
        ("one\u2028two", "one two"),
    ],
)
def test_text_of_apps_cannot_steer_the_terminal(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned
    assert clean(text).isprintable()


def test_cutting_leaves_short_texts_alone() -> None:
    assert cut("abc", 3) == "abc"
    assert cut("abcdef", 4) == "ab.."
    assert cut("abcdef", 1) == "."
    assert cut("abcdef", 0) == ""
