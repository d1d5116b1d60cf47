"""`roost exec` against a real daemon: output, exit codes, ctrl-C, and kill -9 of the daemon."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.real_daemon import (
    BOUND_S,
    RealDaemon,
    holders,
    is_alive,
    processes_with,
    real_daemon,
    roost,
    wait_for,
)

pytestmark = [pytest.mark.real, pytest.mark.timeout(300), pytest.mark.xdist_group("exec")]

DEAF_TREE = (
    "trap '' TERM INT; (setsid sleep 1000 &); (trap '' TERM; setsid sh -c 'sleep 1000' &); "
    "echo ready; sleep 1000; sleep 1000"
)


@pytest.fixture(scope="module")
def daemon() -> Iterator[RealDaemon]:
    """A daemon for all tests that do not end it; each looks at runs of its own."""
    with real_daemon() as started:
        yield started


@contextmanager
def followed(daemon: RealDaemon, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Give ``roost exec`` in a process of its own, once its command has said `ready`."""
    command = (str(Path(sys.executable).with_name("roost")), "--data-dir", str(daemon.data_dir))
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [*command, "exec", *arguments], stdout=pipe, stderr=pipe, text=True
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        try:
            yield running
        finally:
            if running.poll() is None:
                running.kill()


def newest_run(daemon: RealDaemon) -> str:
    return str(daemon.wire.get("/v1/runs", limit=1)[0]["id"])


@contextmanager
def halted(daemon: RealDaemon) -> Iterator[None]:
    """Let the daemon do nothing during the block."""
    os.kill(daemon.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(daemon.pid, signal.SIGCONT)


def test_output_and_exit_code_come_through_as_if_it_ran_here(daemon: RealDaemon) -> None:
    before = len(daemon.wire.get("/v1/runs"))
    done = roost(daemon.data_dir, "exec", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, "out\n", "err\n")
    killed = roost(daemon.data_dir, "exec", "--", "sh", "-c", "kill -KILL $$")
    assert killed.returncode == 128 + signal.SIGKILL
    absent = roost(daemon.data_dir, "exec", "--", "no-such-program")
    assert absent.returncode == 2
    assert "no-such-program" in absent.stderr
    assert len(daemon.wire.get("/v1/runs")) == before + 2


def test_fifty_thousand_lines_arrive_whole_and_in_order(daemon: RealDaemon) -> None:
    done = roost(daemon.data_dir, "exec", "--", "seq", "50000")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [str(number) for number in range(1, 50_001)]


def test_the_first_ctrl_c_stops_a_deaf_tree_and_nothing_of_it_is_left(daemon: RealDaemon) -> None:
    with followed(daemon, "--", "sh", "-c", DEAF_TREE) as running:
        run_id = newest_run(daemon)
        wait_for(lambda: processes_with(run_id), lambda pids: len(pids) >= 3)
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=BOUND_S)
    assert running.returncode == 130, errors
    run = daemon.settled(run_id)["run"]
    assert (run["status"], run["error"]["code"]) == ("aborted", "stopped")
    assert run["stop_phase"] == "killing"
    assert processes_with(run_id) == []


def test_the_second_ctrl_c_leaves_at_once_and_the_stop_goes_on(daemon: RealDaemon) -> None:
    with followed(daemon, "--", "sh", "-c", DEAF_TREE) as running:
        run_id = newest_run(daemon)
        running.send_signal(signal.SIGINT)
        assert running.stderr is not None
        assert "ctrl-C again leaves it" in running.stderr.readline()
        wait_for(lambda: daemon.run(run_id)["run"]["stop_requested_at"], bool)
        with halted(daemon):  # so the stop cannot be over, however slow this machine is
            running.send_signal(signal.SIGINT)
            _, errors = running.communicate(timeout=BOUND_S)
    assert running.returncode == 130
    assert "may go on" in errors
    assert daemon.settled(run_id)["run"]["status"] == "aborted"


def test_a_terminal_that_goes_away_leaves_its_command_running(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    waiting = f"echo ready; until test -e {gate}; do sleep 0.1; done; echo end"
    with followed(daemon, "--", "sh", "-c", waiting) as running:
        run_id = newest_run(daemon)
        running.kill()
    gate.touch()
    detail = daemon.settled(run_id)
    assert detail["run"]["status"] == "succeeded"
    assert [event["message"] for event in detail["events"]][1:3] == ["ready", "end"]


def test_a_reader_that_goes_away_is_told_that_the_command_goes_on(daemon: RealDaemon) -> None:
    command = str(Path(sys.executable).with_name("roost"))
    endless = "while echo y; do sleep 0.1; done"
    script = f"{command} --data-dir {daemon.data_dir} exec -- sh -c '{endless}' | head -1"
    done = subprocess.run(
        ["sh", "-c", script], capture_output=True, text=True, timeout=BOUND_S, check=False
    )
    run_id = newest_run(daemon)
    assert done.stdout == "y\n"
    assert f"run {run_id} goes on" in done.stderr
    assert roost(daemon.data_dir, "run", "stop", run_id).returncode == 0
    assert processes_with(run_id) == []


def test_a_command_that_is_only_for_its_viewer_ends_with_it(daemon: RealDaemon) -> None:
    options = ("--stop-when-unwatched", "--")
    with followed(daemon, *options, "sh", "-c", "echo ready; sleep 1000") as running:
        run_id = newest_run(daemon)
        running.kill()
    run = daemon.settled(run_id)["run"]
    assert (run["status"], run["error"]["code"]) == ("aborted", "stopped")
    assert processes_with(run_id) == []


def test_a_value_of_a_variable_is_in_no_file_of_the_data_directory(
    daemon: RealDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "correct-horse-battery-91"
    monkeypatch.setenv("EXEC_TOKEN", secret)
    command = ("sh", "-c", 'echo "$EXEC_TOKEN"; exit 1')
    done = roost(daemon.data_dir, "exec", "--env", "EXEC_TOKEN", "--", *command)
    assert done.stdout == "[secret]\n"
    assert holders(daemon.data_dir, {"raw": secret.encode()}) == []


def test_after_kill_9_of_the_daemon_no_process_is_left_and_the_run_says_why() -> None:
    with real_daemon() as daemon:
        begun = roost(daemon.data_dir, "exec", "-d", "--scope", "job", "--", "sh", "-c", DEAF_TREE)
        run_id = begun.stdout.strip()
        left = wait_for(lambda: processes_with(run_id), lambda pids: len(pids) >= 4)
        daemon.kill()
        again = RealDaemon(daemon.data_dir)
        run = again.run(run_id)["run"]
        assert (run["status"], run["error"]["code"]) == ("aborted", "daemon_gone")
        assert processes_with(run_id) == []
        assert not any(is_alive(pid) for pid in left)
        assert roost(again.data_dir, "exec", "--scope", "job", "--", "true").returncode == 0


def test_a_quit_ends_commands_and_the_next_start_is_not_blocked() -> None:
    with real_daemon() as daemon:
        begun = roost(daemon.data_dir, "exec", "-d", "--", "sh", "-c", DEAF_TREE)
        run_id = begun.stdout.strip()
        wait_for(lambda: processes_with(run_id), lambda pids: len(pids) >= 4)
        daemon.stop()
        assert processes_with(run_id) == []
        run = RealDaemon(daemon.data_dir).run(run_id)["run"]
        assert (run["status"], run["error"]["code"]) == ("aborted", "daemon_stopped")
