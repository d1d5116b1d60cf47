"""Daemon, bundle and viewer are killed in turn, and no run is left active without an owner."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial

import pytest
from tests.support.real_daemon import RealDaemon, real_daemon, wait_for

pytestmark = pytest.mark.real

ROOST = (sys.executable, "-m", "roost_tui")
SLEEP = {"command": ["sleep", "1000"], "stop_grace_s": 1.0}


def begin_some(daemon: RealDaemon, round_number: int) -> tuple[str, str]:
    """Begin a call that hangs and a command that sleeps, each in a scope of its own."""
    body = {"tool": "hang", "arguments": {}, "scope": f"call-{round_number}"}
    call = daemon.post(f"{daemon.path('server')}/calls", body)["id"]
    command = SLEEP | {"scope": f"command-{round_number}"}
    run = daemon.post("/v1/workspaces/w/exec", command)["id"]
    for run_id in (call, run):
        wait_for(partial(status, daemon, run_id), lambda seen: seen == "running")
    return call, run


def status(daemon: RealDaemon, run_id: str) -> str:
    return str(daemon.run(run_id)["run"]["status"])


def viewer(daemon: RealDaemon, run_id: str) -> subprocess.Popen[bytes]:
    """Start a person's `roost run follow`."""
    return subprocess.Popen(
        [*ROOST, "--data-dir", str(daemon.data_dir), "run", "follow", run_id],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def active_runs(daemon: RealDaemon) -> set[str]:
    runs = daemon.wire.get("/v1/runs")
    return {run["id"] for run in runs if run["status"] in ("pending", "running")}


@pytest.mark.parametrize(
    "rounds", [1, pytest.param(15, marks=[pytest.mark.soak, pytest.mark.timeout(600)])]
)
def test_kills_in_turn_leave_no_run_active_without_an_owner(rounds: int) -> None:
    with real_daemon() as first:
        daemon = first
        daemon.install_mini("server")
        for number in range(rounds):
            daemon.until("server", "running")
            call, command = begin_some(daemon, number)
            follower = viewer(daemon, call)
            assert follower.stdout is not None and follower.stdout.readline()
            follower.kill()
            follower.wait(60)
            follower.stdout.close()
            assert active_runs(daemon) == {call, command}, "a viewer that leaves stops nothing"
            os.kill(daemon.pid_of("server"), signal.SIGKILL)
            lost = daemon.settled(call)["run"]
            assert (lost["status"], lost["error"]["code"]) == ("failed", "lost")
            assert active_runs(daemon) == {command}
            daemon.until("server", "running")
            daemon.kill()
            daemon = RealDaemon(daemon.data_dir)
            gone = daemon.run(command)["run"]
            assert (gone["status"], gone["error"]["code"]) == ("aborted", "daemon_gone")
            assert active_runs(daemon) == set()
