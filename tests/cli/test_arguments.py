"""Reading arguments."""

from __future__ import annotations

import pytest

from roost.cli.arguments import Arguments, Option, Syntax, check_operands, read_arguments
from roost.errors import BadInput

SYNTAX = Syntax(
    "roost verb",
    "BUNDLE [TOOL]",
    (
        Option("-f --follow", "", "a flag"),
        Option("-n --lines", "N", "one value"),
        Option("--pair", "FILE ENTRY", "two values"),
    ),
    "[-- COMMAND ...]",
)


def _read(*tokens: str) -> Arguments:
    given = read_arguments(SYNTAX, tokens)
    check_operands(SYNTAX, given)
    return given


@pytest.mark.parametrize(
    "tokens", [("b", "-n", "5"), ("-n5", "b"), ("--lines=5", "b"), ("b", "--lines", "5")]
)
def test_an_option_may_stand_anywhere_and_be_spelled_in_any_way(tokens: tuple[str, ...]) -> None:
    given = _read(*tokens)
    assert given.operands == ["b"]
    assert given.whole("lines", 1) == 5


def test_flags_pairs_and_repetition_are_kept_apart() -> None:
    given = _read("b", "-f", "--pair", "x", "y", "--pair", "u", "v", "-n", "1", "-n", "2")
    assert given.has("follow")
    assert given.values["pair"] == [("x", "y"), ("u", "v")]
    assert given.every("lines") == ["1", "2"]
    assert given.one("lines") == "2"
    assert given.one("pair2") is None


def test_what_follows_two_dashes_is_never_an_option_of_ours() -> None:
    given = _read("b", "--", "sh", "-c", "--lines", "--")
    assert given.rest == ["sh", "-c", "--lines", "--"]


def test_a_single_dash_and_an_empty_text_are_operands() -> None:
    assert _read("-", "").operands == ["-", ""]


@pytest.mark.parametrize(
    ("tokens", "sentence"),
    [
        ((), "needs BUNDLE"),
        (("a", "b", "c"), "takes BUNDLE"),
        (("a", "--colour"), "no option --colour"),
        (("a", "--lines"), "--lines needs N"),
        (("a", "--pair", "x"), "--pair needs FILE ENTRY"),
        (("a", "--follow=yes"), "--follow takes no value"),
    ],
)
def test_what_cannot_be_understood_is_a_sentence(tokens: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        _read(*tokens)


def test_a_refused_option_does_not_repeat_a_value_that_may_be_secret() -> None:
    with pytest.raises(BadInput) as caught:
        _read("a", "--token=hunter2")
    assert "hunter2" not in caught.value.message


@pytest.mark.parametrize("text", ["five", "-1", "0", "\u0665", "1.5", ""])
def test_a_number_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="whole number from 1"):
        _read("a", "-n", text).whole("lines", 3)
