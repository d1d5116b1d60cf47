"""What silence means of a call that was asked to end."""

from __future__ import annotations

from typing import cast

import pytest
from tests.support.fake.clock import FakeClock

from roost.clock import Clock
from roost.runs.tool_calls import STOP_WAIT_S
from roost.runs.withdrawal import LONGEST_SETTLE_S, MISSED, ON_ITS_WAY_S, SETTLE_S, Withdrawal

IDLE_S, CAP_S = 60.0, 300.0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


async def withdrawal(clock: FakeClock, *pauses_s: float) -> Withdrawal:
    """Return one of a call that has reported with these pauses in between."""
    made = Withdrawal(cast("Clock", clock), idle_s=IDLE_S, cap_s=CAP_S)
    made.begin()
    for pause_s in pauses_s:
        clock.advance(pause_s)
        made.reported()
    return made


@pytest.mark.parametrize(
    ("pauses_s", "silence_s"),
    [
        ((), SETTLE_S),
        ((50.0,), SETTLE_S),
        ((1.0, 0.5, 2.0), SETTLE_S),
        ((1.0, 4.0, 0.5), 4.0 * MISSED),
        ((1.0, 50.0), LONGEST_SETTLE_S),
    ],
    ids=["no report", "one report", "often", "seldom", "hardly ever"],
)
async def test_silence_that_counts_is_longer_than_the_usual_pause_within_bounds(
    clock: FakeClock, pauses_s: tuple[float, ...], silence_s: float
) -> None:
    asked = await withdrawal(clock, *pauses_s)
    clock.advance(0.25)
    asked.ask()
    assert asked.silence_left() == pytest.approx(silence_s)
    clock.advance(silence_s)
    assert asked.silence_left() == pytest.approx(0)
    assert not asked.ignored.is_set()


async def test_a_report_that_was_on_its_way_starts_the_silence_anew(clock: FakeClock) -> None:
    asked = await withdrawal(clock)
    asked.ask()
    clock.advance(ON_ITS_WAY_S / 2)
    asked.reported()
    assert not asked.ignored.is_set()
    assert asked.silence_left() == pytest.approx(SETTLE_S)


async def test_a_later_sign_is_ignoring_and_leaves_the_call_its_own_time_outs(
    clock: FakeClock,
) -> None:
    asked = await withdrawal(clock)
    asked.ask()
    clock.advance(ON_ITS_WAY_S)
    asked.goes_on()
    assert asked.ignored.is_set()
    assert asked.silence_left() == pytest.approx(IDLE_S)
    clock.advance(CAP_S - 10)
    asked.goes_on()
    assert asked.silence_left() == pytest.approx(10 - ON_ITS_WAY_S)


async def test_signs_before_the_wish_are_not_ignoring_it_and_a_second_wish_changes_nothing(
    clock: FakeClock,
) -> None:
    asked = await withdrawal(clock, 10.0, 2.0)
    assert not asked.ignored.is_set() and not asked.is_asked
    asked.ask()
    clock.advance(1.0)
    asked.ask()
    assert asked.is_asked and asked.silence_left() == pytest.approx(2.0 * MISSED - 1.0)


def test_whoever_stops_a_call_waits_long_enough_for_what_silence_tells() -> None:
    assert ON_ITS_WAY_S + LONGEST_SETTLE_S < STOP_WAIT_S
