"""Standbys through a real daemon: used by every kind of start, and gone with their bundle."""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.node_programs import (
    built,
    lend_bundler,
    node,
    package,
    respawn,
)
from tests.support.node_programs import (
    install as install_command,
)
from tests.support.packed_servers import NODE_ENTRY
from tests.support.real_daemon import (
    RealDaemon,
    is_alive,
    processes_with,
    real_daemon,
    roost,
    wait_for,
)
from tests.support.templates import holds_in_memory

from roost.models import BundleKind, BundleSettings, SnapshotBackend

pytestmark = pytest.mark.real

SETTINGS = BundleSettings(start_budget_s=30, stop_grace_s=1, snapshot_how=SnapshotBackend.STANDBY)


@pytest.fixture(scope="module")
def daemon() -> Iterator[RealDaemon]:
    with real_daemon() as daemon:
        yield daemon


@pytest.fixture
def own_daemon() -> Iterator[RealDaemon]:
    with real_daemon() as daemon:
        yield daemon


def snapshot(daemon: RealDaemon, name: str) -> dict[str, Any]:
    view: dict[str, Any] = daemon.wire.get(f"{daemon.path(name)}/snapshot")["view"]
    return view


def parked(daemon: RealDaemon, name: str, after: int = 0) -> int:
    """Return the pid of the process that waits, once one does."""

    wait_for(lambda: waiting(daemon, name), lambda pids: len(pids) == 1 and pids != [after])
    wait_for(lambda: snapshot(daemon, name), lambda view: view["is_warm"])
    (pid,) = waiting(daemon, name)
    return pid


def waiting(daemon: RealDaemon, name: str) -> list[int]:
    """Return the children of a daemon that were started as a standby of a bundle."""
    of_bundle = set(processes_with(f"ROOST_BUNDLE={name}"))
    return [
        pid
        for pid in processes_with("/standby-")
        if pid in of_bundle and parent_of(pid) == daemon.pid
    ]


def parent_of(pid: int) -> int:
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0


def install(daemon: RealDaemon, name: str, *, build: bool = True, **changes: Any) -> int:
    """Install a server with a standby and return the pid of that."""
    settings = replace(SETTINGS, **changes.pop("settings", {}))
    daemon.install_mini(name, settings=settings, **changes)
    daemon.until(name, "running")
    if not build:
        return 0
    view = daemon.wire.send("POST", f"{daemon.path(name)}/snapshot/build")
    assert (view["state"], view["backend"]) == ("ready", "standby"), view["reason"]
    return parked(daemon, name)


def mode(daemon: RealDaemon, name: str) -> str:
    return str(daemon.until(name, "running")["generation"]["start_mode"])


def test_respawns_and_restarts_after_a_crash_take_the_parked_process(daemon: RealDaemon) -> None:
    first = install(daemon, "crashes")
    result = daemon.post(f"{daemon.path('crashes')}/respawn")
    assert result["ok"], result["sentence"]
    assert mode(daemon, "crashes") == "standby"
    assert daemon.pid_of("crashes") == first
    assert daemon.call("crashes", "echo", text="hello")
    second = parked(daemon, "crashes", after=first)
    os.kill(first, signal.SIGKILL)
    daemon.until("crashes", lambda view: view["generation"]["number"] == 3)
    assert mode(daemon, "crashes") == "standby"
    assert daemon.pid_of("crashes") == second
    assert daemon.call("crashes", "echo", text="again")


def test_a_parked_process_is_shown_with_its_memory_and_never_as_running(
    daemon: RealDaemon,
) -> None:
    pid = install(daemon, "shown")
    serving = daemon.pid_of("shown")
    assert pid != serving
    view = wait_for(lambda: snapshot(daemon, "shown"), lambda view: view["template_bytes"])
    assert view["template_bytes"] > 1 << 20
    listed = roost(daemon.data_dir, "ps").stdout
    assert str(serving) in listed and str(pid) not in listed
    status = daemon.wire.get("/v1/status")
    assert status["orphans"] == 0
    detail = daemon.detail("shown")
    assert len(detail["generations"]) == 1
    assert pid not in [generation["pid"] for generation in detail["generations"]]


def test_no_credential_is_in_a_parked_process_and_a_new_one_reaches_the_next_start(
    daemon: RealDaemon,
) -> None:
    first, second = secrets.token_hex(16), secrets.token_hex(16)
    pid = install(daemon, "keeper", env={"API_KEY": first})
    assert not holds_in_memory(pid, first.encode())
    daemon.set("keeper", API_KEY=second)
    daemon.until("keeper", lambda view: view["generation"]["number"] == 2)
    assert mode(daemon, "keeper") == "standby"
    assert daemon.call("keeper", "env", name="API_KEY") == "[secret]", "it is there, and scrubbed"
    following = parked(daemon, "keeper", after=pid)
    assert not holds_in_memory(following, first.encode())
    assert not holds_in_memory(following, second.encode())


