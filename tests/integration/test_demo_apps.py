"""The demo's apps run the same by hand, by Roost, and restored from a snapshot."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import IO

import pytest
from tests.support.ports import held_port, is_open
from tests.support.real_daemon import BOUND_S, RealDaemon, is_alive, real_daemon, wait_for

from roost.demo.provision import APPS
from roost.models import InstallRequest, SourceKind

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("demo-apps")]

RESTORE = Path(__file__).parents[1] / "support" / "programs" / "restore_app.py"

BY_HAND = {
    "launcher": lambda app: [sys.executable, "-m", "roost.app", "--directory", str(app)],
    "script": lambda app: [sys.executable, str(app / "app.py")],
}

by_hand = pytest.mark.parametrize("command", BY_HAND.values(), ids=BY_HAND)
Command = Callable[[Path], list[str]]


class Lines:
    """What a process writes, collected while it runs."""

    def __init__(self, stream: IO[str]) -> None:
        self.all: list[str] = []
        self._reader = threading.Thread(target=self._read, args=(stream,))
        self._reader.start()

    def _read(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                self.all.append(line.rstrip("\n"))

    def until(self, pattern: str) -> re.Match[str]:
        """Wait for a line that matches."""
        found = re.compile(pattern)
        matches: list[re.Match[str]] = wait_for(
            lambda: [match for line in self.all if (match := found.search(line))], bool
        )
        return matches[0]

    def finished(self) -> list[str]:
        """Return everything once the process has closed its output."""
        self._reader.join(BOUND_S)
        assert not self._reader.is_alive()
        return self.all


class Started:
    """A process that was started by hand, and what it writes."""

    def __init__(self, argv: list[str], env: Mapping[str, str], cwd: Path) -> None:
        self.process = subprocess.Popen(
            argv,
            env={"PATH": os.environ["PATH"], **env},
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout is not None and self.process.stderr is not None
        self.out, self.err = Lines(self.process.stdout), Lines(self.process.stderr)

    def stop(self) -> int:
        """Ask it to end and return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(BOUND_S)


@contextmanager
def started(argv: list[str], env: Mapping[str, str], cwd: Path) -> Iterator[Started]:
    run = Started(argv, env, cwd)
    try:
        yield run
    finally:
        with suppress(ProcessLookupError):  # all of it has ended
            os.killpg(run.process.pid, signal.SIGKILL)
        run.process.wait(BOUND_S)
        assert run.process.stdin is not None
        run.process.stdin.close()
        run.out.finished()
        run.err.finished()


@pytest.fixture(scope="module")
def daemon() -> Iterator[RealDaemon]:
    with real_daemon() as running:
        yield running


def add(daemon: RealDaemon, app: str, env: dict[str, str], ready_path: str | None = None) -> None:
    daemon.install(
        InstallRequest(
            source=SourceKind.APP, name=app, path=str(APPS / app), env=env, ready_path=ready_path
        )
    )


def output(daemon: RealDaemon, name: str) -> list[str]:
    """Return what the newest generation wrote on stdout."""
    page = daemon.wire.get(f"{daemon.path(name)}/log", limit=1000)
    return [line["text"] for line in page["lines"] if line["stream"] == "out"]


def get(port: int, path: str = "/") -> list[str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=BOUND_S)
    with closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        assert answer.status == 200
        return answer.read().decode().splitlines()


def masked(page: list[str]) -> list[str]:
    """Leave out of a page what differs from one process to the next."""
    return [re.sub(r"^(pid|generation|up_s) .*", r"\1", line) for line in page]


def pid_in(page: list[str]) -> int:
    return int(next(line.split()[1] for line in page if line.startswith("pid")))


GREETED = ["greeter: says Hi", "greeter: closed after 2 visits"]


@by_hand
def test_the_web_app_by_hand_serves_closes_cleanly_and_frees_its_port(
    command: Command, tmp_path: Path
) -> None:
    env = {"PORT": "0", "GREETING": "Hi", "ROOST_WORKSPACE": "w"}
    with started(command(APPS / "greeter"), env, tmp_path) as run:
        port = int(run.err.until(r"listens on http://127\.0\.0\.1:(\d+)")[1])
        assert get(port, "/healthz") == ["ok"]
        assert pid_in(get(port)) == run.process.pid
        assert masked(get(port)) == PAGE
        assert run.stop() == 0
        assert not is_open(port)
        assert run.out.finished() == GREETED


PAGE = ["Hi", "workspace   w", "generation", "pid", "up_s", "visits      2"]


def test_the_web_app_by_roost_says_the_same_and_is_the_supervised_process(
    daemon: RealDaemon,
) -> None:
    add(daemon, "greeter", {"GREETING": "Hi"}, "/healthz")
    view = daemon.until("greeter", "running")
    port = int(view["address"].rpartition(":")[2])
    assert pid_in(get(port)) == view["generation"]["pid"]
    assert masked(get(port)) == PAGE
    assert daemon.post(f"{daemon.path('greeter')}/stop")["ok"]
    assert not is_open(port) and not is_alive(view["generation"]["pid"])
    assert output(daemon, "greeter") == GREETED
    assert daemon.view("greeter")["generation"]["exit"] == "exit 0"


