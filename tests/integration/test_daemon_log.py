"""The own log of a real daemon: bounded in the background, collected in the foreground."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.real_daemon import RealDaemon, wait_for

from roost.client.discovery import find_daemon

LIMIT = 65536


@pytest.fixture
def data_dir() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="roost-", dir="/tmp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


def test_a_daemon_in_the_background_begins_a_new_log_when_the_old_one_is_full(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROOST_DAEMON_LOG_BYTES", str(LIMIT))
    (data_dir / "daemon.log").write_text("an old line\n" * (LIMIT // 10))
    (data_dir / "daemon.log").chmod(0o644)
    daemon = RealDaemon(data_dir)
    daemon.stop()
    log, older = data_dir / "daemon.log", data_dir / "daemon.log.1"
    assert older.read_text().startswith("an old line\n")
    text = log.read_text()
    assert "an old line" not in text
    assert f"serving {data_dir}" in text and text.rstrip().endswith("bye")
    assert {stat.S_IMODE(path.stat().st_mode) for path in (log, older)} == {0o600}


def test_a_daemon_that_was_refused_leaves_the_log_of_the_owner_alone(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = RealDaemon(data_dir)
    try:
        monkeypatch.setenv("ROOST_DAEMON_LOG_BYTES", str(LIMIT))
        with (data_dir / "daemon.log").open("ab") as log:
            log.write(b"x" * LIMIT + b"\n")
            log.flush()
            done = subprocess.run(
                [sys.executable, "-m", "roost.daemon", "--data-dir", str(data_dir)],
                stdout=log,
                stderr=log,
                timeout=90,
                check=False,
            )
        assert done.returncode == 4
        assert not (data_dir / "daemon.log.1").exists()
        assert "is owned by the daemon" in (data_dir / "daemon.log").read_text()
    finally:
        daemon.stop()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_daemon_whose_log_has_no_room_serves_and_stops_as_ever(data_dir: Path) -> None:
    with open("/dev/full", "wb") as full:
        process = subprocess.Popen(
            [sys.executable, "-m", "roost.daemon", "--data-dir", str(data_dir), "--foreground"],
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=full,
            start_new_session=True,
        )
    try:
        wait_for(
            lambda: (find_daemon(str(data_dir)), process.poll()),
            lambda seen: seen[0] or seen[1] is not None,
        )
        operator = RealDaemon(data_dir)
        assert operator.pid == process.pid
        operator.workspace("w")
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(90) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
