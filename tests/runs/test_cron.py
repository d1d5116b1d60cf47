"""The times a cron expression means, over the gaps and repeats of daylight saving too."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roost.errors import BadInput
from roost.runs.cron import Cron, fire_name

DAY_MS = 24 * 3600 * 1000

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "Africa/Casablanca",
    "Pacific/Apia",
)
EXPRESSIONS = (
    "30 2 * * *",
    "0,30 * * * *",
    "*/20 * * * *",
    "15 0,1,2,3 * * *",
    "5 0 * * sun",
    "0 2 1 * *",
    "0 1-5/2 * * mon-fri",
)


def moment(zone: str, *parts: int, fold: int = 0) -> int:
    """Return a local time as epoch milliseconds."""
    year, month, day, hour, minute = parts
    at = datetime(year, month, day, hour, minute, tzinfo=ZoneInfo(zone), fold=fold)
    return round(at.timestamp() * 1000)


def test_the_next_time_is_behind_the_moment_and_never_the_moment_itself() -> None:
    cron = Cron("0 7 * * *", "Europe/Berlin")
    seven = moment("Europe/Berlin", 2026, 1, 5, 7, 0)
    assert cron.after(seven - 1) == seven
    assert cron.after(seven) == seven + DAY_MS
    assert fire_name(seven) == "2026-01-05T06:00:00Z"


def test_a_time_that_daylight_saving_skips_comes_right_after_the_gap() -> None:
    cron = Cron("30 2 * * *", "Europe/Berlin")
    before = moment("Europe/Berlin", 2026, 3, 29, 1, 59)
    assert fire_name(cron.after(before) or 0) == "2026-03-29T01:00:00Z"


def test_a_time_that_is_repeated_comes_once_also_when_asked_in_the_second_hour() -> None:
    cron = Cron("30 2 * * *", "Europe/Berlin")
    first = moment("Europe/Berlin", 2026, 10, 25, 2, 30)
    in_second = moment("Europe/Berlin", 2026, 10, 25, 2, 15, fold=1)
    assert cron.after(first - 1) == first
    assert cron.after(in_second) == first + DAY_MS + 3_600_000
    assert cron.newest(first - DAY_MS, in_second, 10) == (first - DAY_MS, first)


def test_an_expression_that_begins_with_a_star_goes_by_the_time_that_passes() -> None:
    cron = Cron("*/30 * * * *", "Europe/Berlin")
    begin = moment("Europe/Berlin", 2026, 10, 25, 1, 0)
    found = cron.newest(begin, begin + 4 * 3_600_000, 100)
    assert found == tuple(range(begin, begin + 4 * 3_600_000 + 1, 1_800_000))


def test_only_the_newest_of_many_times_are_listed_oldest_first() -> None:
    cron = Cron("* * * * *", "UTC")
    assert cron.newest(0, 10 * DAY_MS, 3) == tuple(10 * DAY_MS - 60_000 * i for i in (2, 1, 0))


@settings(max_examples=60, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    expression=st.sampled_from(EXPRESSIONS),
    begin=st.integers(1_262_304_000, 1_893_456_000),
    days=st.integers(0, 40),
)
def test_looking_back_finds_the_very_times_that_looking_ahead_finds(
    zone: str, expression: str, begin: int, days: int
) -> None:
    cron, first = Cron(expression, zone), begin * 1000
    last, ahead, at = first + days * DAY_MS, [], first - 1
    while (found := cron.after(at)) is not None and found <= last:
        assert found > at
        ahead.append(found)
        at = found
    assert cron.newest(first, last, 100_000) == tuple(ahead)


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "* * * *",
        "0 * * * * *",
        "60 * * * *",
        "*/0 * * * *",
        "5- * * * *",
        "0 0 30 2 *",
        "x * * * *",
        "1" * 5000 + " * * * *",
    ],
)
def test_what_is_no_expression_is_refused_with_one_that_is(expression: str) -> None:
    with pytest.raises(BadInput, match=r"give five fields, such as `0 7 \* \* mon-fri`") as refusal:
        Cron(expression, "UTC")
    assert len(str(refusal.value)) < 400


@pytest.mark.parametrize("zone", ["Europe/Nowhere", "../etc/passwd", "/etc/passwd", "", "a\0b"])
def test_what_is_no_time_zone_is_refused(zone: str) -> None:
    with pytest.raises(BadInput, match="there is no time zone"):
        Cron("* * * * *", zone)
