"""Lock, socket, and daemons that should not be there."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import pytest
from tests.support.data_dirs import ENVIRON, opener, with_openers

from roost.daemon import own_data_dir
from roost.doctor import Surroundings
from roost.doctor.openers import YOUNG_S, find_openers
from roost.doctor.owner import check_daemons, check_lock, check_socket
from roost.models import Severity
from roost.settings.locations import socket_path

DEAD = 2**22 + 1
"""A pid that no process has: the kernel's largest is lower."""


def test_a_directory_that_no_daemon_has_owned_is_fine(data_dir: Path) -> None:
    finding = check_lock(Surroundings(data_dir, ENVIRON))
    assert (finding.severity, finding.said) == (
        Severity.OK,
        "no daemon has owned this directory yet",
    )


def test_the_holder_of_the_lock_is_named(data_dir: Path) -> None:
    with own_data_dir(data_dir):
        finding = check_lock(Surroundings(data_dir, ENVIRON))
    assert (finding.severity, finding.said) == (
        Severity.OK,
        f"held by the daemon with pid {os.getpid()}",
    )


def test_looking_never_takes_the_lock(data_dir: Path) -> None:
    (data_dir / "daemon.lock").write_text("{}")
    assert check_lock(Surroundings(data_dir, ENVIRON)).said == "nobody is seen to hold it"
    with own_data_dir(data_dir):
        check_lock(Surroundings(data_dir, ENVIRON))
        with (data_dir / "daemon.lock").open() as other, pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_the_text_of_a_daemon_that_has_ended_is_no_holder(data_dir: Path) -> None:
    (data_dir / "daemon.lock").write_text(json.dumps({"pid": DEAD, "start": 1, "boot": "x"}))
    finding = check_lock(Surroundings(data_dir, ENVIRON))
    assert finding.severity is Severity.OK
    assert f"its last holder (pid {DEAD}) has ended" in finding.said


@pytest.mark.skipif(sys.platform != "linux", reason="needs start times that tell pids apart")
def test_another_process_with_the_pid_of_the_last_holder_is_not_taken_for_it(
    data_dir: Path,
) -> None:
    with own_data_dir(data_dir):
        held = json.loads((data_dir / "daemon.lock").read_text())
    around = with_openers(Surroundings(data_dir, ENVIRON))
    assert "cannot be seen to hold it" in check_lock(around).said
    for change in ({"start": held["start"] + 1}, {"boot": "another boot"}):
        (data_dir / "daemon.lock").write_text(json.dumps(held | change))
        assert "has ended" in check_lock(around).said


def test_a_zombie_holds_nothing(data_dir: Path) -> None:
    child = subprocess.Popen([sys.executable, "-S", "-c", "import sys; sys.stdin.read()"], stdin=-1)
    try:
        stat = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        text = json.dumps({"pid": child.pid, "start": int(stat[19]), "boot": boot})
        (data_dir / "daemon.lock").write_text(text)
        around = with_openers(Surroundings(data_dir, ENVIRON))
        assert check_lock(around).severity is Severity.WARNING
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert "has ended" in check_lock(around).said
    finally:
        assert child.stdin is not None
        child.stdin.close()
        child.kill()
        child.wait()


def test_a_lock_that_is_open_elsewhere_than_it_says_is_told(around: Surroundings) -> None:
    around.lock.write_text(json.dumps({"pid": 7}))
    finding = check_lock(with_openers(around, opener(8, program="vim", holds_lock=True)))
    assert finding.severity is Severity.WARNING
    assert "the process 8 (vim)" in finding.said and "names 7" in finding.said
    two = with_openers(around, opener(7, holds_lock=True), opener(8, holds_lock=True))
    assert "7 and 8" in check_lock(two).said


def test_a_directory_in_the_place_of_the_lock_is_a_problem(data_dir: Path) -> None:
    (data_dir / "daemon.lock").mkdir()
    assert check_lock(Surroundings(data_dir, ENVIRON)).severity is Severity.PROBLEM


@contextmanager
def listening(path: Path, mode: int = 0o600) -> Iterator[None]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.bind(str(path))
        path.chmod(mode)
        sock.listen(4)
        yield


def test_no_socket_is_fine_without_a_daemon(around: Surroundings) -> None:
    assert check_socket(around).severity is Severity.OK


def test_a_socket_that_accepts_is_fine(around: Surroundings) -> None:
    with listening(around.data_dir / "roost.sock"):
        finding = check_socket(around)
    assert finding.severity is Severity.OK
    assert "accepts connections" in finding.said


def test_a_socket_that_others_may_use_is_a_problem(around: Surroundings) -> None:
    path = around.data_dir / "roost.sock"
    with listening(path, 0o666):
        finding = check_socket(around)
    assert finding.severity is Severity.PROBLEM
    assert f"chmod 600 {path}" in finding.mend


def test_the_socket_of_a_daemon_that_has_ended_is_stale(around: Surroundings) -> None:
    with listening(around.data_dir / "roost.sock"):
        pass
    finding = check_socket(around)
    assert finding.severity is Severity.OK
    assert "the next start replaces it" in finding.said


