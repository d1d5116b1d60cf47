"""Pure layout and phrasing."""

from __future__ import annotations

import pytest

from roost_tui.modals.action_menu import menu_choices
from roost_tui.modals.choice_list import matching
from roost_tui.modals.help_layout import column_count, spread
from roost_tui.modals.picker import picker_choices
from roost_tui.modals.tool_choices import summary
from roost_tui.modals.wording import ago, duration, flow, number_text

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000


@pytest.mark.parametrize(
    ("elapsed", "words"),
    [
        (-SECOND, "just now"),
        (4 * SECOND, "just now"),
        (59 * SECOND, "59s ago"),
        (3 * MINUTE, "3m ago"),
        (26 * HOUR, "1d ago"),
        (40 * DAY, "40d ago"),
    ],
)
def test_an_age_is_said_in_its_largest_unit(elapsed: int, words: str) -> None:
    assert ago(DAY * 100 - elapsed, DAY * 100) == words


def test_durations_and_numbers_read_as_typed() -> None:
    assert duration(412) == "412 ms"
    assert duration(2_340) == "2.3 s"
    assert number_text(5.0) == "5"
    assert number_text(0.25) == "0.25"


def test_pieces_wrap_whole() -> None:
    assert flow([10, 10, 10], width=22) == [[0, 1], [2]]
    assert flow([30], width=22) == [[0]]
    assert flow([], width=22) == []


def test_help_gets_as_many_columns_as_fit() -> None:
    assert column_count(70, 5) == 1
    assert column_count(75, 5) == 2
    assert column_count(300, 2) == 2
    assert column_count(10, 0) == 1


def test_sections_are_spread_in_order_and_level() -> None:
    assert spread([5, 5, 4, 6], 2) == [[0, 1], [2, 3]]
    assert spread([9, 1, 1], 2) == [[0], [1, 2]]
    assert spread([3], 3) == [[0]]


def test_a_filter_takes_all_words_in_any_order() -> None:
    choices = picker_choices([("a", "acme", "twelve bundles"), ("b", "beta", "empty")], None)
    assert [choice.value for choice in matching(choices, "BUNDLES ac")] == ["a"]
    assert [choice.value for choice in matching(choices, "")] == ["a", "b"]


def test_labels_stand_in_one_column() -> None:
    prompts = [c.prompt.plain for c in menu_choices([("x", "R", "respawn"), ("y", "f5", "more")])]
    assert prompts == ["R    respawn", "f5   more"]


def test_a_cut_description_shows_that_it_was_cut() -> None:
    assert summary("Short.\nMore.", "…") == "Short."
    assert summary("x" * 100, "~").endswith("x~")
