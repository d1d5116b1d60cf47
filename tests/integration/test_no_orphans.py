"""Nothing is left running: after stop, respawn, remove, quit, and kill -9 of the daemon."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from tests.support.real_daemon import (
    RealDaemon,
    is_alive,
    processes_with,
    real_daemon,
    wait_for,
)

from roost.models import BundleKind, BundleSettings, InstallRequest, SourceKind

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

STUBBORN = "trap '' TERM; (setsid sleep 1000 &); sleep 1000 & wait; sleep 1000"


def install_stubborn(daemon: RealDaemon, name: str) -> None:
    """A wrapper that ignores TERM and has children in and out of its group."""
    daemon.install(
        InstallRequest(
            source=SourceKind.COMMAND,
            name=name,
            kind=BundleKind.COMMAND,
            command=("/bin/sh", "-c", STUBBORN),
            settings=BundleSettings(settle_s=0.3, stop_grace_s=0.5),
        )
    )
    daemon.until(name, "running")


def own(mark: str, name: str) -> set[int]:
    """Processes of one bundle of one data directory: other tests run bundles of this name too."""
    return set(processes_with(mark)) & set(processes_with(f"ROOST_BUNDLE={name}\0"))


def data_mark(daemon: RealDaemon) -> str:
    pid = next(
        view["generation"]["pid"]
        for view in daemon.wire.get("/v1/bundles")
        if view["state"] == "running"
    )
    environ = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    mark = next(entry for entry in environ if entry.startswith(b"ROOST_MARK="))
    return mark.decode().partition("/")[0]


def test_stop_respawn_and_remove_leave_no_process_of_the_old_generation() -> None:
    with real_daemon() as daemon:
        daemon.install_mini("anchor")
        daemon.until("anchor", "running")
        mark = data_mark(daemon)
        baseline = len(processes_with(mark))
        install_stubborn(daemon, "app")
        old = own(mark, "app")
        assert daemon.post(f"{daemon.path('app')}/respawn")["ok"]
        new = own(mark, "app")
        assert old and new and not old & new
        assert daemon.post(f"{daemon.path('app')}/stop")["ok"]
        assert len(processes_with(mark)) == baseline
        assert daemon.post(f"{daemon.path('app')}/start")["ok"]
        assert daemon.wire.send("DELETE", daemon.path("app"))["ok"]
        assert len(processes_with(mark)) == baseline
        assert daemon.wire.get("/v1/status")["orphans"] == 0


def test_quit_ends_every_process_and_the_socket() -> None:
    with real_daemon() as daemon:
        daemon.install_mini("server")
        install_stubborn(daemon, "app")
        mark = data_mark(daemon)
        daemon.stop()
        assert processes_with(mark) == []
        assert not is_alive(daemon.pid)
        assert not daemon.wire.is_listening()


def test_after_kill_9_of_the_daemon_the_watchdog_ends_what_it_had() -> None:
    with real_daemon() as daemon:
        daemon.install_mini("deaf", "--deaf")
        install_stubborn(daemon, "app")
        daemon.until("deaf", "running")
        mark = data_mark(daemon)
        wait_for(lambda: processes_with(mark), lambda pids: len(pids) >= 4)
        daemon.kill()
        wait_for(lambda: processes_with(mark), lambda pids: not pids)


def test_after_kill_9_of_daemon_and_watchdog_the_next_boot_ends_what_they_had() -> None:
    with real_daemon() as daemon:
        daemon.install_mini("deaf", "--deaf")
        install_stubborn(daemon, "app")
        daemon.until("deaf", "running")
        mark = data_mark(daemon)
        left = set(processes_with(mark))
        watchdogs = [
            int(child)
            for child in Path(f"/proc/{daemon.pid}/task/{daemon.pid}/children").read_text().split()
            if b"roost.drivers.watchdog" in Path(f"/proc/{child}/cmdline").read_bytes()
        ]
        assert len(watchdogs) == 1
        os.kill(watchdogs[0], signal.SIGKILL)
        daemon.kill()
        survivors = left & set(processes_with(mark))
        assert survivors, "nothing was left for the boot sweep to find"
        again = RealDaemon(daemon.data_dir)
        assert again.pid != daemon.pid
        assert not survivors & set(processes_with(mark))
        again.until("app", "running")
        assert again.wire.get("/v1/status")["orphans"] == 0
        again.stop()


def test_a_run_of_a_daemon_that_was_killed_is_settled_at_the_next_boot_and_frees_its_scope() -> (
    None
):
    with real_daemon() as daemon:
        daemon.install_mini("server")
        daemon.until("server", "running")
        body = {"tool": "hang", "arguments": {}, "scope": "chat-1"}
        run = daemon.post(f"{daemon.path('server')}/calls", body)
        daemon.kill()
        again = RealDaemon(daemon.data_dir)
        settled = again.run(run["id"])["run"]
        assert settled["status"] == "aborted" and settled["error"]["code"] == "daemon_gone"
        again.until("server", "running")
        assert again.post(f"{again.path('server')}/calls", body)["status"] in ("pending", "running")
        again.stop()


def test_two_data_directories_with_equal_names_do_not_touch_each_other() -> None:
    with real_daemon() as one, real_daemon() as two:
        for daemon in (one, two):
            daemon.install_mini("app")
        pid = two.pid_of("app")
        one.pid_of("app")
        assert one.post(f"{one.path('app')}/stop")["ok"]
        one.stop()
        assert is_alive(pid)
        assert two.call("app", "env", name="ROOST_BUNDLE") == "app"


def test_a_second_daemon_on_one_data_directory_refuses_and_names_the_holder() -> None:
    with real_daemon() as daemon:
        second = subprocess.run(
            [sys.executable, "-m", "roost.daemon", "--data-dir", str(daemon.data_dir)],
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert second.returncode == 4
        assert str(daemon.pid) in second.stderr and "Traceback" not in second.stderr
        assert daemon.wire.get("/v1/status")["pid"] == daemon.pid


def test_the_socket_of_a_data_directory_with_a_long_path_is_short_and_found_again() -> None:
    base = Path(tempfile.mkdtemp(prefix="roost-", dir="/tmp"))
    data_dir = base / ("long-" * 20) / "data"
    data_dir.parent.mkdir()
    try:
        daemon = RealDaemon(data_dir)
        assert len(daemon.wire.socket_path) < 100
        assert RealDaemon(data_dir).pid == daemon.pid
        daemon.stop()
    finally:
        shutil.rmtree(base, ignore_errors=True)