def test_a_daemon_that_does_not_listen_is_a_problem(around: Surroundings) -> None:
    with_openers(around, opener(4100, holds_lock=True))
    assert "its socket" in check_socket(around).said
    assert check_socket(around).severity is Severity.PROBLEM
    with listening(around.data_dir / "roost.sock"):
        pass
    assert "does not listen" in check_socket(around).said
    assert "`kill 4100`" in check_socket(around).mend


def test_something_else_in_the_place_of_the_socket_is_a_problem(around: Surroundings) -> None:
    (around.data_dir / "roost.sock").write_text("mine")
    assert check_socket(around).severity is Severity.PROBLEM


def test_the_shared_directory_of_long_paths_must_be_ours(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = data_dir / ("x" * 120)
    deep.mkdir(mode=0o700)
    around = Surroundings(deep, ENVIRON)
    assert Path(socket_path(str(deep))).parent != deep
    around.uid = 54321
    shared = data_dir / "shared"
    monkeypatch.setattr("roost.doctor.owner.socket_path", lambda _: str(shared / "a.sock"))
    assert check_socket(around).severity is Severity.OK  # the first start makes it
    shared.mkdir(mode=0o700)
    finding = check_socket(around)
    assert finding.severity is Severity.PROBLEM
    assert str(shared) in finding.said
    around.uid = os.geteuid()
    assert check_socket(around).severity is Severity.OK
    shared.rmdir()
    shared.symlink_to(data_dir)
    assert check_socket(around).severity is Severity.PROBLEM


def test_one_daemon_or_none_is_as_it_should_be(around: Surroundings) -> None:
    assert check_daemons(with_openers(around)).severity is Severity.OK
    one = opener(4100, holds_lock=True, writes_database=True)
    finding = check_daemons(with_openers(around, one))
    assert (finding.severity, finding.said) == (
        Severity.OK,
        "one daemon works on this directory (pid 4100)",
    )


@pytest.mark.parametrize(
    "extra",
    [opener(5, writes_database=True, age_s=0.1), opener(5, age_s=YOUNG_S + 1)],
    ids=["writes the database", "stays"],
)
def test_a_second_daemon_is_a_problem_and_both_are_named(
    around: Surroundings, extra: object
) -> None:
    owner = opener(4, holds_lock=True, writes_database=True)
    finding = check_daemons(with_openers(around, owner, extra))  # type: ignore[arg-type]
    assert finding.severity is Severity.PROBLEM
    assert "the processes 4 and 5" in finding.said
    assert "`kill 5`" in finding.mend


def test_a_daemon_that_just_came_and_will_find_the_directory_owned_is_none_too_many(
    around: Surroundings,
) -> None:
    owner = opener(4, holds_lock=True, writes_database=True)
    both = with_openers(around, owner, opener(5, age_s=0.5))
    assert check_daemons(both).severity is Severity.OK


def test_another_program_that_writes_the_database_is_a_warning(around: Surroundings) -> None:
    shell = opener(9, program="sqlite3", writes_database=True, is_daemon=False)
    finding = check_daemons(with_openers(around, shell))
    assert finding.severity is Severity.WARNING
    assert "sqlite3 (pid 9)" in finding.said


def test_processes_are_found_by_what_they_have_open(around: Surroundings) -> None:
    me = os.getpid()
    assert me not in [found.pid for found in find_openers(around.data_dir)]
    address = f"file:{around.database}?mode=ro"
    with closing(sqlite3.connect(address, uri=True)) as reader:
        reader.execute("SELECT 1 FROM alembic_version").fetchone()
        assert me not in [found.pid for found in find_openers(around.data_dir)]
    with closing(sqlite3.connect(around.database)) as writer:
        writer.execute("SELECT 1 FROM alembic_version").fetchone()
        [found] = [found for found in find_openers(around.data_dir) if found.pid == me]
    assert found.writes_database and not found.holds_lock and not found.is_daemon


@pytest.mark.parametrize("spelling", ["--data-dir DIR", "--data-dir=DIR", "by environment"])
def test_a_daemon_is_known_by_its_command_line(around: Surroundings, spelling: str) -> None:
    program = "import sys; print('up', flush=True); sys.stdin.read()"
    named = (
        []
        if spelling == "by environment"
        else spelling.replace("DIR", str(around.data_dir)).split()
    )
    child = subprocess.Popen(
        [sys.executable, "-S", "-c", program, "-m", "roost.daemon", *named],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"ROOST_DATA_DIR": str(around.data_dir) if not named else "/nowhere"},
    )
    assert child.stdin is not None and child.stdout is not None
    try:
        assert child.stdout.readline() == b"up\n"
        [found] = [found for found in find_openers(around.data_dir) if found.pid == child.pid]
        assert found.is_daemon and not found.holds_lock and not found.is_second_daemon
        assert not [f for f in find_openers(around.data_dir / "keys") if f.pid == child.pid]
    finally:
        child.stdin.close()
        child.stdout.close()
        child.wait(30)


def test_a_process_that_is_gone_while_it_is_looked_at_is_passed_over(
    around: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(self: psutil.Process) -> None:
        raise psutil.NoSuchProcess(self.pid)

    monkeypatch.setattr(psutil.Process, "open_files", gone)
    assert find_openers(around.data_dir) == ()
