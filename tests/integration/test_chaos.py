"""Kill -9 at random: the daemon, its watchdog, wrappers, servers and what they forked."""

import json
import os
import random
import signal
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from tests.support.owned_daemon import OwnedDaemon, owned_daemon
from tests.support.processes import PROGRAMS
from tests.support.real_daemon import (
    MINI,
    PYTHON,
    RealDaemon,
    is_alive,
    processes_with,
    wait_for,
)

from roost.drivers.proctable import Identity, ProcessTable
from roost.models import BundleKind, BundleSettings, InstallRequest, SourceKind

pytestmark = pytest.mark.real

SOAK = (pytest.mark.soak, pytest.mark.timeout(1800))

SEED = 20261121
"""The rounds are random and the same in every run; timing still differs."""

BOUND_S = 120.0

DOUBLE_FORK = (PYTHON, "-S", str(PROGRAMS / "double_fork.py"), "stay", "setsid")

BUNDLES: dict[str, tuple[BundleKind, tuple[str, ...]]] = {
    # As npx starts a server: a shell that waits for it, in one process group.
    "wrapped": (BundleKind.MCP_STDIO, ("/bin/sh", "-c", f"{PYTHON} -S {MINI} --deaf; true")),
    "parent": (BundleKind.MCP_STDIO, (PYTHON, "-S", str(MINI), "--with-child")),
    "forked": (BundleKind.COMMAND, DOUBLE_FORK),
    "stubborn": (
        BundleKind.COMMAND,
        ("/bin/sh", "-c", "trap '' TERM; (setsid sleep 1000 &); sleep 1000 & wait; sleep 1000"),
    ),
}

LEAST_PROCESSES = {"wrapped": 2, "parent": 2, "forked": 2, "stubborn": 3}

SETTINGS = BundleSettings(settle_s=0.1, stop_grace_s=0.3, probe_interval_s=0.0)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("rounds", [3, pytest.param(25, marks=SOAK)])
def test_after_any_kills_each_boot_has_no_orphan_and_no_foreign_process_was_touched(
    rounds: int,
) -> None:
    draw = random.Random(SEED)
    with owned_daemon() as owned, foreign_process() as foreign:
        for name, (kind, command) in BUNDLES.items():
            request = InstallRequest(
                SourceKind.COMMAND, name=name, kind=kind, command=command, settings=SETTINGS
            )
            owned.operator.install(request)
        mark = data_mark(owned.operator)
        for _ in range(rounds):
            until_whole(owned.operator, mark)
            before = set(living(mark))
            kill_some(owned, mark, draw)
            point_stale_handles_at(foreign.pid, owned.data_dir)
            owned.start_again()
            assert owned.operator.wire.get("/v1/status")["orphans"] == 0
            until_whole(owned.operator, mark)
            assert not before & set(living(mark)), "nothing of before lives on"
            assert owned.operator.wire.get("/v1/status")["orphans"] == 0
            assert foreign.poll() is None, "a process of somebody else was ended"


@contextmanager
def foreign_process() -> Iterator[subprocess.Popen[bytes]]:
    """Run what looks like a child of some daemon, and belongs to another data directory."""
    names = {"ROOST_MARK": "somebody-else/gen", "ROOST_WORKSPACE": "w", "ROOST_BUNDLE": "forked"}
    process = subprocess.Popen(
        ["/bin/sleep", "1000"], env=os.environ | names, start_new_session=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def until_whole(daemon: RealDaemon, mark: str) -> None:
    """Wait until every bundle runs with its whole tree and there is nothing beside."""

    def look() -> tuple[dict[str, str], dict[str, int]]:
        views = daemon.wire.get("/v1/bundles")
        running = {
            view["generation"]["id"]: view["name"] for view in views if view["state"] == "running"
        }
        return running, generations_alive(mark)

    def is_whole(seen: tuple[dict[str, str], dict[str, int]]) -> bool:
        running, counts = seen
        return (
            sorted(running.values()) == sorted(BUNDLES)
            and set(counts) == set(running)
            and all(counts[each] >= LEAST_PROCESSES[name] for each, name in running.items())
        )

    wait_for(look, is_whole, BOUND_S)


def living(mark: str) -> dict[Identity, str]:
    """Return the living processes of this data directory with their generations."""
    table = ProcessTable()
    snapshot = table.read()
    prefix = f"{mark.partition('=')[2]}/"
    return {
        table.identity(snapshot.entries[pid]): text.removeprefix(prefix)
        for pid, text in snapshot.marks.items()
        if text.startswith(prefix) and snapshot.entries[pid].is_alive
    }


def generations_alive(mark: str) -> dict[str, int]:
    return dict(Counter(living(mark).values()))


def kill_some(owned: OwnedDaemon, mark: str, draw: random.Random) -> None:
    """Kill children, now and then the watchdog, at last the daemon, all without a warning."""
    victims = draw.sample(sorted(processes_with(mark)), draw.randint(1, 4))
    if draw.random() < 0.5:
        victims.append(watchdog_of(owned.process.pid))
    for pid in victims:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    owned.process.kill()
    owned.process.wait()


def watchdog_of(pid: int) -> int:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return next(int(child) for child in children if is_watchdog(child))


def is_watchdog(pid: str) -> bool:
    try:
        return b"roost.drivers.watchdog" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def point_stale_handles_at(pid: int, data_dir: Path) -> None:
    """Let every handle that the store holds as live name a pid that somebody else has by now."""
    with sqlite3.connect(data_dir / "roost.db") as store:
        live = store.execute("SELECT id, handle FROM generations WHERE ended_at IS NULL").fetchall()
        assert live, "the killed daemon left generations to look for"
        for generation, handle in live:
            recycled = json.dumps(json.loads(handle) | {"pid": pid})
            store.execute("UPDATE generations SET handle = ? WHERE id = ?", (recycled, generation))
    store.close()
    assert is_alive(pid)


def data_mark(daemon: RealDaemon) -> str:
    """Return what the environment of every process of this data directory holds."""
    pid = daemon.pid_of("parent")
    environ = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    mark = next(entry for entry in environ if entry.startswith(b"ROOST_MARK="))
    return mark.decode().partition("/")[0]
