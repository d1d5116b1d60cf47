"""The filter language."""

from __future__ import annotations

import pytest

from roost_tui.filters import BUNDLE_KEYS, LOG_KEYS, FilterError, Subject, parse_filter

NOW = 10_000_000
GIT = Subject("git dead fatal: no repository", NOW - 60_000, {"state": "dead", "kind": "mcp"})
WEB = Subject("web", NOW - 7_200_000, {"state": "needs_credentials", "kind": "web"})


@pytest.mark.parametrize(
    ("source", "git", "web"),
    [
        ("", True, True),
        ("FATAL", True, False),
        ("fatal repository", True, False),
        ('"no repository"', True, False),
        ('"repository no"', False, False),
        ("!fatal", False, True),
        ("state:dead", True, False),
        ("state:dead,needs-credentials", True, True),
        ("state:needs", False, True),
        ("!kind:web", True, False),
        ("since:1h", True, False),
        ("!since:1h", False, True),
        ("~^g.t", True, False),
        ("!~^g.t", False, True),
        ("state:dead kind:web", False, False),
        ("!", False, False),
    ],
)
def test_terms_select_rows(source: str, git: bool, web: bool) -> None:
    wanted = parse_filter(source, BUNDLE_KEYS)
    assert (wanted.matches(GIT, NOW), wanted.matches(WEB, NOW)) == (git, web)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("~(", "not a regular expression"),
        ("stat:dead", "no 'stat' to filter by"),
        ("since:soon", "not a time span"),
    ],
)
def test_what_cannot_be_understood_says_what_to_change(source: str, problem: str) -> None:
    with pytest.raises(FilterError, match=problem):
        parse_filter(source, BUNDLE_KEYS)


def test_an_unknown_key_is_a_word_in_logs() -> None:
    wanted = parse_filter("level:info", LOG_KEYS, strict=False)
    assert wanted.matches(Subject("ts=1 level:info ok", NOW), NOW)
    assert not wanted.matches(Subject("ts=1 level:warn", NOW), NOW)


def test_a_filter_by_age_is_known_to_change_with_time() -> None:
    assert parse_filter("since:5m", BUNDLE_KEYS).is_timed
    assert not parse_filter("state:dead", BUNDLE_KEYS).is_timed
