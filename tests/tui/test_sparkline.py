"""Rows of numbers as rows of heights."""

from __future__ import annotations

from rich.cells import cell_len

from roost_tui.glyphs import ASCII, UNICODE
from roost_tui.sparkline import sparkline

HEIGHTS = "12345678"


def test_heights_stand_for_shares_of_the_highest_from_zero_on() -> None:
    assert sparkline([0, 1, 4, 8], 10, HEIGHTS) == "1148"


def test_a_cell_of_several_values_shows_their_peak() -> None:
    assert sparkline([0, 8, 0, 0, 4, 0], 3, HEIGHTS) == "814"
    assert len(sparkline(list(range(100)), 7, HEIGHTS)) == 7


def test_what_is_not_known_leaves_a_gap() -> None:
    assert sparkline([8, None, 8], 10, HEIGHTS) == "8 8"
    assert sparkline([None, None], 10, HEIGHTS) == "  "


def test_nothing_at_all_is_drawn_flat_and_without_room_not_at_all() -> None:
    assert sparkline([0, 0], 10, HEIGHTS) == "11"
    assert sparkline([], 10, HEIGHTS) == ""
    assert sparkline([1, 2], 0, HEIGHTS) == ""


def test_a_base_other_than_zero_shows_small_changes() -> None:
    assert sparkline([90, 95, 98], 10, HEIGHTS, least=90) == "158"
    assert sparkline([90, 90], 10, HEIGHTS, least=90) == "11"


def test_both_sets_have_as_many_single_cells() -> None:
    assert len(UNICODE.spark) == len(ASCII.spark)
    for height in UNICODE.spark + ASCII.spark:
        assert cell_len(height) == 1
    assert ASCII.spark.isascii()
