"""A real daemon's way out: signals, and faults on the way."""

import signal
import time

import pytest
from tests.support.owned_daemon import OwnedDaemon, owned_daemon
from tests.support.real_daemon import is_alive, wait_for

from roost.daemon import EXIT_FORCED
from roost.models import BundleKind, BundleSettings, InstallRequest, SourceKind

pytestmark = pytest.mark.real

ORDER = ["runs", "bundles", "driver", "journal", "store"]


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


def count(daemon: OwnedDaemon, text: str) -> int:
    return sum(text in line for line in daemon.told())


def test_two_signals_at_once_are_one_shutdown_and_the_second_is_a_debug_line() -> None:
    with owned_daemon() as daemon:
        pids = install_two(daemon)
        daemon.process.send_signal(signal.SIGINT)
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.exit_status() == 0
        assert daemon.steps() == ORDER
        assert count(daemon, "shutting down") == 1 and count(daemon, "bye") == 1
        ignored = [line for line in daemon.told() if "ignored" in line]
        assert len(ignored) == 1 and "DEBUG" in ignored[0]
        assert not any(map(is_alive, pids))


def test_signals_that_keep_coming_do_not_spoil_the_exit() -> None:
    with owned_daemon() as daemon:
        began = time.monotonic()
        while daemon.process.poll() is None:
            daemon.process.send_signal(signal.SIGTERM)
            time.sleep(0.001)
        assert time.monotonic() - began < 2, "or the later ones would rightly force it"
        assert daemon.exit_status() == 0


def test_a_signal_long_after_the_first_forces_the_exit_and_says_so() -> None:
    with owned_daemon("driver-hangs") as daemon:
        pids = install_two(daemon)
        daemon.process.terminate()
        wait_for(lambda: count(daemon, "step: bundles"), bool)
        time.sleep(2.1)  # the time within which a second signal counts as the first
        daemon.process.terminate()
        assert daemon.exit_status() == EXIT_FORCED
        assert count(daemon, "SIGTERM again: exit forced") == 1
        wait_for(lambda: any(map(is_alive, pids)), lambda alive: not alive)  # by the watchdog


def test_a_part_whose_shutdown_raises_does_not_keep_the_others_from_theirs() -> None:
    with owned_daemon("runs-raise") as daemon:
        pids = install_two(daemon)
        daemon.process.terminate()
        assert daemon.exit_status() == 0
        assert daemon.steps() == ["runs", "bundles", "recorder", *ORDER[2:]]
        assert count(daemon, "'run ledger' failed in before_close") == 1
        assert not any(map(is_alive, pids))


def test_a_part_that_never_ends_is_named_at_the_deadline_and_the_exit_is_forced() -> None:
    with owned_daemon("driver-hangs", ROOST_SHUTDOWN_DEADLINE_S="0.5") as daemon:
        pids = install_two(daemon)
        daemon.process.terminate()
        assert daemon.exit_status() == EXIT_FORCED
        [named] = [line for line in daemon.told() if "deadline passed" in line]
        assert "stop w/app" in named and "stop w/server" in named
        wait_for(lambda: any(map(is_alive, pids)), lambda alive: not alive)  # by the watchdog
