"""What only shows at the process boundary: terminals, signals, closed pipes."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.fake_engine import WAIT, FakeEngine, bundle_view, sample_engine
from tests.support.served_engine import ServedEngine, served
from tests.support.socket_dir import socket_dir

from roost.models import ConfigField, FieldType

TIMEOUT_S = 30


@pytest.fixture(scope="module")
def sample() -> Iterator[ServedEngine]:
    with served(sample_engine()) as engine:
        yield engine


def _command(data_dir: str, *argv: str) -> list[str]:
    return [sys.executable, "-m", "roost_tui", "--data-dir", data_dir, *argv]


def _environ(**changes: str) -> dict[str, str]:
    return {**os.environ, "TERM": "xterm-256color", **changes}


def _on_terminal(
    command: list[str], columns: int = 80, *, prompt: str = "", answer: str = "", **environ: str
) -> str:
    """Run a command on a terminal of this width, answer its prompt, return all that it showed."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        command,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env=_environ(**environ),
    )
    os.close(theirs)
    shown = b""
    if prompt:
        while prompt.encode() not in shown:
            shown += os.read(ours, 4096)
        os.write(ours, answer.encode())
    shown += _read_to_end(ours)
    os.close(ours)
    assert process.wait(TIMEOUT_S) == 0, shown
    return shown.decode().replace("\r\n", "\n")


def _read_to_end(terminal: int) -> bytes:
    shown = b""
    try:
        while piece := os.read(terminal, 4096):
            shown += piece
    except OSError:  # what Linux says when the last writer of a terminal is gone
        pass
    return shown


def test_a_terminal_gets_colours_and_lines_of_its_width(sample: ServedEngine) -> None:
    plain = _on_terminal(_command(sample.data_dir, "ps"), 80, NO_COLOR="1")
    assert "\x1b" not in plain
    assert max(len(line) for line in plain.splitlines()) == 80
    coloured = _on_terminal(_command(sample.data_dir, "ps"), 80, NO_COLOR="")
    assert "\x1b[1;31m! dead  exit 1" in coloured
    assert "\x1b" not in _on_terminal(_command(sample.data_dir, "ps"), 80, TERM="dumb")


def test_output_of_apps_cannot_steer_a_terminal_but_is_left_alone_in_a_pipe(
    sample: ServedEngine,
) -> None:
    evil = "\x1b]0;owned\x07\x1b[2Jcleared\tx"
    sample.do(lambda fake: fake.append_log("lab", "scraper", evil))
    command = _command(sample.data_dir, "logs", "scraper", "--bare", "-n", "1")
    assert _on_terminal(command, 80) == "cleared    x\n"
    piped = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=True)
    assert piped.stdout.decode() == evil + "\n"


def test_a_typed_secret_is_not_echoed() -> None:
    fake = FakeEngine(workspaces=("w",))
    fake.add_bundle(bundle_view("app", workspace="w"))
    fake.set_form("w", "app", (ConfigField("key", FieldType.STRING, "Key", sensitive=True),))
    with served(fake) as engine:
        command = _command(engine.data_dir, "credentials", "app", "--set", "key")
        shown = _on_terminal(command, prompt="key: ", answer="hunter2\n")
        [call] = fake.called("write_credentials")
    assert call["write"].set == {"key": "hunter2"}
    assert "hunter2" not in shown


def test_a_reader_that_goes_away_ends_the_output_quietly(sample: ServedEngine) -> None:
    process = subprocess.Popen(
        _command(sample.data_dir, "logs", "filesystem", "-f"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        sample.do(lambda fake: fake.append_log("acme", "filesystem", "one more"))
        assert process.wait(TIMEOUT_S) == 141
        assert process.stderr.read() == b""


def test_ctrl_c_in_a_call_stops_the_run_and_exits_130() -> None:
    fake = FakeEngine(workspaces=("w",))
    fake.add_bundle(bundle_view("app", workspace="w"))
    fake.add_tool("w", "app", WAIT)
    with served(fake) as engine:
        process = subprocess.Popen(
            _command(engine.data_dir, "call", "app", "wait"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        with process:
            assert process.stderr is not None
            assert b"status running" in process.stderr.readline()
            process.send_signal(signal.SIGINT)
            assert process.wait(TIMEOUT_S) == 130
            assert b"was stopped" in process.stderr.read()
        assert fake.called("stop_run") == [{"workspace": "w", "run_id": "r-0001"}]


@pytest.mark.real
def test_the_first_acting_verb_starts_a_real_daemon_and_down_ends_it() -> None:
    with socket_dir() as place:
        data_dir = os.path.join(place, "data")
        assert _run(data_dir, "ps").returncode == 5
        assert not Path(data_dir).exists()
        try:
            created = _run(data_dir, "workspace", "create", "w")
            assert created.returncode == 0, created.stderr
            assert _run(data_dir, "workspace", "list", "--json").stdout.startswith('[{"id":"w"')
            added = _run(data_dir, "add", "--name", "nap", "--", "/bin/sleep", "600")
            assert added.returncode == 0, added.stderr
            assert _run(data_dir, "start", "nap").returncode == 0
            assert "sleep" in _run(data_dir, "show", "nap").stdout
        finally:
            down = _run(data_dir, "down")
        assert down.returncode == 0, down.stderr
        assert _run(data_dir, "ps").returncode == 5


@pytest.mark.real
def test_serve_is_the_daemon_itself_and_ends_cleanly_on_term() -> None:
    with socket_dir() as place:
        process = subprocess.Popen(
            _command(place, "serve"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        with process:
            assert process.stderr is not None
            lines = iter(process.stderr.readline, "")
            assert any(f"serving {place}" in line for line in lines)
            status = _run(place, "status", "--json")
            assert f'"pid":{process.pid}' in status.stdout
            process.send_signal(signal.SIGTERM)
            assert process.wait(TIMEOUT_S) == 0


def _run(data_dir: str, *argv: str) -> subprocess.CompletedProcess[str]:
    command = _command(data_dir, *argv)
    return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
