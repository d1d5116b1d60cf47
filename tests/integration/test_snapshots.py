"""Snapshots through a real daemon: built, used by every kind of start, and doubted when need be."""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.real_daemon import (
    PYTHON,
    RealDaemon,
    holders,
    is_alive,
    processes_with,
    real_daemon,
    roost,
    spellings,
    wait_for,
)

from roost.models import BundleKind, BundleSettings, InstallRequest, SnapshotPolicy, SourceKind

pytestmark = pytest.mark.real

QUICK = BundleSettings(start_budget_s=30, stop_grace_s=1)

WEB = """
import http.server
import os


class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")


if __name__ == "__main__":
    http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Hello).serve_forever()
"""

HAZARD = """
import threading

STARTED = threading.Thread(target=threading.Event().wait, daemon=True)
STARTED.start()
"""


@pytest.fixture(scope="module")
def daemon() -> Iterator[RealDaemon]:
    with real_daemon() as daemon:
        yield daemon


def build(daemon: RealDaemon, name: str) -> dict[str, Any]:
    view: dict[str, Any] = daemon.wire.send("POST", f"{daemon.path(name)}/snapshot/build")
    return view


def built(daemon: RealDaemon, name: str) -> None:
    view = build(daemon, name)
    assert (view["state"], view["is_warm"]) == ("ready", True), view["reason"]


def snapshot(daemon: RealDaemon, name: str) -> dict[str, Any]:
    view: dict[str, Any] = daemon.wire.get(f"{daemon.path(name)}/snapshot")["view"]
    return view


def warm(daemon: RealDaemon, name: str) -> None:
    wait_for(lambda: snapshot(daemon, name), lambda view: view["is_warm"])


def mode(daemon: RealDaemon, name: str) -> str:
    return str(daemon.until(name, "running")["generation"]["start_mode"])


def respawn(daemon: RealDaemon, name: str) -> str:
    result = daemon.post(f"{daemon.path(name)}/respawn")
    assert result["ok"], result["sentence"]
    return mode(daemon, name)


def program(tmp_path: Path, text: str, name: str = "program.py") -> str:
    path = tmp_path / name
    path.write_text(text)
    return str(path)


def install(daemon: RealDaemon, name: str, script: str, kind: BundleKind, **changes: Any) -> None:
    request = InstallRequest(
        source=SourceKind.COMMAND,
        name=name,
        kind=kind,
        command=(PYTHON, script),
        settings=QUICK,
        **changes,
    )
    daemon.install(request)


def test_from_its_build_on_every_start_of_a_bundle_is_restored(daemon: RealDaemon) -> None:
    daemon.install_mini("server")
    pid = daemon.pid_of("server")
    built(daemon, "server")
    assert daemon.pid_of("server") == pid, "a build touches no running process"
    assert respawn(daemon, "server") == "zygote"
    assert daemon.call("server", "echo", text="hello")
    os.kill(daemon.pid_of("server"), signal.SIGKILL)
    daemon.until("server", lambda view: view["generation"]["number"] == 3)
    assert mode(daemon, "server") == "zygote", "a crash restart"
    daemon.post(f"{daemon.path('server')}/stop")
    daemon.post(f"{daemon.path('server')}/start")
    assert mode(daemon, "server") == "zygote", "a start by hand"
    assert daemon.call("server", "echo", text="again")


def test_a_credential_reaches_the_restored_process_and_nothing_else(daemon: RealDaemon) -> None:
    first, second = secrets.token_hex(16), secrets.token_hex(16)
    daemon.install_mini("keeper", env={"API_KEY": first})
    daemon.until("keeper", "running")
    built(daemon, "keeper")
    daemon.set("keeper", API_KEY=second)
    assert mode(daemon, "keeper") == "zygote"
    assert daemon.call("keeper", "env", name="API_KEY") == "[secret]", "it is there, and scrubbed"
    needles = {
        f"{number} {name}": needle
        for number, value in enumerate((first, second))
        for name, needle in spellings(value).items()
    }
    assert holders(daemon.data_dir, needles) == []
    assert processes_with(second) == [], "no environment that others can read holds it"


def test_a_respawn_by_handover_is_restored_beside_the_old_process(daemon: RealDaemon) -> None:
    daemon.install_mini("beside")
    daemon.until("beside", "running")
    built(daemon, "beside")
    daemon.wire.send("PATCH", f"{daemon.path('beside')}/settings", b'{"strategy": "handover"}')
    old = daemon.pid_of("beside")
    assert respawn(daemon, "beside") == "zygote"
    wait_for(lambda: is_alive(old), lambda alive: not alive)
    assert daemon.call("beside", "echo")


