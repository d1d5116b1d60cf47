"""The real program in a real terminal on a real daemon: what an operator does by keyboard."""

import fcntl
import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.real_daemon import BOUND_S, RealDaemon, is_alive, real_daemon, roost, wait_for
from tests.support.tmux import Terminal, needs_tmux, terminal

from roost.demo.provision import APPS
from roost.models import BundleSettings, InstallRequest, SourceKind
from roost_tui.glyphs import UNICODE

pytestmark = [pytest.mark.real, needs_tmux, pytest.mark.timeout(300)]

ROOST = str(Path(sys.executable).with_name("roost"))
CURSOR = UNICODE.cursor
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
        screen.type("0")  # behind the 40 that is there, so that the scan outlasts what follows
        screen.until("400")
        screen.press("C-s")
        screen.until("beacon.scan", "of 400 clear")
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


@contextmanager
def no_daemon(daemon: RealDaemon) -> Iterator[None]:
    """Kill the daemon, and let nobody bring up another one before the block ends."""
    with ThreadPoolExecutor(1) as waiting, (daemon.data_dir / "daemon.lock").open("rb+") as lock:
        owned = waiting.submit(fcntl.flock, lock, fcntl.LOCK_EX)
        daemon.kill()
        owned.result(BOUND_S)
        yield


def test_a_lost_daemon_is_a_banner_and_the_rows_stay_until_it_is_back() -> None:
    with real_daemon() as daemon, terminal() as screen:
        install_beacon(daemon)
        open_screen(screen, daemon, (120, 40))
        with no_daemon(daemon):
            screen.until("The daemon does not answer", "retry", "beacon")
        screen.until("needs credentials", "beacon", gone=("retry",))
        again = RealDaemon(daemon.data_dir)
        wait_for(lambda: again.wire.get("/v1/status")["viewers"], lambda viewers: viewers == 1)
        screen.press("q")
        assert screen.wait_ended() == 0
        again.stop()


def open_on_three(screen: Terminal, daemon: RealDaemon, size: tuple[int, int]) -> None:
    """Open the screen on three servers and put the cursor on the last one."""
    for name in ("alpha", "beta", "gamma"):
        daemon.install_mini(name)
    for name in ("alpha", "beta", "gamma"):
        daemon.pid_of(name)
    screen.run(ROOST, "--data-dir", str(daemon.data_dir), size=size, env=ENV)
    screen.until("alpha", "beta", "gamma", "running")
    screen.press("G")


def line_with(shown: str, *words: str) -> str:
    """Return the only line that holds all the words."""
    (line,) = [line for line in shown.splitlines() if all(word in line for word in words)]
    return line


def until_cursor_on(screen: Terminal, *words: str) -> None:
    """Wait until the cursor is on the line with these words: a screen is painted in pieces."""
    wait_for(
        lambda: [line for line in screen.text().splitlines() if all(w in line for w in words)],
        lambda lines: any(CURSOR in line for line in lines),
    )


def test_a_killed_daemon_comes_back_and_the_screen_goes_on_where_it_was() -> None:
    with real_daemon() as daemon, terminal() as screen:
        open_on_three(screen, daemon, (120, 40))
        daemon.call("gamma", "say", text="before the loss")
        screen.until("before the loss")
        with no_daemon(daemon):
            screen.until("does not answer", "last known below")
            until_cursor_on(screen, "mcp", "gamma")
        screen.until("3 running", gone=("does not answer",))
        again = RealDaemon(daemon.data_dir)
        again.call("gamma", "say", text="after the return")
        shown = screen.until("before the loss", "after the return", "following")
        assert shown.count("before the loss") == shown.count("after the return") == 1
        until_cursor_on(screen, "mcp", "gamma")
        screen.press("q")
        assert screen.wait_ended() == 0
        again.stop()


@pytest.mark.parametrize(
    "size",
    [
        pytest.param((120, 40), id="120x40"),
        pytest.param((80, 24), id="80x24", marks=pytest.mark.soak),
    ],
)
def test_a_daemon_that_is_stopped_is_followed_to_its_end_and_started_by_a_key(
    size: tuple[int, int],
) -> None:
    with real_daemon() as daemon, terminal() as screen:
        patient = BundleSettings(start_budget_s=20, stop_grace_s=28)
        daemon.install_mini("deaf", "--deaf", settings=patient)
        deaf = daemon.pid_of("deaf")
        open_on_three(screen, daemon, size)
        daemon.post("/v1/shutdown")
        screen.until("The daemon is stopping", "waiting  stop w/deaf")
        until_cursor_on(screen, "running", "gamma")
        os.kill(deaf, signal.SIGKILL)
        screen.until("The daemon has stopped", "r starts it again")
        until_cursor_on(screen, "running", "gamma")
        wait_for(lambda: is_alive(daemon.pid), lambda alive: not alive)
        screen.press("r")
        screen.until(gone=("The daemon has stopped", "Connecting"))
        again = RealDaemon(daemon.data_dir)
        deaf = again.pid_of("deaf")
        again.pid_of("gamma")
        screen.until("4 running" if size[0] > 80 else "4 up")
        until_cursor_on(screen, "running", "gamma")
        screen.press("q")
        assert screen.wait_ended() == 0
        assert is_alive(again.pid)
        again.post("/v1/shutdown")
        os.kill(deaf, signal.SIGKILL)
        again.stop()


def test_the_doctor_shows_what_the_daemon_stands_on() -> None:
    with real_daemon() as daemon, terminal() as screen:
        install_beacon(daemon)
        open_screen(screen, daemon, (120, 60))
        daemon.data_dir.chmod(0o755)
        screen.press("d")
        screen.until("Doctor", "checked at", "problem", f"chmod 700 {daemon.data_dir}")
        daemon.data_dir.chmod(0o700)
        screen.press("r")
        screen.until("checked at", gone=("chmod 700",))
        screen.press("Escape")
        screen.until("beacon", gone=("Doctor",))
        screen.press("q")
        assert screen.wait_ended() == 0


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
