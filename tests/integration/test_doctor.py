"""``roost doctor`` beside real daemons, in good order and not."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from tests.support.data_dirs import CHECK_NAMES
from tests.support.owned_daemon import owned_daemon
from tests.support.real_daemon import RealDaemon, is_alive, real_daemon, roost, wait_for

pytestmark = [pytest.mark.real, pytest.mark.timeout(300), pytest.mark.xdist_group("doctor")]

EXPECTED = {"daemon", *CHECK_NAMES}

MACHINE = {"disk", "filesystem", "clock", "limits"}
"""Findings that depend on where the tests run."""


@pytest.fixture(scope="module")
def daemon() -> Iterator[RealDaemon]:
    """A daemon with one bundle that has a credential, for what leaves it as it was."""
    with real_daemon() as started:
        started.install_mini("git", env={"TOKEN": "hunter2-hunter2"})
        started.pid_of("git")
        yield started


def examine(data_dir: Path) -> tuple[int, dict[str, dict[str, Any]]]:
    """Return the doctor's exit code and its findings by check."""
    done = roost(data_dir, "doctor", "--json")
    assert done.stderr == ""
    return done.returncode, {found["check"]: found for found in json.loads(done.stdout)["findings"]}


def problems(found: dict[str, dict[str, Any]]) -> set[str]:
    return {name for name, one in found.items() if one["severity"] == "problem"} - MACHINE


def test_a_daemon_in_good_order_has_no_problem_and_keeps_its_directory_as_it_was(
    daemon: RealDaemon,
) -> None:
    code, found = examine(daemon.data_dir)
    assert set(found) == EXPECTED | {"vault"}
    assert problems(found) == set()
    assert code == (1 if any(found[name]["severity"] == "problem" for name in MACHINE) else 0)
    assert found["lock"]["said"] == f"held by the daemon with pid {daemon.pid}"
    assert found["vault"]["said"] == "the key opens the credentials of 1 bundle"
    assert found["daemons"]["said"] == f"one daemon works on this directory (pid {daemon.pid})"
    assert "hunter2" not in json.dumps(found)
    daemon.set("git", TOKEN="another-value")  # the database can still be written


def test_examinations_at_once_leave_no_process_and_no_descriptor_behind() -> None:
    with owned_daemon() as daemon:
        wire = daemon.operator.wire
        wire.get("/v1/doctor")
        before = daemon.descriptors()
        with ThreadPoolExecutor(4) as pool:
            reports = list(pool.map(lambda _: wire.get("/v1/doctor"), range(8)))
        assert all({"vault"} | {f["check"] for f in r["findings"]} > {"lock"} for r in reports)
        wait_for(daemon.descriptors, lambda count: count <= before)
        assert wire.get("/v1/status")["orphans"] == 0
        watchdog = wait_for(lambda: _children(daemon.process.pid), lambda pids: len(pids) == 1)
        assert b"watchdog" in Path(f"/proc/{watchdog[0]}/cmdline").read_bytes()


def _children(pid: int) -> list[str]:
    """Return the children of every thread that is there now."""
    found: list[str] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):  # a thread that has just ended
            found += (task / "children").read_text().split()
    return found


def test_what_was_broken_is_found_and_mended_by_what_it_says(daemon: RealDaemon) -> None:
    (daemon.data_dir / "keys" / "vault.key").chmod(0o644)
    (daemon.data_dir / "roost.sock").chmod(0o666)
    code, found = examine(daemon.data_dir)
    assert code == 1
    assert {"permissions", "keyring", "socket"} <= problems(found)
    for name in ("permissions", "keyring", "socket"):
        command = found[name]["mend"].split("`")[1]
        subprocess.run(command, shell=True, check=True, timeout=30)
    assert problems(examine(daemon.data_dir)[1]) == set()


