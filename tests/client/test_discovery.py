"""Finding, starting and stopping the daemon of a data directory, with a stand-in for it."""

from __future__ import annotations

import fcntl
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.fake_engine import FakeEngine
from tests.support.served_engine import served
from tests.support.socket_dir import socket_dir

from roost.client import discovery
from roost.client.discovery import daemon_socket, ensure_daemon, find_daemon, stop_daemon
from roost.client.wire import Wire
from roost.errors import DaemonStartFailed, DaemonUnreachable
from roost.settings.locations import log_path, socket_path

PROGRAM = Path(__file__).parents[1] / "support" / "programs" / "stub_daemon.py"


@contextmanager
def _stub_daemon(monkeypatch: pytest.MonkeyPatch, mode: str) -> Iterator[str]:
    """Let starts run the stub, and yield a data directory whose stubs are ended afterwards."""
    with socket_dir() as place:
        data_dir = os.path.join(place, "data")
        interpreter = Path(place, "python")
        interpreter.write_text(
            f'#!/bin/sh\n[ "$1 $2 $3" = "-m roost.daemon --data-dir" ] || exit 99\n'
            f'exec {sys.executable} {PROGRAM} {mode} "$4"\n'
        )
        interpreter.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(interpreter))
        try:
            yield data_dir
        finally:
            for pid in _pids(data_dir):
                _end(pid)


def _starts(data_dir: str) -> list[list[str]]:
    path = Path(data_dir, "starts")
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def _pids(data_dir: str) -> list[int]:
    return [int(start[0]) for start in _starts(data_dir)]


def _end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def test_a_directory_without_a_daemon_is_found_empty() -> None:
    with socket_dir() as data_dir:
        assert not find_daemon(data_dir)
        with pytest.raises(DaemonUnreachable):
            daemon_socket(data_dir)


def test_a_daemon_that_runs_is_used_and_none_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "_spawn", None)
    with served(FakeEngine()) as engine:
        assert ensure_daemon(engine.data_dir) == engine.socket_path
        assert daemon_socket(engine.data_dir) == engine.socket_path


def test_a_started_daemon_is_detached_private_and_logs_to_its_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with _stub_daemon(monkeypatch, "serve") as data_dir:
        assert ensure_daemon(data_dir) == socket_path(data_dir)
        [(pid, session, cwd)] = _starts(data_dir)
        assert (pid, cwd) == (session, "/")
        assert stat.S_IMODE(os.stat(data_dir).st_mode) == 0o700
        assert stat.S_IMODE(os.stat(log_path(data_dir)).st_mode) == 0o600
        ensure_daemon(data_dir)
        assert len(_starts(data_dir)) == 1


def test_a_relative_directory_means_the_callers_own(monkeypatch: pytest.MonkeyPatch) -> None:
    with _stub_daemon(monkeypatch, "serve") as data_dir:
        monkeypatch.chdir(os.path.dirname(data_dir))
        assert ensure_daemon("data") == socket_path(data_dir)


def test_clients_that_race_end_with_one_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Barrier(4)
    real_spawn = discovery._spawn

    def spawn_together(data_dir: str) -> tuple[int, subprocess.Popen[bytes]]:
        gate.wait(30)
        return real_spawn(data_dir)

    with _stub_daemon(monkeypatch, "serve") as data_dir, ThreadPoolExecutor(4) as pool:
        monkeypatch.setattr(discovery, "_spawn", spawn_together)
        sockets = list(pool.map(ensure_daemon, [data_dir] * 4))
        assert sockets == [socket_path(data_dir)] * 4
        _wait_for(lambda: len(_starts(data_dir)) == 4)
        _wait_for(lambda: len([pid for pid in _pids(data_dir) if discovery._is_alive(pid)]) == 1)
        assert find_daemon(data_dir)


