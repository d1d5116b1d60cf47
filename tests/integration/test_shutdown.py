"""A real daemon's way out: signals, and faults on the way."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.support.owned_daemon import OwnedDaemon, owned_daemon
from tests.support.real_daemon import is_alive, wait_for

from roost.daemon import EXIT_FORCED
from roost.models import BundleKind, BundleSettings, InstallRequest, SourceKind

pytestmark = pytest.mark.real

ORDER = [
    "viewers",
    "followers",
    "runs",
    "bundles",
    "ledger",
    "driver",
    "journal",
    "store",
    "api",
]
"""Viewers are told, runs settled, bundles stopped, records flushed, and the door closed last."""

COMPONENTS = {
    "viewers": "viewers",
    "followers": "log followers",
    "runs": "runs",
    "bundles": "bundles",
    "ledger": "run ledger",
    "driver": "driver",
    "journal": "transition journal",
    "store": "store",
    "api": "api",
}
"""Step of the shutdown to the component that a log names."""

DEADLINE_S = 10.0
"""Long enough to come to any step on a busy machine, short enough to wait for."""

LONG_S, SHORT_S = 3600.0, 0.1
"""For a signal that is to be taken for the echo of the one before, however late it comes, and for
one that is not."""

KEEPS_COMING_S = 1.0
"""Longer than a shutdown takes on an idle machine."""


def install_two(daemon: OwnedDaemon) -> list[int]:
    """One server on MCP and one plain command; returns their pids."""
    daemon.operator.install_mini("server")
    request = InstallRequest(
        source=SourceKind.COMMAND,
        name="app",
        kind=BundleKind.COMMAND,
        command=("/bin/sleep", "1000"),
        settings=BundleSettings(settle_s=0.1, stop_grace_s=0.5),
    )
    daemon.operator.install(request)
    return [daemon.operator.pid_of(name) for name in ("server", "app")]


def lines(daemon: OwnedDaemon, text: str) -> list[str]:
    return [line for line in daemon.told() if text in line]


def none_is_left(pids: list[int]) -> None:
    wait_for(lambda: any(map(is_alive, pids)), lambda alive: not alive)


@contextmanager
def frozen(daemon: OwnedDaemon) -> Iterator[None]:
    """Stop the process for the block, so that all of it reaches the daemon at one moment."""
    daemon.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        daemon.process.send_signal(signal.SIGCONT)


def test_two_signals_at_once_are_one_shutdown_and_the_second_is_a_debug_line() -> None:
    with owned_daemon(TEST_SAME_SIGNAL_S=str(LONG_S)) as daemon:
        pids = install_two(daemon)
        with frozen(daemon):
            daemon.process.send_signal(signal.SIGINT)
            daemon.process.send_signal(signal.SIGTERM)
        assert daemon.exit_status() == 0
        assert daemon.steps() == ORDER
        assert len(lines(daemon, "shutting down")) == 1 and len(lines(daemon, "bye")) == 1
        [ignored] = lines(daemon, "ignored")
        assert "DEBUG" in ignored and "SIGTERM" in ignored
        assert not any(map(is_alive, pids))


def test_wishes_over_the_socket_and_a_signal_are_one_shutdown() -> None:
    with owned_daemon("bundles:waits", TEST_SAME_SIGNAL_S=str(LONG_S)) as daemon:
        pids = install_two(daemon)
        for _ in range(2):
            daemon.operator.post("/v1/shutdown")
        daemon.process.terminate()
        wait_for(daemon.steps, lambda steps: "bundles" in steps)
        daemon.operator.post("/v1/shutdown")
        daemon.open_gate()
        assert daemon.exit_status() == 0
        assert daemon.steps() == ORDER
        assert len(lines(daemon, "shutting down")) == 1 and len(lines(daemon, "bye")) == 1
        assert not any(map(is_alive, pids))


def test_signals_that_keep_coming_do_not_spoil_the_exit() -> None:
    with owned_daemon(TEST_SAME_SIGNAL_S=str(LONG_S)) as daemon:
        enough = time.monotonic() + KEEPS_COMING_S
        while daemon.process.poll() is None and time.monotonic() < enough:
            daemon.process.send_signal(signal.SIGTERM)
            time.sleep(0.001)
        assert daemon.exit_status() == 0
        assert daemon.steps() == ORDER


@pytest.mark.parametrize("fault", ["driver-hangs", "bundles:blocks"])
def test_a_signal_long_after_the_first_forces_the_exit_and_says_so(fault: str) -> None:
    with owned_daemon(fault, TEST_SAME_SIGNAL_S=str(SHORT_S)) as daemon:
        pids = install_two(daemon)
        daemon.process.terminate()
        wait_for(lambda: lines(daemon, "step: bundles"), bool)
        time.sleep(2 * SHORT_S)  # on the same clock as the daemon's, which has had the first one
        daemon.process.terminate()
        assert daemon.exit_status() == EXIT_FORCED
        assert len(lines(daemon, "SIGTERM again: exit forced")) == 1
        none_is_left(pids)  # by the watchdog


@pytest.mark.parametrize("faulty", ["viewers", "bundles", "journal", "every"])
def test_a_part_whose_shutdown_raises_does_not_keep_the_others_from_theirs(faulty: str) -> None:
    with owned_daemon(f"{faulty}:raises") as daemon:
        pids = install_two(daemon)
        daemon.process.terminate()
        assert daemon.exit_status() == 0
        assert daemon.steps() == ORDER
        for step in ORDER if faulty == "every" else [faulty]:
            assert lines(daemon, f"'{COMPONENTS[step]}' failed in"), step
        none_is_left(pids)  # of the bundles that nobody stopped, by the watchdog


def test_processes_that_never_end_are_named_at_the_deadline_and_the_exit_is_forced() -> None:
    with owned_daemon("driver-hangs", ROOST_SHUTDOWN_DEADLINE_S=str(DEADLINE_S)) as daemon:
        pids = install_two(daemon)
        daemon.process.terminate()
        assert daemon.exit_status() == EXIT_FORCED
        [named] = lines(daemon, "deadline passed")
        assert "stop w/app" in named and "stop w/server" in named
        none_is_left(pids)  # by the watchdog


@pytest.mark.parametrize(
    ("step", "manner"), [("runs", "hangs"), ("journal", "blocks"), ("api", "hangs")]
)
def test_a_part_that_never_ends_is_named_at_the_deadline_even_when_it_holds_the_loop(
    step: str, manner: str
) -> None:
    with owned_daemon(f"{step}:{manner}", ROOST_SHUTDOWN_DEADLINE_S=str(DEADLINE_S)) as daemon:
        pids = install_two(daemon)
        daemon.process.terminate()
        assert daemon.exit_status() == EXIT_FORCED
        [named] = lines(daemon, "deadline passed")
        assert named.endswith(f"still waiting for: {COMPONENTS[step]}")
        assert daemon.steps() == ORDER[: ORDER.index(step) + 1]
        assert not lines(daemon, "bye")
        none_is_left(pids)  # by the watchdog, where it was not by the daemon
