"""Processes that run and cannot be talked to, in a real daemon."""

import os
import signal
from dataclasses import replace
from typing import Any

import pytest
from tests.support.processes import PROGRAMS
from tests.support.real_daemon import (
    PYTHON,
    RealDaemon,
    is_alive,
    processes_with,
    real_daemon,
    wait_for,
)

from roost.models import BundleKind, BundleSettings, InstallRequest, SourceKind

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

BOUND_S = 90.0

PROBED = BundleSettings(probe_interval_s=2.0, probe_misses=4, stop_grace_s=1.0)
"""What is well answers one of four probes within two seconds on any machine."""


def replaced(daemon: RealDaemon, name: str, pid: int) -> dict[str, Any]:
    """Wait until a bundle runs with another process, and return its row."""
    view: dict[str, Any] = wait_for(
        lambda: daemon.view(name),
        lambda view: view["state"] == "running" and view["generation"]["pid"] != pid,
        BOUND_S,
    )
    return view


def crashes(daemon: RealDaemon, name: str) -> list[dict[str, Any]]:
    return [move for move in daemon.detail(name)["transitions"] if move["cause"] == "crash"]


def install_web(daemon: RealDaemon, name: str, *statuses: str) -> None:
    request = InstallRequest(
        source=SourceKind.COMMAND,
        name=name,
        kind=BundleKind.WEB,
        command=(PYTHON, "-S", str(PROGRAMS / "web.py"), *statuses),
        settings=PROBED,
    )
    daemon.install(request)


def test_what_is_stopped_by_a_signal_is_replaced_with_all_it_had_and_says_why() -> None:
    with real_daemon() as daemon:
        daemon.install_mini("server", "--with-child", settings=PROBED)
        install_web(daemon, "web")
        install_web(daemon, "strict", "403")
        pids = {name: daemon.pid_of(name) for name in ("server", "web", "strict")}
        tree = wait_for(lambda: processes_of(pids["server"]), lambda found: len(found) == 2)
        for name in ("server", "web"):
            os.kill(pids[name], signal.SIGSTOP)
        server = replaced(daemon, "server", pids["server"])
        web = replaced(daemon, "web", pids["web"])
        assert not [pid for pid in tree if is_alive(pid)]
        assert "no answer to ping within 2 s" in server["crash"]["not_live"]
        assert "has no answer within 2 s" in web["crash"]["not_live"]
        for name in ("server", "web"):
            [crash] = crashes(daemon, name)
            assert "missed 4 probes in a row" in crash["reason"]
        assert daemon.call("server", "echo", text="well") == '{"text": "well"}'
        assert daemon.pid_of("strict") == pids["strict"], "a refusal is an answer"


def processes_of(leader: int) -> list[int]:
    """Return what is in the session of a leader."""
    return [pid for pid in processes_with("ROOST_BUNDLE=server\0") if session_of(pid) == leader]


def session_of(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:  # of another test, and gone
        return 0


def test_a_server_busy_with_a_silent_call_is_left_alone_even_when_its_tool_times_out() -> None:
    settings = replace(PROBED, probe_interval_s=1.0, call_idle_s=2.0)
    with real_daemon() as daemon:
        daemon.install_mini("server", "--one-thread", settings=settings)
        pid = daemon.pid_of("server")
        run = daemon.settled(daemon.begin("server", "nap", seconds=8))["run"]
        assert run["status"] == "failed" and run["error"]["code"] == "timed_out"
        patient = {"tool": "echo", "arguments": {"text": "awake"}, "idle_timeout_s": BOUND_S}
        awake = daemon.post(f"{daemon.path('server')}/calls", patient)["id"]
        assert daemon.settled(awake)["run"]["status"] == "succeeded"
        assert daemon.pid_of("server") == pid and crashes(daemon, "server") == []
