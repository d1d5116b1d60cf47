"""Delays after failures."""

from roost.supervision.backoff import Backoff, Retry

MIDDLE = 0.5  # draws no jitter


def delays(backoff: Backoff, count: int, *, apart_s: float = 1.0) -> list[Retry]:
    return [backoff.record_failure(n * apart_s, healthy_s=0.0) for n in range(count)]


def test_a_process_that_had_been_healthy_for_a_minute_restarts_at_once() -> None:
    backoff = Backoff(lambda: MIDDLE)
    delays(backoff, 3)
    assert backoff.record_failure(100.0, healthy_s=60.0) == Retry(0.0)
    assert backoff.failures == 1


def test_the_first_failure_restarts_at_once_however_short_the_process_lived() -> None:
    assert Backoff(lambda: MIDDLE).record_failure(0.0, healthy_s=0.1) == Retry(0.0)


def test_from_the_second_failure_delays_double_and_the_fifth_in_ten_minutes_parks() -> None:
    backoff = Backoff(lambda: MIDDLE)
    assert delays(backoff, 6) == [
        Retry(0.0),
        Retry(1.0),
        Retry(2.0),
        Retry(4.0),
        Retry(300.0, parked=True),
        Retry(300.0, parked=True),
    ]


def test_failures_spread_over_more_than_ten_minutes_never_park_and_stop_doubling_at_a_minute() -> (
    None
):
    backoff = Backoff(lambda: MIDDLE)
    retries = delays(backoff, 12, apart_s=200.0)
    assert not any(retry.parked for retry in retries)
    assert retries[-1] == Retry(60.0)


def test_jitter_stays_within_a_fifth() -> None:
    assert delays(Backoff(lambda: 0.0), 2)[-1] == Retry(0.8)
    assert delays(Backoff(lambda: 1.0), 2)[-1] == Retry(1.2)


def test_a_failure_after_a_parked_slot_was_started_by_hand_begins_anew() -> None:
    backoff = Backoff(lambda: MIDDLE)
    delays(backoff, 5)
    backoff.reset()
    assert backoff.failures == 0
    assert delays(backoff, 2) == [Retry(0.0), Retry(1.0)]


def test_a_parked_slot_stays_parked_however_long_it_fails() -> None:
    backoff = Backoff(lambda: MIDDLE)
    delays(backoff, 5)
    retries = [backoff.record_failure(300.0 * n, healthy_s=0.0) for n in range(1, 20)]
    assert all(retry == Retry(300.0, parked=True) for retry in retries)
