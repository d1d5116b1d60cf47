"""Respawns by both strategies, on a real daemon and real processes."""

import os
import signal
import socket
import subprocess
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.support.real_daemon import (
    PYTHON,
    RealDaemon,
    is_alive,
    processes_with,
    real_daemon,
    roost,
    wait_for,
)

from roost.errors import BadInput
from roost.models import BundleKind, BundleSettings, InstallRequest, RespawnStrategy, SourceKind
from roost.models.codec import to_json

pytestmark = [pytest.mark.real, pytest.mark.timeout(300), pytest.mark.xdist_group("respawn")]

PROGRAMS = Path(__file__).parents[1] / "support" / "programs"

HANDOVER = BundleSettings(
    strategy=RespawnStrategy.HANDOVER, start_budget_s=60, stop_grace_s=1, drain_s=60
)
REPLACE = BundleSettings(start_budget_s=60, stop_grace_s=1, drain_s=60)


@pytest.fixture(scope="module")
def daemon() -> Iterator[RealDaemon]:
    with real_daemon() as started:
        yield started


def install_gated(daemon: RealDaemon, name: str, gate: Path, **options: Any) -> None:
    """Install a server that answers while a file is there."""
    gate.touch()
    request = InstallRequest(
        source=SourceKind.COMMAND,
        name=name,
        kind=BundleKind.MCP_STDIO,
        command=(PYTHON, "-S", str(PROGRAMS / "gated_mcp.py"), str(gate)),
        settings=HANDOVER,
        **options,
    )
    daemon.install(request)
    daemon.until(name, "running")


def respawn(daemon: RealDaemon, name: str) -> dict[str, Any]:
    result: dict[str, Any] = daemon.post(f"{daemon.path(name)}/respawn")
    return result


def clear(daemon: RealDaemon, name: str, field: str, reason: str | None = None) -> dict[str, Any]:
    body = to_json({"set": {}, "clear": [field], "reason": reason})
    outcome: dict[str, Any] = daemon.wire.send("PATCH", f"{daemon.path(name)}/credentials", body)
    return outcome


def data_mark(daemon: RealDaemon, name: str) -> str:
    """Return what every process of this data directory carries."""
    environ = Path(f"/proc/{daemon.pid_of(name)}/environ").read_bytes().split(b"\0")
    mark = next(entry for entry in environ if entry.startswith(b"ROOST_MARK="))
    return mark.decode().partition("/")[0] + "/"


def own(mark: str, name: str) -> set[int]:
    """Return the processes of one bundle of one data directory."""
    return set(processes_with(mark)) & set(processes_with(f"ROOST_BUNDLE={name}\0"))


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(24) as threads:
        yield threads


# Calls --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("handovers", [5, pytest.param(20, marks=pytest.mark.soak)])
def test_no_call_fails_in_a_loop_of_calls_during_handovers(
    daemon: RealDaemon, pool: ThreadPoolExecutor, handovers: int
) -> None:
    name = f"busy-{handovers}"
    daemon.install_mini(name, settings=HANDOVER)
    daemon.until(name, "running")
    is_over = threading.Event()

    def call_on() -> int:
        count = 0
        while not is_over.is_set() or not count:
            daemon.call(name, "echo", number=count)  # it fails unless the run has succeeded
            count += 1
        return count

    callers = [pool.submit(call_on) for _ in range(3)]
    try:
        for number in range(handovers):
            result = respawn(daemon, name)
            assert result["ok"], result["sentence"]
            assert result["generation"] == number + 2
    finally:
        is_over.set()
    assert all(caller.result() for caller in callers)
    view = daemon.view(name)
    assert (view["state"], view["stale"], view["candidate"]) == ("running", [], None)
    assert own(data_mark(daemon, name), name) == {view["generation"]["pid"]}


@pytest.mark.parametrize("settings", [REPLACE, HANDOVER], ids=["replace", "handover"])
def test_calls_in_a_burst_of_respawns_end_and_the_next_one_works(
    daemon: RealDaemon, pool: ThreadPoolExecutor, settings: BundleSettings
) -> None:
    name = f"burst-{settings.strategy}"
    daemon.install_mini(name, settings=settings)
    daemon.until(name, "running")
    runs: list[str] = []
    for _ in range(4):
        daemon.until(name, "running")
        runs += [daemon.begin(name, "slow", steps=3, seconds=0.02) for _ in range(3)]
        for result in [pool.submit(respawn, daemon, name) for _ in range(2)]:
            assert result.result()["ok"]
    for run in runs:
        ended = daemon.settled(run)["run"]
        code = ended["error"]["code"] if ended["error"] else None
        assert (ended["status"], code) in (("succeeded", None), ("failed", "restarting"))
    assert daemon.call(name, "env", name="ROOST_BUNDLE") == name


