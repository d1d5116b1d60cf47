"""One daemon per data directory, whoever starts it and however late."""

import fcntl
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from roost.daemon import own_data_dir
from roost.drivers.proctable import ProcessTable
from roost.errors import Conflict, DaemonAlreadyRunning, DaemonStartFailed


def test_the_lock_of_a_data_directory_is_held_by_one_and_names_its_holder(tmp_path: Path) -> None:
    with own_data_dir(tmp_path):
        held = json.loads((tmp_path / "daemon.lock").read_text())
        assert held["pid"] == os.getpid()
        with pytest.raises(DaemonAlreadyRunning, match=str(os.getpid())), own_data_dir(tmp_path):
            pass


def test_a_lock_left_by_a_dead_daemon_is_taken_over(tmp_path: Path) -> None:
    stale = {"pid": 1, "start": 1, "boot": "another boot", "since": 1e12}
    (tmp_path / "daemon.lock").write_text(json.dumps(stale))
    with own_data_dir(tmp_path):
        assert json.loads((tmp_path / "daemon.lock").read_text())["pid"] == os.getpid()


def test_a_daemon_that_lost_the_race_does_not_come_up_after_the_winner_was_stopped(
    tmp_path: Path,
) -> None:
    me = ProcessTable().identify(os.getpid())
    assert me is not None
    since = time.clock_gettime(time.CLOCK_BOOTTIME)  # taken, and freed, after this process began
    winner = {"pid": 1, "start": 1, "boot": me.boot, "since": since}
    (tmp_path / "daemon.lock").write_text(json.dumps(winner))
    with pytest.raises(Conflict, match="has ended"), own_data_dir(tmp_path):
        pass
    with open(tmp_path / "daemon.lock", "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # and it does not keep the lock either


def test_a_lock_that_cannot_be_opened_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "daemon.lock").mkdir()
    refused = pytest.raises(DaemonStartFailed, match="choose another data directory")
    with refused, own_data_dir(tmp_path):
        pass


def test_a_data_directory_that_cannot_be_used_is_a_sentence_and_no_traceback(
    tmp_path: Path,
) -> None:
    place = tmp_path / "data"
    place.write_text("mine")
    done = subprocess.run(
        [sys.executable, "-m", "roost.daemon", "--data-dir", str(place)],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "choose another data directory" in done.stderr or "cannot be read" in done.stderr
