"""The deadline of a shutdown: it names what it waited for, and ends the process."""

import threading

import pytest
from tests.lifecycle.tracing import LIMIT_S

from roost.lifecycle import EXIT_FORCED, ShutdownDeadline


def test_a_shutdown_in_time_is_left_alone_and_leaves_no_thread() -> None:
    statuses: list[int] = []
    before = set(threading.enumerate())
    with ShutdownDeadline(LIMIT_S, lambda: ("store",), force_exit=statuses.append):
        assert len(set(threading.enumerate()) - before) == 1
    assert set(threading.enumerate()) <= before and statuses == []


@pytest.mark.parametrize(
    ("waiting", "told"),
    [(("store", "web of lab"), "store, web of lab"), ((), "an unnamed component")],
)
def test_a_shutdown_that_takes_too_long_is_named_and_ends_the_process(
    waiting: tuple[str, ...],
    told: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("roost.lifecycle.deadline.TELL_S", LIMIT_S)
    statuses: list[int] = []
    has_exited = threading.Event()

    def exit_at_once(status: int) -> None:
        statuses.append(status)
        has_exited.set()

    with ShutdownDeadline(0.01, lambda: waiting, force_exit=exit_at_once):
        assert has_exited.wait(LIMIT_S)
    assert statuses == [EXIT_FORCED]
    assert f"still waiting for: {told}" in caplog.text


def test_words_that_never_come_do_not_hold_the_exit_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roost.lifecycle.deadline.TELL_S", 0.01)
    has_exited, may_tell = threading.Event(), threading.Event()

    def stuck() -> tuple[str, ...]:
        may_tell.wait(LIMIT_S)
        return ()

    with ShutdownDeadline(0.01, stuck, force_exit=lambda _: has_exited.set()):
        assert has_exited.wait(LIMIT_S)
    may_tell.set()