@pytest.mark.parametrize("end", ["stop", "policy", "snapshot", "bundle"])
def test_a_parked_process_ends_with_what_it_waits_for(daemon: RealDaemon, end: str) -> None:
    name = f"ends-{end}"
    pid = install(daemon, name)
    path = daemon.path(name)
    match end:
        case "stop":
            daemon.post(f"{path}/stop")
        case "policy":
            daemon.wire.send("PATCH", f"{path}/settings", b'{"snapshot": "off"}')
        case "snapshot":
            daemon.wire.send("DELETE", f"{path}/snapshot")
        case "bundle":
            daemon.wire.send("DELETE", path)
    wait_for(lambda: is_alive(pid), lambda alive: not alive)
    if end == "stop":
        assert snapshot(daemon, name)["state"] == "ready"
        daemon.post(f"{path}/start")
        assert mode(daemon, name) == "cold"
        assert parked(daemon, name, after=pid)


def test_a_parked_process_ends_with_its_daemon(own_daemon: RealDaemon) -> None:
    pid = install(own_daemon, "server")
    own_daemon.stop()
    assert not is_alive(pid)


def test_a_stopped_bundle_is_built_and_nothing_waits_until_it_runs(daemon: RealDaemon) -> None:
    daemon.install_mini("asleep", settings=SETTINGS, start=False)
    view = daemon.wire.send("POST", f"{daemon.path('asleep')}/snapshot/build")
    assert (view["state"], view["is_warm"], view["reason"]) == ("ready", False, None)
    assert waiting(daemon, "asleep") == []
    daemon.post(f"{daemon.path('asleep')}/start")
    assert mode(daemon, "asleep") == "cold"
    assert parked(daemon, "asleep")


def test_a_bundle_that_needs_its_snapshot_waits_for_the_next_parked_process(
    daemon: RealDaemon,
) -> None:
    install(daemon, "strict")
    daemon.wire.send("PATCH", f"{daemon.path('strict')}/settings", b'{"snapshot": "require"}')
    for _ in range(3):
        result = daemon.post(f"{daemon.path('strict')}/respawn")
        assert result["ok"], result["sentence"]
        assert mode(daemon, "strict") == "standby"
    assert snapshot(daemon, "strict")["reason"] is None


def test_a_program_of_node_is_parked_too_and_ends_with_its_bundle(daemon: RealDaemon) -> None:
    script = package("memory") / NODE_ENTRY.format("memory")
    package("esbuild")
    lend_bundler(daemon.data_dir)
    settings = replace(SETTINGS, start_budget_s=60)
    kind = BundleKind.MCP_STDIO
    install_command(daemon, "notes", node(), str(script), kind=kind, settings=settings)
    tools = daemon.wire.get(f"{daemon.path('notes')}/tools")
    built(daemon, "notes")
    first = parked(daemon, "notes")
    assert wait_for(lambda: snapshot(daemon, "notes"), lambda view: view["template_bytes"])
    listed = roost(daemon.data_dir, "ps").stdout
    assert str(daemon.pid_of("notes")) in listed and str(first) not in listed
    assert respawn(daemon, "notes") == "standby"
    assert daemon.pid_of("notes") == first
    assert daemon.wire.get(f"{daemon.path('notes')}/tools") == tools
    second = parked(daemon, "notes", after=first)
    os.kill(second, signal.SIGKILL)
    third = parked(daemon, "notes", after=second)
    os.kill(first, signal.SIGKILL)
    daemon.until("notes", lambda view: view["generation"]["number"] == 3)
    assert (mode(daemon, "notes"), daemon.pid_of("notes")) == ("standby", third)
    fourth = parked(daemon, "notes", after=third)
    daemon.post(f"{daemon.path('notes')}/stop")
    wait_for(lambda: is_alive(third) or is_alive(fourth), lambda alive: not alive)


def test_a_killed_daemon_leaves_neither_process_and_the_next_parks_one(
    own_daemon: RealDaemon,
) -> None:
    served = install(own_daemon, "server")
    own_daemon.post(f"{own_daemon.path('server')}/respawn")
    assert own_daemon.pid_of("server") == served
    pid = parked(own_daemon, "server", after=served)
    own_daemon.kill()
    wait_for(lambda: is_alive(pid) or is_alive(served), lambda alive: not alive)
    again = RealDaemon(own_daemon.data_dir)
    assert mode(again, "server") in ("cold", "standby")
    assert parked(again, "server", after=pid)


def test_another_way_makes_the_snapshot_stale_until_it_is_built_again(daemon: RealDaemon) -> None:
    pid = install(daemon, "other")
    body = b'{"snapshot_how": "zygote"}'
    daemon.wire.send("PATCH", f"{daemon.path('other')}/settings", body)
    daemon.post(f"{daemon.path('other')}/respawn")
    assert mode(daemon, "other") == "cold"
    view = snapshot(daemon, "other")
    assert view["state"] == "stale" and "standby" in view["reason"]["sentence"]
    wait_for(lambda: is_alive(pid), lambda alive: not alive)
