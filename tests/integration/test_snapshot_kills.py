"""Kills around snapshots: of the daemon in every phase of a build and between starts; no traces."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from tests.support.real_daemon import (
    RealDaemon,
    command_lines,
    is_alive,
    processes_with,
    real_daemon,
    roost,
    wait_for,
)
from tests.support.snapshot_bundles import (
    MCP,
    build,
    built,
    data_id_of,
    install,
    respawn,
    snapshot,
    template_of,
    warm,
    write,
)

from roost.errors import RoostError
from roost.models import BundleKind

pytestmark = pytest.mark.real

HELD = '''
import os
import sys
import time

HERE = {gates!r}


def stop_at(what):
    """Count how often this was reached, and stay while a gate of that number is there."""
    number = 1
    while True:
        try:
            os.close(os.open(f"{{HERE}}/{{what}}-{{number}}", os.O_CREAT | os.O_EXCL))
            break
        except FileExistsError:
            number += 1
    while os.path.exists(f"{{HERE}}/hold-{{what}}-{{number}}"):
        time.sleep(0.02)
'''

APP = """
import held
import tiny

if __name__ == "__main__":
    held.stop_at("main")
    tiny.serve({})
"""

PHASES = {
    "trace": "load-1",
    "verdicts": "load-3",
    "template": "load-4",
    "verify": "main-2",
}
"""Where a build of it comes past in each phase: it is loaded four times, and runs twice."""


class Gates:
    """The program's gates, closed and opened by the test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "gates"
        self._folder.mkdir()
        text = HELD.format(gates=str(self._folder)) + "\n\nstop_at('load')\n"
        write(folder, "held.py", text)
        write(folder, "tiny.py", MCP)
        self.script = write(folder, "app.py", APP)

    def close(self, where: str) -> None:
        """Forget what was passed, and hold the next one at this place."""
        for path in self._folder.iterdir():
            path.unlink()
        (self._folder / f"hold-{where}").touch()

    def reached(self, where: str) -> None:
        """Wait until it is held there."""
        wait_for((self._folder / where).exists, bool)

    def open(self) -> None:
        """Let everything pass."""
        for path in self._folder.glob("hold-*"):
            path.unlink()


@contextmanager
def building(daemon: RealDaemon, name: str) -> Iterator[list[object]]:
    """Build in the background; gives what came of it, when the block is left."""
    outcome: list[object] = []

    def work() -> None:
        try:
            outcome.append(build(daemon, name)["state"])
        except RoostError as error:
            outcome.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield outcome
    finally:
        thread.join(60)
        assert not thread.is_alive()


@pytest.fixture
def gates(tmp_path: Path) -> Gates:
    return Gates(tmp_path)


def record_of(daemon: RealDaemon, name: str) -> bytes | None:
    path = daemon.data_dir / "snapshots" / "w" / name / "record.json"
    return path.read_bytes() if path.exists() else None


def left_of(data_id: str) -> list[int]:
    return processes_with(f"ROOST_MARK={data_id}/")


def test_after_kill_9_in_every_phase_of_a_build_the_former_snapshot_is_whole_and_nothing_is_left(
    gates: Gates,
) -> None:
    foreign = subprocess.Popen(["/bin/sleep", "600"], env={"ROOST_BUNDLE": "held"})
    with real_daemon() as daemon:
        install(daemon, "held", gates.script, kind=BundleKind.MCP_STDIO)
        data_id = data_id_of(daemon.pid_of("held"))
        gates.close("nothing")
        built(daemon, "held")
        record = record_of(daemon, "held")
        try:
            for phase, where in PHASES.items():
                gates.close(where)
                with building(daemon, "held"):
                    gates.reached(where)
                    daemon.kill()
                wait_for(lambda: left_of(data_id), lambda left: not left)
                gates.open()
                daemon = RealDaemon(daemon.data_dir)
                assert daemon.wire.get("/v1/status")["orphans"] == 0
                assert record_of(daemon, "held") == record, phase
                daemon.until("held", "running")
                warm(daemon, "held")
                assert respawn(daemon, "held") == "zygote", phase
            assert foreign.poll() is None
            files = sorted(p.name for p in (daemon.data_dir / "snapshots" / "w" / "held").iterdir())
            assert files == ["record.json"]
        finally:
            gates.open()
            daemon.stop()
            foreign.kill()
            foreign.wait()
        assert left_of(data_id) == []


