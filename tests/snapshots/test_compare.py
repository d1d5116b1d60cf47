from __future__ import annotations

from roost.snapshots.compare import Difference, differences


def test_equal_templates_differ_in_nothing() -> None:
    values = {"a:X": "1", "b:Y.z": "2"}
    assert differences(values, dict(values)) == ()


def test_values_that_differ_are_told_by_module() -> None:
    first = {"a:ID": "1", "a:NAME": "same", "b:Client.token": "2", "b:TIME": "3"}
    second = {"a:ID": "9", "a:NAME": "same", "b:Client.token": "8", "b:TIME": "7"}
    assert differences(first, second) == (
        Difference("a", ("ID",)),
        Difference("b", ("Client.token", "TIME")),
    )


def test_a_value_that_only_one_template_has_is_a_difference() -> None:
    assert differences({"a:X": "1"}, {}) == (Difference("a", ("X",)),)
    assert differences({}, {"a:X": "1"}) == (Difference("a", ("X",)),)


def test_templates_that_were_not_compared_differ_in_nothing() -> None:
    assert differences(None, None) == ()


def test_a_sentence_names_three_values_and_counts_the_rest() -> None:
    told = Difference("a", ("A", "B", "C", "D", "E")).what
    assert told.endswith(": A, B, C and 2 more")
