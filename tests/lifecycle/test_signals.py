"""The wish to stop by signal: the first, its echo, and the order that forces the exit."""

import asyncio
import logging
import signal
from collections.abc import Iterator

import pytest
from tests.lifecycle.tracing import LIMIT_S

from roost.lifecycle import EXIT_FORCED, SAME_SIGNAL_S, STOP_SIGNALS, StopSignals


class Stop:
    """Signals with a clock and an exit of their own."""

    def __init__(self) -> None:
        self.now = 100.0
        self.asked: list[str] = []
        self.forced: list[int] = []
        self.signals = StopSignals(
            lambda: self.asked.append("stop"),
            when_forced="nothing is left",
            force_exit=self.forced.append,
            monotonic=lambda: self.now,
        )


@pytest.fixture
def stop() -> Iterator[Stop]:
    """Give signals and put the process's own back afterwards."""
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    yield Stop()
    for number, handler in before.items():
        signal.signal(number, handler)


def test_an_echo_within_the_time_is_a_debug_line(
    stop: Stop, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    stop.signals.receive(signal.SIGINT)
    stop.now += SAME_SIGNAL_S
    stop.signals.receive(signal.SIGTERM)
    assert stop.asked == ["stop"] and stop.forced == [] and stop.signals.is_received
    (record,) = caplog.records
    assert record.levelno == logging.DEBUG and "SIGTERM ignored" in record.getMessage()


def test_a_later_signal_forces_the_exit_and_says_what_becomes_of_the_rest(
    stop: Stop, caplog: pytest.LogCaptureFixture
) -> None:
    stop.signals.receive(signal.SIGTERM)
    stop.now += SAME_SIGNAL_S + 0.01
    stop.signals.receive(signal.SIGTERM)
    assert stop.asked == ["stop"] and stop.forced == [EXIT_FORCED]
    assert "SIGTERM again: exit forced; nothing is left" in caplog.text


async def test_the_event_loop_hears_of_a_real_signal_once(stop: Stop) -> None:
    heard = asyncio.Event()
    signals = StopSignals(heard.set, when_forced="", force_exit=stop.forced.append)
    signals.install()
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGINT)
    async with asyncio.timeout(LIMIT_S):
        await heard.wait()
    signals.remove()


def test_without_a_loop_the_handler_itself_is_told(stop: Stop) -> None:
    stop.signals.install()
    signal.raise_signal(signal.SIGINT)
    assert stop.asked == ["stop"]
    stop.signals.remove()


def test_what_was_taken_over_is_given_back_and_what_was_not_stays(stop: Stop) -> None:
    before = [signal.getsignal(number) for number in STOP_SIGNALS]
    stop.signals.remove()
    assert [signal.getsignal(number) for number in STOP_SIGNALS] == before
    stop.signals.install()
    assert [signal.getsignal(number) for number in STOP_SIGNALS] != before
    stop.signals.remove()
    stop.signals.remove()
    assert [signal.getsignal(number) for number in STOP_SIGNALS] == before


def test_signals_may_be_ignored_from_some_point_on(stop: Stop) -> None:
    stop.signals.install()
    stop.signals.ignore()
    for number in STOP_SIGNALS:
        signal.raise_signal(number)
    assert stop.asked == [] and not stop.signals.is_received