def test_after_kill_9_of_daemon_and_watchdog_the_next_boot_ends_templates_and_copies() -> None:
    with real_daemon() as daemon:
        daemon.install_mini("server", "--deaf")
        data_id = data_id_of(daemon.pid_of("server"))
        built(daemon, "server")
        assert respawn(daemon, "server") == "zygote"
        template, restored = template_of(daemon, "server"), daemon.pid_of("server")
        [watchdog] = [
            pid
            for pid, line in command_lines()
            if b"roost.drivers.watchdog" in line and parent_is(pid, daemon.pid)
        ]
        os.kill(watchdog, signal.SIGKILL)
        daemon.kill()
        assert is_alive(restored), "nothing was left for the boot to find"
        daemon = RealDaemon(daemon.data_dir)
        try:
            assert not is_alive(template) and not is_alive(restored)
            daemon.until("server", "running")
            warm(daemon, "server")
            assert daemon.wire.get("/v1/status")["orphans"] == 0
            assert roost(daemon.data_dir, "down").returncode == 0
            assert left_of(data_id) == []
        finally:
            daemon.stop()


def parent_is(pid: int, parent: int) -> bool:
    with suppress(OSError):
        stat = Path(f"/proc/{pid}/stat").read_text()
        return int(stat.rpartition(")")[2].split()[1]) == parent
    return False


def test_kill_9_in_the_middle_of_restores_leaves_nothing() -> None:
    with real_daemon() as daemon:
        daemon.install_mini("server")
        data_id = data_id_of(daemon.pid_of("server"))
        built(daemon, "server")

        def keep_on() -> None:
            with suppress(RoostError):
                while True:
                    daemon.post(f"{daemon.path('server')}/respawn")

        callers = [threading.Thread(target=keep_on) for _ in range(3)]
        for caller in callers:
            caller.start()
        daemon.until("server", lambda view: view["generation"]["number"] > 5)
        daemon.kill()
        for caller in callers:
            caller.join(30)
        wait_for(lambda: left_of(data_id), lambda left: not left)
        daemon = RealDaemon(daemon.data_dir)
        try:
            daemon.until("server", "running")
            warm(daemon, "server")
            assert respawn(daemon, "server") == "zygote"
            assert daemon.wire.get("/v1/status")["orphans"] == 0
        finally:
            daemon.stop()


@pytest.mark.parametrize("phase", ["template", "verify"])
def test_a_bundle_that_is_removed_while_it_is_built_leaves_nothing(
    gates: Gates, phase: str
) -> None:
    with real_daemon() as daemon:
        install(daemon, "held", gates.script, kind=BundleKind.MCP_STDIO)
        data_id = data_id_of(daemon.pid_of("held"))
        gates.close(PHASES[phase])
        with building(daemon, "held") as outcome:
            gates.reached(PHASES[phase])
            assert daemon.wire.send("DELETE", daemon.path("held"))["ok"]
        [error] = outcome
        assert isinstance(error, RoostError)
        wait_for(lambda: left_of(data_id), lambda left: not left)
        assert not (daemon.data_dir / "snapshots" / "w" / "held").exists()
        gates.open()
        install(daemon, "held", gates.script, kind=BundleKind.MCP_STDIO)
        daemon.until("held", "running")
        assert snapshot(daemon, "held")["state"] is None
        built(daemon, "held")


@pytest.mark.parametrize("phase", ["trace", "template"])
def test_the_daemon_stops_in_order_while_it_builds(gates: Gates, phase: str) -> None:
    with real_daemon() as daemon:
        install(daemon, "held", gates.script, kind=BundleKind.MCP_STDIO)
        data_id = data_id_of(daemon.pid_of("held"))
        gates.close(PHASES[phase])
        with building(daemon, "held"):
            gates.reached(PHASES[phase])
            assert roost(daemon.data_dir, "down").returncode == 0
        assert not is_alive(daemon.pid)
        assert left_of(data_id) == []
        log = (daemon.data_dir / "daemon.log").read_text()
        assert "Traceback" not in log
        assert not (daemon.data_dir / "snapshots" / "w" / "held").exists()