def test_a_new_credential_of_the_web_app_is_on_the_page_of_its_next_process(
    daemon: RealDaemon,
) -> None:
    daemon.install(
        InstallRequest(
            source=SourceKind.APP,
            name="changing",
            path=str(APPS / "greeter"),
            env={"GREETING": "Old"},
        )
    )
    daemon.until("changing", "running")
    assert daemon.set("changing", GREETING="New")["respawn"]["ok"]
    view = daemon.until("changing", "running")
    page = get(int(view["address"].rpartition(":")[2]))
    assert page[0] == "New" and pid_in(page) == view["generation"]["pid"]


@by_hand
def test_the_worker_by_hand_counts_stops_cleanly_and_goes_on(
    command: Command, tmp_path: Path
) -> None:
    reached = 0
    for _ in range(2):
        with started(command(APPS / "ticker"), {"TICKER_SECONDS": "0.05"}, tmp_path) as run:
            run.out.until(f"^tick {reached + 3}$")
            assert run.stop() == 0
            reached = check_counted(run.out.finished(), reached)
        assert (tmp_path / "count.txt").read_text() == f"{reached}\n"
    journal = (tmp_path / "journal.txt").read_text().split()
    assert journal == [str(number) for number in range(1, reached + 1)]


def test_the_worker_by_roost_does_the_same(daemon: RealDaemon) -> None:
    add(daemon, "ticker", {"TICKER_SECONDS": "0.05"})
    reached = 0
    for _ in range(2):
        daemon.until("ticker", "running")
        wait_for(
            lambda: output(daemon, "ticker"),
            lambda lines: f"tick {reached + 3}" in lines,  # noqa: B023
        )
        assert daemon.post(f"{daemon.path('ticker')}/stop")["ok"]
        reached = check_counted(output(daemon, "ticker"), reached)
        assert daemon.view("ticker")["generation"]["exit"] == "exit 0"
        assert daemon.post(f"{daemon.path('ticker')}/start")["ok"]


def check_counted(lines: list[str], begun_at: int) -> int:
    """Check one run of the ticker line by line, and return how far it came."""
    first, *ticks, last = lines
    reached = begun_at + len(ticks)
    assert first == f"ticker: goes on at {begun_at}"
    assert ticks == [f"tick {number}" for number in range(begun_at + 1, reached + 1)]
    assert last == f"ticker: closed at {reached}"
    return reached


@pytest.mark.parametrize("app", ["greeter", "ticker"])
def test_a_loaded_app_holds_nothing_that_a_copy_must_not_share(app: str, tmp_path: Path) -> None:
    env = {"PORT": "1", "GREETING": "of the builder", "TICKER_SECONDS": "none"}
    with started([sys.executable, str(RESTORE), str(APPS / app)], env, tmp_path) as run:
        facts = json.loads(run.out.until(r"^\{.*\}$")[0])
    assert facts == {
        "opened": [],
        "threads": 1,
        "children": [],
        "handlers_changed": False,
        "files": [],
        "variables_held": {},
    }


def test_each_restored_web_app_has_the_port_and_the_greeting_of_its_own_start(
    tmp_path: Path,
) -> None:
    env = {"PORT": "1", "GREETING": "of the builder"}
    argv = [sys.executable, str(RESTORE), str(APPS / "greeter")]
    with ExitStack() as stack, started(argv, env, tmp_path) as run:
        assert run.process.stdin is not None
        for words in ("First", "Second"):
            port = stack.enter_context(held_port())
            given = {"PATH": os.environ["PATH"], "PORT": str(port), "GREETING": words}
            print(json.dumps(given), file=run.process.stdin, flush=True)
            run.err.until(f"listens on http://127.0.0.1:{port}$")
            page = get(port)
            assert page[0] == words
            os.kill(pid_in(page), signal.SIGTERM)
            wait_for(lambda: run.out.all.count("ended 0"), lambda n: n == 1 + (words == "Second"))  # noqa: B023
            assert not is_open(port)
        run.process.stdin.close()
        assert run.process.wait(BOUND_S) == 0
        said = [line for line in run.out.finished() if line.startswith("greeter")]
    assert said == [
        "greeter: says First",
        "greeter: closed after 1 visits",
        "greeter: says Second",
        "greeter: closed after 2 visits",
    ]


def test_a_restored_worker_goes_on_at_the_pace_of_its_own_start(tmp_path: Path) -> None:
    argv = [sys.executable, str(RESTORE), str(APPS / "ticker")]
    with started(argv, {"TICKER_SECONDS": "none"}, tmp_path) as run:
        assert run.process.stdin is not None
        given = {"PATH": os.environ["PATH"], "TICKER_SECONDS": "0.05"}
        print(json.dumps(given), file=run.process.stdin, flush=True)
        pid = int(run.out.until(r"^(\d+)$")[1])
        run.out.until("^tick 3$")
        os.kill(pid, signal.SIGTERM)
        run.out.until("^ended 0$")
    lines = [line for line in run.out.finished() if line.startswith("tick")]
    check_counted(lines, 0)
