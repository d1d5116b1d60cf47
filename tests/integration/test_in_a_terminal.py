"""The real program in a real terminal on a real daemon: what an operator does by keyboard."""

import sys
from pathlib import Path

import pytest
from tests.support.real_daemon import RealDaemon, is_alive, real_daemon, roost, wait_for
from tests.support.tmux import Terminal, needs_tmux, terminal

from roost.demo.provision import APPS
from roost.models import InstallRequest, SourceKind

pytestmark = [pytest.mark.real, needs_tmux]

ROOST = str(Path(sys.executable).with_name("roost"))
ENV = {"TERM": "xterm-256color", "LANG": "C.UTF-8"}


def install_beacon(daemon: RealDaemon) -> None:
    daemon.install(InstallRequest(source=SourceKind.MCPB, name="beacon", path=str(APPS / "beacon")))
    daemon.until("beacon", "needs_credentials")


def open_screen(screen: Terminal, daemon: RealDaemon, size: tuple[int, int]) -> None:
    screen.run(ROOST, "--data-dir", str(daemon.data_dir), size=size, env=ENV)
    screen.until("beacon", "needs credentials")


def test_an_operator_sets_a_credential_calls_a_tool_stops_the_run_and_detaches() -> None:
    with real_daemon() as daemon, terminal() as screen:
        install_beacon(daemon)
        open_screen(screen, daemon, (120, 40))
        screen.press("c")
        screen.until("Credentials of w/beacon", "required")
        screen.type("a-key-typed-by-hand")
        assert "a-key-typed-by-hand" not in screen.text()
        screen.press("C-s")
        shown = screen.until("saved as revision 1", "respawned as generation")
        assert "a-key-typed-by-hand" not in shown
        screen.press("Escape")
        screen.until("running", gone=("Credentials of",))
        pid = daemon.pid_of("beacon")
        screen.until(str(pid))

        screen.press("t")
        screen.until("Call a tool of w/beacon", "scan")
        screen.type("scan")
        screen.press("Enter")
        screen.until("Seconds Per Sector")
        screen.press("C-s")
        screen.until("beacon.scan", "sector 2 of 40 clear")
        screen.press("s")
        screen.until("Stop this run?", "It cuts beacon.scan")
        screen.press("y")
        screen.until("aborted", "0 runs active")
        runs = daemon.wire.get("/v1/runs")
        assert [run["status"] for run in runs] == ["aborted"]
        assert runs[0]["stop_requested_by"]
        assert daemon.pid_of("beacon") == pid

        screen.press("q")
        assert screen.wait_ended() == 0
        assert is_alive(daemon.pid) and is_alive(pid)
        assert daemon.view("beacon")["state"] == "running"


def test_the_screen_fits_80x24_and_shows_logs_that_follow() -> None:
    with real_daemon() as daemon, terminal() as screen:
        install_beacon(daemon)
        daemon.set("beacon", api_key="some-key-for-it")
        daemon.until("beacon", "running")
        screen.run(ROOST, "--data-dir", str(daemon.data_dir), size=(80, 24), env=ENV)
        screen.until("beacon", "running")
        screen.press("l")
        screen.until("beacon is up in north")
        daemon.begin("beacon", "scan", sectors=3, seconds_per_sector=0.05)
        shown = screen.until("scan of 3 sectors done")
        assert max(len(line) for line in shown.splitlines()) <= 80


def test_a_lost_daemon_is_a_banner_and_the_rows_stay_until_it_is_back() -> None:
    with real_daemon() as daemon, terminal() as screen:
        install_beacon(daemon)
        open_screen(screen, daemon, (120, 40))
        daemon.kill()
        shown = screen.until("retry")
        assert "beacon" in shown
        again = RealDaemon(daemon.data_dir)
        wait_for(lambda: again.wire.get("/v1/status")["viewers"], lambda viewers: viewers == 1)
        screen.until("needs credentials", "beacon", gone=("retry",))
        screen.press("q")
        assert screen.wait_ended() == 0
        again.stop()


def test_the_command_line_does_the_same_with_json_and_stable_exit_codes() -> None:
    with real_daemon() as daemon:
        install_beacon(daemon)
        done = roost(
            daemon.data_dir, "credentials", "beacon", "--set", "api_key", stdin="typed-key\n"
        )
        assert done.returncode == 0, done.stderr
        called = roost(daemon.data_dir, "call", "beacon", "echo", "-a", "text=hello")
        assert called.returncode == 0 and "hello" in called.stdout
        assert roost(daemon.data_dir, "show", "nobody").returncode == 3
        assert roost(daemon.data_dir, "call", "beacon", "scan", "-a", "sectors=-1").returncode == 2
        listed = roost(daemon.data_dir, "ps", "--json")
        assert '"state":"running"' in listed.stdout.replace(" ", "")
        down = roost(daemon.data_dir, "down")
        assert down.returncode == 0 and not is_alive(daemon.pid)
        assert roost(daemon.data_dir, "ps").returncode == 5
