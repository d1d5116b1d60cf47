"""Programs outside that report to a real daemon: stops, kills, restarts, and one under Roost."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.support.owned_daemon import owned_daemon
from tests.support.real_daemon import (
    BOUND_S,
    RealDaemon,
    command_lines,
    holders,
    real_daemon,
    roost,
    spellings,
    wait_for,
)

from roost import AlreadyFinished, begin_run, begin_run_async
from roost.demo.provision import APPS
from roost.errors import AlreadyActive
from roost.models import BundleKind, InstallRequest, SourceKind

pytestmark = [pytest.mark.real, pytest.mark.timeout(300), pytest.mark.xdist_group("outside-work")]

WORKER = Path(__file__).parents[1] / "support" / "programs" / "outside_worker.py"
RUNS = "http://roost/v1/workspaces/w/runs"
LEASE_S = 5.0
SWEPT_WITHIN_S = 60.0
"""Lease, window, and two rounds of the sweep."""


@pytest.fixture(scope="module")
def daemon() -> Iterator[RealDaemon]:
    with real_daemon() as running:
        yield running


class Worker:
    """The program that works until it is asked to stop."""

    def __init__(self, data_dir: Path, title: str, lease_s: float) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(WORKER), "w", title, str(lease_s)],
            env={"PATH": os.environ["PATH"], "ROOST_DATA_DIR": str(data_dir)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.out = self.process.stdout
        self.run_id = self.out.readline().strip()
        assert self.run_id

    def end(self) -> tuple[str, int]:
        """Wait for its end and return how it left its block, and after how many steps."""
        said, _ = self.process.communicate(timeout=BOUND_S)
        how, steps = said.split()
        return how, int(steps)


@contextmanager
def worker(data_dir: Path, title: str, lease_s: float = 60.0) -> Iterator[Worker]:
    started = Worker(data_dir, title, lease_s)
    try:
        yield started
    finally:
        started.process.kill()
        started.process.wait()
        started.out.close()


def steps_of(detail: dict[str, Any]) -> list[str]:
    return [event["message"] for event in detail["events"] if event["kind"] == "step"]


def until_steps(daemon: RealDaemon, run_id: str, count: int) -> dict[str, Any]:
    found: dict[str, Any] = wait_for(
        lambda: daemon.run(run_id), lambda detail: detail["run"]["step_count"] >= count
    )
    return found


def test_a_block_of_work_stands_in_the_ledger_as_it_was_told(daemon: RealDaemon) -> None:
    data_dir = str(daemon.data_dir)
    with begin_run("nightly", workspace="w", data_dir=data_dir, input={"day": 3}) as run:
        for number in range(1, 4):
            run.step(f"stage {number}", number, 3)
            run.emit(f"line {number}")
        run.link("file:///tmp/report.pdf")
        run.result = {"rows": 12}
        assert run.id is not None
    detail = daemon.run(run.id)
    row = detail["run"]
    assert (row["status"], row["kind"], row["title"]) == ("succeeded", "external", "nightly")
    assert row["link"] == "file:///tmp/report.pdf" and row["step_count"] == 3
    assert (detail["input"], detail["result"]) == ({"day": 3}, {"rows": 12})
    told = [e["message"] for e in detail["events"] if e["kind"] in ("step", "output")]
    assert told == ["stage 1", "line 1", "stage 2", "line 2", "stage 3", "line 3"]
    assert [e["seq"] for e in detail["events"]] == list(range(1, len(detail["events"]) + 1))


async def test_async_work_with_a_child_stands_there_too(daemon: RealDaemon) -> None:
    data_dir = str(daemon.data_dir)
    begun = begin_run_async("all", workspace="w", data_dir=data_dir)
    async with begun as run, run.child("part") as part:
        await part.step("half", 1, 2)
    assert run.id is not None and part.id is not None
    assert daemon.run(part.id)["run"]["parent"] == run.id
    assert {daemon.run(each)["run"]["status"] for each in (run.id, part.id)} == {"succeeded"}


def test_a_taken_scope_and_a_used_key_do_no_work(daemon: RealDaemon) -> None:
    begin = partial(begin_run, scope="one", workspace="w", data_dir=str(daemon.data_dir))
    with begin("first", key="k-1") as run, pytest.raises(AlreadyActive, match=str(run.id)):
        begin("second").__enter__()
    with pytest.raises(AlreadyFinished):
        begin("first", key="k-1").__enter__()


def test_a_stop_from_the_command_line_is_seen_by_the_program_which_ends(
    daemon: RealDaemon,
) -> None:
    with worker(daemon.data_dir, "stoppable") as program:
        until_steps(daemon, program.run_id, 3)
        done = roost(daemon.data_dir, "run", "stop", program.run_id)
        assert done.returncode == 0, done.stderr
        assert program.end()[0] == "StopRequested"
    row = daemon.settled(program.run_id)["run"]
    assert (row["status"], row["error"]["code"]) == ("aborted", "stopped")
    assert row["stop_requested_at"] is not None


def test_a_daemon_that_restarts_under_the_work_misses_nothing_of_it() -> None:
    with owned_daemon() as owned, worker(owned.data_dir, "long") as program:
        for number in (signal.SIGTERM, signal.SIGKILL):
            begun = until_steps(owned.operator, program.run_id, 3)["run"]["step_count"]
            owned.process.send_signal(number)
            owned.exit_status()
            owned.start_again()
            until_steps(owned.operator, program.run_id, begun + 10)
        stopped = owned.operator.post(f"/v1/workspaces/w/runs/{program.run_id}/stop")
        assert stopped["stopped"]
        _, count = program.end()
        detail = owned.operator.settled(program.run_id)
        assert detail["run"]["status"] == "aborted"
        assert detail["run"]["step_count"] == count
        assert steps_of(detail) == [f"step {number}" for number in range(1, count + 1)]


def test_the_run_of_a_killed_program_ends_once_its_lease_and_the_window_are_over() -> None:
    with owned_daemon(ROOST_RUN_WINDOW_S="1") as owned:
        with worker(owned.data_dir, "killed", LEASE_S) as program:
            until_steps(owned.operator, program.run_id, 3)
            program.process.kill()
            program.process.wait()
        row = wait_for(
            lambda: owned.operator.run(program.run_id)["run"],
            lambda row: row["status"] != "running",
            SWEPT_WITHIN_S,
        )
        assert row["status"] == "aborted" and row["error"]["sentence"]
        assert row["finished_at"] >= row["lease_until"]


def test_a_program_that_comes_back_too_late_hears_that_its_lease_is_lost() -> None:
    with owned_daemon() as owned, worker(owned.data_dir, "late") as program:
        begun = owned.operator.run(program.run_id)
        key = begun["run"]["idempotency_key"]
        body = {"title": "late", "idempotency_key": key}
        taken = owned.operator.post("/v1/workspaces/w/runs", body)
        assert (taken["is_new"], taken["epoch"]) == (False, 2)
        assert program.end()[0] == "LeaseLost"
        assert owned.operator.run(program.run_id)["run"]["status"] == "running"


def test_the_example_by_hand_needs_no_roost_and_reports_where_there_is_one(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    question = "Which is the highest mountain of Japan?"
    for data_dir in (tmp_path, daemon.data_dir):
        done = subprocess.run(
            [sys.executable, str(APPS / "agent" / "agent.py"), question],
            env={"PATH": os.environ["PATH"], "ROOST_DATA_DIR": str(data_dir)}
            | {"ROOST_WORKSPACE": "w"},
            capture_output=True,
            text=True,
            timeout=BOUND_S,
            check=True,
        )
        assert done.stdout == "Mount Fuji, 3776 m; 12388 ft\n"
        assert ("goes on unreported" in done.stderr) == (data_dir is tmp_path)
    (row,) = daemon.wire.get("/v1/runs", workspace="w", kind="external", limit=1)
    detail = daemon.run(row["id"])
    assert (row["title"], row["status"]) == (question, "succeeded")
    assert detail["result"] == done.stdout.strip()
    assert steps_of(detail) == [
        "search: highest mountain of Japan",
        "feet: Mount Fuji, 3776 m",
        "answer: Mount Fuji, 3776 m; 12388 ft",
    ]


def install_agent(daemon: RealDaemon) -> None:
    command = (sys.executable, str(APPS / "agent" / "agent.py"), "--keep-going")
    request = InstallRequest(
        source=SourceKind.COMMAND,
        name="agent",
        kind=BundleKind.COMMAND,
        command=command,
        env={"AGENT_PACE_S": "60"},
    )
    daemon.install(request)


def own_token(pid: int) -> str:
    """Read what a process was handed, as only its own user can."""
    environ = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    number = next(line for line in environ if line.startswith("ROOST_TOKEN_FD=")).split("=")[1]
    return str(json.loads(Path(f"/proc/{pid}/fd/{number}").read_bytes())["token"])


def agents_run(daemon: RealDaemon) -> str:
    """Wait for a run of the agent that goes on and has told a step."""
    active = {"workspace": "w", "bundle": "agent", "status": "running", "limit": 1}
    (row,) = wait_for(
        lambda: daemon.wire.get("/v1/runs", **active),
        lambda rows: rows and rows[0]["step_count"],
    )
    return str(row["id"])


def test_the_run_of_a_supervised_program_that_dies_ends_with_it() -> None:
    with real_daemon("w") as daemon:
        install_agent(daemon)
        run_id = agents_run(daemon)
        os.kill(daemon.pid_of("agent"), signal.SIGKILL)
        row = daemon.settled(run_id)["run"]
        assert (row["status"], row["error"]["code"]) == ("failed", "lost")
        run_id = agents_run(daemon)
        daemon.stop()
        again = RealDaemon(daemon.data_dir)
        row = again.run(run_id)["run"]
        assert row["status"] in ("aborted", "failed"), row


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_supervised_program_reports_in_its_bundles_name_and_its_token_is_nowhere() -> None:
    with real_daemon("w") as daemon:
        install_agent(daemon)
        token = own_token(daemon.pid_of("agent"))
        row = daemon.run(agents_run(daemon))["run"]
        assert (row["created_by"], row["kind"], row["bundle"]) == ("agent", "external", "agent")
        daemon.post(f"{daemon.path('agent')}/respawn", {})
        second = own_token(daemon.pid_of("agent"))
        assert second != token
        ended = daemon.settled(row["id"])["run"]
        assert (ended["status"], ended["error"]["sentence"]) == (
            "aborted",
            "its program was interrupted",
        )
        needles = spellings(token) | {f"second {k}": v for k, v in spellings(second).items()}
        assert holders(daemon.data_dir, needles) == []
        argvs = b"\n".join(argv for _, argv in command_lines())
        assert not any(needle in argvs for needle in needles.values())


def test_the_lines_of_the_documentation_for_plain_http_work(daemon: RealDaemon) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed")
    socket = str(daemon.data_dir / "roost.sock")

    def ask(path: str, body: object) -> Any:
        sent = ("-H", "Content-Type: application/json", "-d", json.dumps(body))
        done = subprocess.run(
            [curl, "-s", "--unix-socket", socket, *sent, f"{RUNS}{path}"],
            capture_output=True,
            timeout=BOUND_S,
            check=True,
        )
        return json.loads(done.stdout)

    lease = ask("", {"title": "backup", "lease_s": 60})
    path, epoch = f"/{lease['run']['id']}", lease["epoch"]
    step = {"current": 1, "total": 2, "message": "dump"}
    report = ask(f"{path}/report", {"epoch": epoch, "steps": [step], "output": "12 tables"})
    assert report["stop_requested"] is False
    end = ask(f"{path}/finish", {"epoch": epoch, "status": "succeeded", "result": {"mb": 3}})
    assert end["status"] == "succeeded"