def test_an_owner_on_its_way_out_is_waited_for_and_then_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(discovery, "_RETRY_S", 0.1)
    with _stub_daemon(monkeypatch, "serve") as data_dir:
        os.makedirs(data_dir)
        with open(os.path.join(data_dir, "lock"), "w") as lock, ThreadPoolExecutor(1) as pool:
            fcntl.flock(lock, fcntl.LOCK_EX)
            socket = pool.submit(ensure_daemon, data_dir)
            _wait_for(lambda: len(_starts(data_dir)) >= 2)
            fcntl.flock(lock, fcntl.LOCK_UN)
            assert socket.result(30) == socket_path(data_dir)


def test_an_owner_that_never_answers_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with _stub_daemon(monkeypatch, "serve") as data_dir:
        os.makedirs(data_dir)
        with open(os.path.join(data_dir, "lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with pytest.raises(DaemonStartFailed, match="another daemon owns"):
                ensure_daemon(data_dir, timeout_s=0.5)


def test_a_daemon_that_dies_is_reported_at_once_with_its_last_words_and_its_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with _stub_daemon(monkeypatch, "die") as data_dir:
        os.makedirs(data_dir)
        Path(log_path(data_dir)).write_text("words of an earlier daemon\n")
        began = time.monotonic()
        with pytest.raises(DaemonStartFailed) as caught:
            ensure_daemon(data_dir)
        assert time.monotonic() - began < discovery.START_TIMEOUT_S / 2
        message = caught.value.message
        assert "exited with code 1" in message
        assert "the store is of a newer version; upgrade" in message
        assert log_path(data_dir) in message
        assert "earlier" not in message


def test_the_words_of_an_earlier_daemon_are_not_taken_for_those_of_this_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with _stub_daemon(monkeypatch, "silent") as data_dir:
        os.makedirs(data_dir)
        Path(log_path(data_dir)).write_text("words of an earlier daemon\n")
        with pytest.raises(DaemonStartFailed) as caught:
            ensure_daemon(data_dir, timeout_s=0.5)
        assert "does not answer yet" in caught.value.message
        assert "earlier" not in caught.value.message


def test_a_directory_that_cannot_be_made_is_said_in_a_sentence() -> None:
    with socket_dir() as place:
        Path(place, "file").touch()
        with pytest.raises(DaemonStartFailed, match="choose another place"):
            ensure_daemon(os.path.join(place, "file", "data"))


def test_stopping_waits_until_the_process_is_gone_and_tells_what_holds_it_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    alive = iter([True, True, False])
    monkeypatch.setattr(discovery, "_is_alive", lambda pid: next(alive))
    monkeypatch.setattr(discovery, "_waiting_for", lambda wire: "git")
    with served(FakeEngine()) as engine:
        monkeypatch.setattr(Wire, "is_listening", lambda self: False)
        assert stop_daemon(engine.data_dir, 10, told.append)
        assert [call.method for call in engine.fake.calls] == ["status", "shutdown"]
    assert told == ["git"]


def test_stopping_gives_up_when_its_time_is_over() -> None:
    with served(FakeEngine()) as engine:
        assert not stop_daemon(engine.data_dir, 0.2)


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline
        pause.wait(0.01)


def test_an_interpreter_that_cannot_be_executed_is_said_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.executable", "/dev/null")
    with socket_dir() as data_dir, pytest.raises(DaemonStartFailed, match="/dev/null cannot"):
        ensure_daemon(data_dir)


@pytest.mark.real
@pytest.mark.skipif(sys.platform != "linux", reason="told from /proc")
def test_a_process_that_ended_and_that_its_parent_never_reaps_is_not_alive() -> None:
    forks = "import os, time; print(os.fork() or os._exit(0), flush=True); time.sleep(100)"
    with subprocess.Popen([sys.executable, "-S", "-c", forks], stdout=subprocess.PIPE) as parent:
        try:
            assert parent.stdout is not None
            pid = int(parent.stdout.readline())
            _wait_for(lambda: not discovery._is_alive(pid))
            os.kill(pid, 0)  # its number is still taken
            assert discovery._is_alive(parent.pid)
        finally:
            parent.kill()