def test_a_call_stays_where_it_began_while_the_next_one_goes_to_the_next_process(
    daemon: RealDaemon, pool: ThreadPoolExecutor, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    install_gated(daemon, "moving", gate)
    old = daemon.pid_of("moving")
    long = daemon.begin("moving", "slow", steps=1_000_000, seconds=0.02)
    _wait_for_steps(daemon, long, 1)
    answer = pool.submit(respawn, daemon, "moving")
    daemon.until("moving", lambda view: view["generation"]["number"] == 2)
    mark = daemon.call("moving", "env", name="ROOST_MARK").partition("/")[2]
    view = daemon.view("moving")
    assert mark == view["generation"]["id"]
    _wait_for_steps(daemon, long, daemon.run(long)["run"]["step_count"] + 1)
    assert is_alive(old) and not answer.done()
    assert daemon.post(f"/v1/workspaces/w/runs/{long}/stop")["stopped"]
    assert answer.result()["ok"] and not is_alive(old)


def _wait_for_steps(daemon: RealDaemon, run: str, count: int) -> None:
    wait_for(lambda: daemon.run(run)["run"]["step_count"], lambda steps: steps >= count)


# Failures -----------------------------------------------------------------------------------------


def test_a_value_that_breaks_the_candidate_leaves_the_old_process_until_it_is_taken_back(
    daemon: RealDaemon,
) -> None:
    daemon.install_mini("touchy", env={"EXIT_WITH": "0000000"}, settings=HANDOVER)
    old = daemon.pid_of("touchy")
    bad = daemon.set("touchy", EXIT_WITH="exit-33")
    assert bad["revision"] == 2 and not bad["respawn"]["ok"]
    assert bad["respawn"]["generation"] == 1 and "exit 33" in bad["respawn"]["sentence"]
    view = daemon.view("touchy")
    assert view["state"] == "running" and view["stale"] == ["credentials", "respawn"]
    assert (view["step"], view["reason"]["code"]) == ("handshake", "exited")
    assert view["generation"]["pid"] == old and is_alive(old)
    assert daemon.call("touchy", "env", name="ROOST_BUNDLE") == "touchy"
    why = daemon.wire.get(f"{daemon.path('touchy')}/why")
    assert not why["is_up"] and "exit 33" in why["sentence"]
    assert "generation 1 serves on" in why["sentence"]
    undone = daemon.post(f"{daemon.path('touchy')}/credentials/restore")
    assert undone["revision"] == 3 and undone["respawn"]["ok"]
    view = daemon.view("touchy")
    assert (view["stale"], view["generation"]["credential_revision"]) == ([], 3)
    assert not is_alive(old)


def test_a_cleared_credential_is_held_by_nobody_also_amid_a_handover(
    daemon: RealDaemon, pool: ThreadPoolExecutor, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    install_gated(daemon, "leaked", gate, env={"API_KEY": "the-leaked-value"})
    mark = data_mark(daemon, "leaked")
    gate.unlink()
    first = pool.submit(respawn, daemon, "leaked")
    daemon.until("leaked", lambda view: view["candidate"] and view["step"] == "handshake")
    holders = own(mark, "leaked")
    assert len(holders) == 2
    outcome = clear(daemon, "leaked", "API_KEY")
    assert not any(map(is_alive, holders))
    assert outcome["sentence"].startswith("cleared API_KEY as revision 2")
    assert "the process that held it has ended" in outcome["sentence"]
    assert outcome["respawn"]["code"] == first.result()["code"] == "needs_credentials"
    assert daemon.view("leaked")["state"] == "needs_credentials"


def test_a_daemon_killed_amid_a_handover_leaves_neither_process_to_the_next(
    tmp_path: Path,
) -> None:
    with real_daemon() as daemon, ThreadPoolExecutor(1) as pool:
        install_gated(daemon, "app", tmp_path / "gate")
        mark = data_mark(daemon, "app")
        (tmp_path / "gate").unlink()
        asked = pool.submit(_unanswered, lambda: respawn(daemon, "app"))
        daemon.until("app", lambda view: view["candidate"] and view["step"] == "handshake")
        both = own(mark, "app")
        assert len(both) == 2
        os.kill(_watchdog_of(daemon.pid), signal.SIGKILL)
        daemon.kill()
        asked.result()
        (tmp_path / "gate").touch()
        again = RealDaemon(daemon.data_dir)
        pid = again.pid_of("app")
        wait_for(lambda: own(mark, "app"), {pid}.__eq__)
        assert pid not in both
        generations = again.detail("app")["generations"]
        assert [entry["number"] for entry in generations] == [3, 2, 1]
        assert [entry["ended_at"] is None for entry in generations] == [True, False, False]
        assert again.wire.get("/v1/status")["orphans"] == 0
        again.stop()


def _unanswered(work: Callable[[], object]) -> None:
    with pytest.raises(Exception, match=r"."):
        work()


def _watchdog_of(pid: int) -> int:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    [found] = [
        int(child)
        for child in children
        if b"roost.drivers.watchdog" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]
    return found


# Web apps -----------------------------------------------------------------------------------------


def test_a_web_app_moves_to_another_port_and_its_clients_are_seen_off(
    daemon: RealDaemon, pool: ThreadPoolExecutor
) -> None:
    command = (PYTHON, "-S", str(PROGRAMS / "web.py"))
    daemon.install(_web("site", command, HANDOVER))
    before = daemon.until("site", "running")
    with closing(_connected(before["address"])):
        impact = wait_for(lambda: _impact(daemon, "site"), lambda told: told["clients"] == 1)
        assert impact["sentence"].startswith("cuts 1 client; ")
        assert _impact(daemon, "site", "bundle.respawn")["sentence"] == ""
        answer = pool.submit(respawn, daemon, "site")
        after = daemon.until("site", lambda view: view["generation"]["number"] == 2)
        assert after["address"] != before["address"]
        _connected(after["address"]).close()
        assert is_alive(before["generation"]["pid"]) and not answer.done()
    assert answer.result()["ok"]
    assert not is_alive(before["generation"]["pid"])


def _web(
    name: str, command: tuple[str, ...], settings: BundleSettings, port: int | None = None
) -> InstallRequest:
    return InstallRequest(
        source=SourceKind.COMMAND,
        name=name,
        kind=BundleKind.WEB,
        command=command,
        port=port,
        settings=settings,
    )


def _connected(address: str) -> socket.socket:
    where = urllib.parse.urlsplit(address)
    return socket.create_connection((where.hostname, where.port), timeout=30)


def _impact(daemon: RealDaemon, name: str, action: str = "bundle.stop") -> dict[str, Any]:
    told: dict[str, Any] = daemon.wire.get(f"{daemon.path(name)}/impact", action=action)
    return told


def test_what_cannot_run_twice_is_not_installed_with_a_handover(daemon: RealDaemon) -> None:
    command = (PYTHON, "-S", str(PROGRAMS / "web.py"))
    with pytest.raises(BadInput, match="fixed port 8099"):
        daemon.install(_web("fixed", command, HANDOVER, port=8099))
    plain = InstallRequest(
        source=SourceKind.COMMAND, name="fixed", command=("/bin/sleep", "1000"), settings=HANDOVER
    )
    with pytest.raises(BadInput, match="plain command"):
        daemon.install(plain)
    assert "fixed" not in [view["name"] for view in daemon.wire.get("/v1/bundles")]


# Many at once -------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [REPLACE, HANDOVER], ids=["replace", "handover"])
def test_twenty_callers_and_a_write_among_them_are_all_told_what_is_true(
    daemon: RealDaemon, pool: ThreadPoolExecutor, settings: BundleSettings
) -> None:
    name = f"crowded-{settings.strategy}"
    daemon.install_mini(name, env={"API_KEY": "value-of-before"}, settings=settings)
    first = daemon.pid_of(name)
    gate = threading.Barrier(21)

    def ask() -> dict[str, Any]:
        gate.wait()
        return respawn(daemon, name)

    def write() -> dict[str, Any]:
        gate.wait()
        outcome: dict[str, Any] = daemon.set(name, API_KEY="value-of-after")
        return outcome

    callers: list[Future[dict[str, Any]]] = [pool.submit(ask) for _ in range(10)]
    written = pool.submit(write)
    callers += [pool.submit(ask) for _ in range(10)]
    outcome, answers = written.result(), [caller.result() for caller in callers]
    detail = daemon.detail(name)
    view, generations = detail["view"], {entry["number"]: entry for entry in detail["generations"]}
    assert view["state"] == "running" and view["stale"] == [] and not is_alive(first)
    for answer in answers:
        assert answer["ok"] and answer["code"] == "ok", answer["sentence"]
        assert 1 < answer["generation"] <= view["generation"]["number"]
        assert generations[answer["generation"]]["ready_at"] is not None
    assert outcome["revision"] == 2 and outcome["respawn"]["ok"]
    told = generations[outcome["respawn"]["generation"]]
    assert told["credential_revision"] == view["generation"]["credential_revision"] == 2
    pid = view["generation"]["pid"]
    assert b"API_KEY=value-of-after\0" in Path(f"/proc/{pid}/environ").read_bytes()
    assert own(data_mark(daemon, name), name) == {pid}
    assert [entry["number"] for entry in generations.values() if entry["ended_at"] is None] == [
        view["generation"]["number"]
    ]
    wait_for(lambda: daemon.wire.get("/v1/status")["orphans"], lambda count: count == 0)


# Protection ---------------------------------------------------------------------------------------


def test_a_restore_that_clears_a_field_of_a_protected_bundle_asks_for_a_reason(
    daemon: RealDaemon,
) -> None:
    settings = BundleSettings(protected=True, stop_grace_s=1)
    daemon.install_mini("vaulted", env={"API_KEY": "value-number-one"}, settings=settings)
    first = daemon.pid_of("vaulted")
    cleared = clear(daemon, "vaulted", "API_KEY", "it leaked")
    assert not is_alive(first) and "has ended" in cleared["sentence"]
    saved = daemon.set("vaulted", API_KEY="value-number-two")
    assert saved["respawn"]["ok"], "there was no process to protect"
    pid = daemon.pid_of("vaulted")
    reference = str(daemon.data_dir)
    refused = roost(Path(reference), "credentials", "vaulted", "--restore")
    assert refused.returncode == 4 and "--reason REASON" in refused.stderr
    assert is_alive(pid) and daemon.view("vaulted")["credential_revision"] == 3
    done = roost(
        Path(reference), "credentials", "vaulted", "--restore", "--reason", "the old one again"
    )
    assert not is_alive(pid) and "the process that held it has ended" in done.stdout
    assert daemon.view("vaulted")["state"] == "needs_credentials"


def test_a_protected_process_that_lags_behind_says_so_and_for_how_long(
    daemon: RealDaemon,
) -> None:
    settings = BundleSettings(protected=True, stop_grace_s=1)
    daemon.install_mini("pending", env={"API_KEY": "value-number-one"}, settings=settings)
    daemon.until("pending", "running")
    saved = daemon.set("pending", API_KEY="value-number-two")
    assert "its restart is pending" in saved["sentence"]
    assert saved["respawn"]["code"] == "protected" and saved["respawn"]["generation"] == 1
    assert daemon.view("pending")["restart_pending"]
    body = {"reason": "maintenance window"}
    assert daemon.post(f"{daemon.path('pending')}/respawn", body)["ok"]
    view = daemon.view("pending")
    assert not view["restart_pending"] and view["stale"] == []


# Whose processes are stopped ----------------------------------------------------------------------


def test_a_stop_ends_the_named_bundle_alone_and_ps_tells_whose_each_child_is(
    daemon: RealDaemon,
) -> None:
    tree = "(setsid sleep 1000 &); sleep 1000 & wait"
    for name in ("tree", "tree-2"):
        request = InstallRequest(
            source=SourceKind.COMMAND,
            name=name,
            command=("/bin/sh", "-c", tree),
            settings=BundleSettings(settle_s=0.3, stop_grace_s=1),
        )
        daemon.install(request)
        daemon.until(name, "running")
    mark = data_mark(daemon, "tree")
    ours = wait_for(lambda: own(mark, "tree"), lambda pids: len(pids) == 3)
    others = wait_for(lambda: own(mark, "tree-2"), lambda pids: len(pids) == 3)
    for name, pids in (("tree", ours), ("tree-2", others)):
        for pid in pids:
            told = _ps(pid)
            assert "ROOST_WORKSPACE=w" in told and f"ROOST_BUNDLE={name}" in told
    assert daemon.post(f"{daemon.path('tree')}/stop")["ok"]
    assert own(mark, "tree") == set() and own(mark, "tree-2") == others


def _ps(pid: int) -> list[str]:
    """Return the words that ps shows of a process, its environment included."""
    told = subprocess.run(
        ["ps", "eww", "-p", str(pid)], capture_output=True, text=True, check=True, timeout=30
    )
    return told.stdout.split()
