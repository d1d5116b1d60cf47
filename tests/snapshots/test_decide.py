from __future__ import annotations

from dataclasses import replace

import pytest

from roost.errors import SnapshotBusy, SnapshotMissing, SnapshotRefused, SnapshotStale
from roost.models import Reason, StartMode
from roost.models.snapshot import SnapshotPolicy, SnapshotState, StartTimes
from roost.snapshots.decide import Cold, Load, Readiness, Refuse, Restore, Standing, decide
from roost.snapshots.start_times import StartLog

AUTO, REQUIRE, OFF = SnapshotPolicy.AUTO, SnapshotPolicy.REQUIRE, SnapshotPolicy.OFF

READY = Standing("time", None, SnapshotState.READY, None, Readiness.WARM)

WHY = Reason("sources", "sources: /x/app.py is gone")


def refused(standing: Standing) -> Exception:
    found = decide(REQUIRE, standing)
    assert isinstance(found, Refuse)
    return found.error


def test_a_warm_snapshot_is_used_unless_the_policy_is_off() -> None:
    assert decide(AUTO, READY) == Restore()
    assert decide(REQUIRE, READY) == Restore()
    assert decide(OFF, READY) == Cold(None)


def test_off_asks_for_no_reason_and_refuses_nothing() -> None:
    for state in (None, *SnapshotState):
        assert decide(OFF, replace(READY, state=state, ineligible=WHY)) == Cold(None)


def test_a_template_that_is_not_loaded_is_waited_for_only_when_it_is_required() -> None:
    standing = replace(READY, readiness=Readiness.LOADING)
    found = decide(AUTO, standing)
    assert isinstance(found, Cold) and found.reason is not None
    assert found.reason.code == "not_loaded"
    assert decide(REQUIRE, standing) == Load()


def test_a_template_that_was_lost_too_often_says_why() -> None:
    standing = replace(READY, readiness=Readiness.GIVEN_UP, trouble="it was killed")
    assert decide(AUTO, standing) == Cold(Reason("given_up", "it was killed"))
    assert decide(REQUIRE, standing) == Load(), "who needs it may insist"


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        (SnapshotState.STALE, SnapshotStale),
        (SnapshotState.REFUSED, SnapshotRefused),
        (SnapshotState.FAILED, SnapshotMissing),
        (SnapshotState.BUILDING, SnapshotBusy),
        (None, SnapshotMissing),
    ],
)
def test_without_a_valid_snapshot_auto_is_cold_and_require_fails(
    state: SnapshotState | None, kind: type[Exception]
) -> None:
    standing = replace(READY, state=state, reason=None if state is None else WHY)
    found = decide(AUTO, standing)
    assert isinstance(found, Cold) and found.reason is not None
    error = refused(standing)
    assert type(error) is kind
    if state not in (None, SnapshotState.BUILDING):
        assert found.reason == WHY
        assert WHY.sentence in str(error)


def test_a_missing_snapshot_names_the_command_that_makes_it() -> None:
    assert "`roost snapshot build time`" in str(refused(replace(READY, state=None)))


def test_a_bundle_of_which_there_can_be_none_says_so_whatever_was_built() -> None:
    standing = replace(READY, ineligible=WHY)
    assert decide(AUTO, standing) == Cold(WHY)
    assert isinstance(refused(standing), SnapshotRefused)


def test_start_times_are_of_the_newest_twenty() -> None:
    log = StartLog()
    assert log.times(StartMode.COLD) == StartTimes(0)
    for ready_ms in range(1, 31):
        log.add(StartMode.COLD, ready_ms)
    assert log.times(StartMode.COLD) == StartTimes(20, p50_ms=20, p95_ms=29)
    assert log.times(StartMode.ZYGOTE) == StartTimes(0)


def test_one_start_is_its_own_median() -> None:
    log = StartLog()
    log.add(StartMode.ZYGOTE, 25)
    assert log.times(StartMode.ZYGOTE) == StartTimes(1, 25, 25)


def test_starts_of_earlier_daemons_are_older_than_those_of_this_one() -> None:
    log = StartLog()
    log.add(StartMode.COLD, 1)
    log.seed(StartMode.COLD, range(1000, 1030))
    assert log.times(StartMode.COLD).count == 20
    for _ in range(19):
        log.add(StartMode.COLD, 1)
    assert log.times(StartMode.COLD).p95_ms == 1