def test_a_web_bundle_is_traced_verified_and_restored_on_ports_of_their_own(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    install(daemon, "page", program(tmp_path, WEB), BundleKind.WEB)
    address = daemon.until("page", "running")["address"]
    built(daemon, "page")
    assert daemon.view("page")["address"] == address
    assert respawn(daemon, "page") == "zygote"


def test_without_a_snapshot_a_bundle_that_needs_one_says_what_builds_it(
    daemon: RealDaemon,
) -> None:
    settings = BundleSettings(snapshot=SnapshotPolicy.REQUIRE)
    daemon.install_mini("strict", settings=settings)
    reason = daemon.until("strict", "dead")["reason"]
    assert reason["code"] == "snapshot_missing"
    assert "roost snapshot build strict" in reason["sentence"]
    built(daemon, "strict")
    assert respawn(daemon, "strict") == "zygote"


def test_a_change_of_its_code_makes_starts_cold_until_it_is_built_again(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    script = program(tmp_path, WEB)
    install(daemon, "edited", script, BundleKind.WEB)
    daemon.until("edited", "running")
    built(daemon, "edited")
    Path(script).write_text(WEB.replace("hello", "bye"))
    assert respawn(daemon, "edited") == "cold"
    view = snapshot(daemon, "edited")
    assert view["state"] == "stale" and "program.py was changed" in view["reason"]["sentence"]
    built(daemon, "edited")
    assert respawn(daemon, "edited") == "zygote"


def test_where_it_is_allowed_a_stale_snapshot_is_built_again_by_itself(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    script = program(tmp_path, WEB)
    install(daemon, "renewed", script, BundleKind.WEB)
    daemon.until("renewed", "running")
    built(daemon, "renewed")
    daemon.wire.send("PATCH", f"{daemon.path('renewed')}/settings", b'{"snapshot_rebuild": true}')
    Path(script).write_text(WEB.replace("hello", "bye"))
    assert respawn(daemon, "renewed") == "cold"
    wait_for(lambda: snapshot(daemon, "renewed"), lambda view: view["state"] == "ready")
    warm(daemon, "renewed")
    assert respawn(daemon, "renewed") == "zygote"


def test_what_a_guard_refuses_is_named_and_the_bundle_starts_cold(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    program(tmp_path, HAZARD, "hazard.py")
    # Everything imports it, so there is nothing left that could be prepared but the rest.
    install(daemon, "thready", program(tmp_path, "import hazard\n" + WEB), BundleKind.WEB)
    daemon.until("thready", "running")
    build(daemon, "thready")
    findings = daemon.wire.get(f"{daemon.path('thready')}/snapshot")["findings"]
    [found] = [finding for finding in findings if finding["guard"] == "python_thread"]
    assert (found["action"], found["module"]) == ("exclude", "hazard")
    assert "start threads" in found["sentence"]
    respawn(daemon, "thready")
    assert daemon.view("thready")["state"] == "running"


def test_a_restored_start_that_fails_where_a_cold_one_works_convicts_the_snapshot(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    mood = tmp_path / "mood"
    script = program(
        tmp_path,
        "import pathlib, sys\n"
        f"BAD = pathlib.Path({str(mood)!r})\n"
        "if __name__ == '__main__' and BAD.exists() and 'launcher' in "
        "open('/proc/%d/cmdline' % __import__('os').getppid()).read():\n"
        "    sys.exit('not in the mood')\n" + WEB,
    )
    install(daemon, "moody", script, BundleKind.WEB)
    daemon.until("moody", "running")
    built(daemon, "moody")
    assert respawn(daemon, "moody") == "zygote"
    mood.touch()
    assert respawn(daemon, "moody") == "cold", "the start that was asked for succeeds all the same"
    view = snapshot(daemon, "moody")
    assert view["state"] == "failed" and "not in the mood" in view["reason"]["sentence"]


def test_a_template_that_is_killed_costs_one_cold_start_and_comes_back(
    daemon: RealDaemon,
) -> None:
    daemon.install_mini("robust")
    daemon.until("robust", "running")
    built(daemon, "robust")
    assert respawn(daemon, "robust") == "zygote"
    restored = daemon.pid_of("robust")
    [template] = [pid for pid in templates(daemon) if named(pid) == "w/robust"]
    os.kill(template, signal.SIGKILL)
    assert is_alive(restored)
    os.kill(restored, signal.SIGKILL)
    crashed = daemon.until("robust", lambda view: view["generation"]["number"] == 3)
    assert crashed["crash"]["exit"] == "SIGKILL", "its end is told exactly without its template"
    daemon.until("robust", "running")
    warm(daemon, "robust")
    assert respawn(daemon, "robust") == "zygote"


def test_a_stop_ends_only_its_own_bundle_while_a_snapshot_of_it_is_built(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    for name in ("app", "app-2"):
        install(daemon, name, program(tmp_path, WEB), BundleKind.WEB)
        daemon.until(name, "running")
        built(daemon, name)
        assert respawn(daemon, name) == "zygote"
    other = daemon.pid_of("app-2")
    names = {named(pid) for pid in (other, daemon.pid_of("app"), *templates(daemon))}
    assert {"w/app", "w/app-2"} <= names, "every process tells its workspace and bundle"
    pid = daemon.pid_of("app")
    assert roost(daemon.data_dir, "stop", "w/app").returncode == 0
    assert not is_alive(pid) and is_alive(other)
    assert snapshot(daemon, "app")["is_warm"] and snapshot(daemon, "app-2")["is_warm"]


def test_after_a_restart_of_the_daemon_the_snapshot_is_there_and_gets_warm_by_itself() -> None:
    with real_daemon() as first:
        first.install_mini("server")
        first.until("server", "running")
        built(first, "server")
        first.kill()
        daemon = RealDaemon(first.data_dir)
        try:
            daemon.until("server", "running")
            warm(daemon, "server")
            assert respawn(daemon, "server") == "zygote"
            left = [*templates(daemon), daemon.pid_of("server")]
        finally:
            daemon.stop()
        wait_for(lambda: [pid for pid in left if is_alive(pid)], lambda alive: not alive)


def templates(daemon: RealDaemon) -> list[int]:
    """Return the pids of a daemon's living templates: of its own children."""
    return [pid for pid in processes_with("template-") if parent(pid) == daemon.pid]


def parent(pid: int) -> int:
    """Return the pid of a process's parent; 0 for one that is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    return int(stat.rpartition(")")[2].split()[1])


def environ(pid: int) -> str:
    """Return the environment that others can read."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def named(pid: int) -> str:
    """Return the workspace and the bundle that a process tells."""
    told = dict(part.partition("=")[::2] for part in environ(pid).split("\0"))
    return f"{told.get('ROOST_WORKSPACE')}/{told.get('ROOST_BUNDLE')}"