def test_a_key_that_does_not_open_what_is_stored_is_a_problem() -> None:
    with owned_daemon() as daemon:
        daemon.operator.install_mini("git", env={"TOKEN": "hunter2-hunter2"})
        daemon.operator.pid_of("git")
        daemon.process.terminate()
        assert daemon.exit_status() == 0
        (daemon.data_dir / "keys" / "vault.key").unlink()
        code, found = examine(daemon.data_dir)
        assert (code, problems(found)) == (1, {"keyring"})
        assert "stored credentials need it (1 value)" in found["keyring"]["said"]
        daemon.start_again()  # with a new key
        code, found = examine(daemon.data_dir)
        assert (code, problems(found)) == (1, {"vault"})
        assert "w/git" in found["vault"]["said"] and "w/git" in found["vault"]["mend"]


def test_a_daemon_that_was_killed_leaves_what_the_next_start_takes_over() -> None:
    with real_daemon() as daemon:
        pid = daemon.pid
        daemon.kill()
        _, found = examine(daemon.data_dir)
        assert problems(found) == set()
        assert found["daemon"]["said"].startswith("none is running")
        assert (
            found["lock"]["said"]
            == f"nobody is seen to hold it; its last holder (pid {pid}) has ended"
        )
        assert "the next start replaces it" in found["socket"]["said"]
        assert "the next start takes over" in found["database"]["said"]
        assert not is_alive(pid)
        again = RealDaemon(daemon.data_dir)
        assert found["lock"] != examine(daemon.data_dir)[1]["lock"]
        assert again.pid != pid


def test_a_daemon_that_is_stopped_in_its_tracks_is_a_problem_that_names_it(
    daemon: RealDaemon,
) -> None:
    os.kill(daemon.pid, signal.SIGSTOP)
    try:
        code, found = examine(daemon.data_dir)
    finally:
        os.kill(daemon.pid, signal.SIGCONT)
    assert code == 1
    assert "daemon" in problems(found)
    assert found["lock"]["said"] == f"held by the daemon with pid {daemon.pid}"


def test_another_program_on_the_database_is_named(daemon: RealDaemon) -> None:
    with closing(sqlite3.connect(daemon.data_dir / "roost.db")) as shell:
        shell.execute("SELECT count(*) FROM workspaces").fetchone()
        _, found = examine(daemon.data_dir)
        assert found["daemons"]["severity"] == "warning"
        assert f"(pid {os.getpid()})" in found["daemons"]["said"]


def test_a_second_daemon_on_the_database_is_a_problem(daemon: RealDaemon) -> None:
    second = (
        "import sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[-1] + '/roost.db')\n"
        "connection.execute('SELECT count(*) FROM workspaces').fetchone()\n"
        "print('open', flush=True)\n"
        "sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", second, "-m", "roost.daemon", "--data-dir"]
    child = subprocess.Popen(
        [*command, str(daemon.data_dir)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdin is not None and child.stdout is not None
    try:
        assert child.stdout.readline() == b"open\n"
        code, found = examine(daemon.data_dir)
    finally:
        child.stdin.close()
        child.stdout.close()
        child.wait(30)
    assert (code, problems(found)) == (1, {"daemons"})
    assert f"{daemon.pid} and {child.pid}" in found["daemons"]["said"]
    assert f"`kill {child.pid}`" in found["daemons"]["mend"]


def test_a_program_that_only_this_shell_finds_is_missing_for_the_daemon(tmp_path: Path) -> None:
    uv = tmp_path / "uv"
    uv.write_text("#!/bin/sh\necho uv 9.9.9\n")
    uv.chmod(0o755)
    with owned_daemon(PATH="/nowhere") as daemon:
        done = subprocess.run(
            [Path(sys.executable).with_name("roost"), "--data-dir", daemon.data_dir, "doctor"],
            env=os.environ | {"PATH": f"{tmp_path}:/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        lines = done.stdout.splitlines()
        at = next(index for index, line in enumerate(lines) if "runtime_uv" in line)
        told = " ".join(" ".join(lines[at : at + 6]).split())
        assert lines[at].startswith("? warning")
        assert "another PATH than this shell, where uv 9.9.9 is" in told
        assert max(map(len, lines)) <= 80 or str(tmp_path) in max(lines, key=len)


def test_without_a_daemon_nothing_is_made_and_none_is_started(tmp_path: Path) -> None:
    data_dir = tmp_path / "never"
    _, found = examine(data_dir)
    assert set(found) == EXPECTED
    assert problems(found) == set()
    assert list(tmp_path.iterdir()) == []
