"""``python -m roost.worker`` as a process: what it says when it cannot work, and how it leaves."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.task_daemon import TaskDaemon, token_pipe

pytestmark = pytest.mark.real

BOUND_S = 30.0

TASKS = """
import asyncio, os, threading
from roost import task

@task("wait")
def wait(ctx, input):
    ctx.emit("begun")
    threading.Event().wait()

@task("to_thread")
async def to_thread(ctx, input):
    ctx.emit("begun")
    await asyncio.to_thread(threading.Event().wait)

@task("pid")
async def pid(ctx, input):
    return os.getpid()
"""


@pytest.fixture
def descriptor(daemon: TaskDaemon) -> int:
    return token_pipe(daemon)


def start(
    directory: Path, descriptor: int | None, *options: str, module: str = "tasks"
) -> subprocess.Popen[str]:
    environ = {key: value for key, value in os.environ.items() if not key.startswith("ROOST")}
    if descriptor is not None:
        environ["ROOST_TOKEN_FD"] = str(descriptor)
    return subprocess.Popen(
        [sys.executable, "-m", "roost.worker", module, "--directory", str(directory), *options],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        pass_fds=() if descriptor is None else (descriptor,),
    )


def said(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, error = process.communicate(timeout=BOUND_S)
    return process.returncode, error


def test_without_a_token_it_tells_how_to_add_it(tmp_path: Path) -> None:
    status, error = said(start(tmp_path, None))
    assert status == 2 and "roost add --worker tasks" in error
    assert "Traceback" not in error and error.count("\n") == 1


@pytest.mark.parametrize(
    ("code", "sentence", "trace"),
    [
        ("import nowhere_to_be_found\n", "No module named 'nowhere_to_be_found'", "tasks.py"),
        ("1 / 0\n", "the module tasks does not load: ZeroDivisionError", "tasks.py"),
        ("raise SystemExit(0)\n", "the module tasks does not load: SystemExit", "tasks.py"),
        ("x = 1\n", "the module tasks declares no task", None),
        (
            "from roost import task\ntask('')\n",
            "the module tasks declares what cannot be: a task needs a name",
            "tasks.py",
        ),
        (None, "there is no module 'tasks' in", None),
    ],
)
def test_a_module_that_does_not_load_ends_it_with_one_sentence(
    tmp_path: Path, descriptor: int, code: str | None, sentence: str, trace: str | None
) -> None:
    if code is not None:
        (tmp_path / "tasks.py").write_text(code)
    status, error = said(start(tmp_path, descriptor))
    assert status == 1 and sentence in error.splitlines()[-1]
    assert ("Traceback" in error) is (trace is not None)
    if trace is not None:
        assert trace in error.split("File ")[1], "it begins where the module's own code does"


def test_a_refused_hello_ends_it_with_the_daemons_sentence(
    tmp_path: Path, daemon: TaskDaemon, descriptor: int
) -> None:
    (tmp_path / "tasks.py").write_text(TASKS)
    error = {"code": "task_taken", "message": "'wait' is offered by b already", "details": {}}
    daemon.refusals["workers"] = (409, {"error": error})
    assert said(start(tmp_path, descriptor)) == (1, "roost: 'wait' is offered by b already\n")


def test_it_does_runs_with_its_token_and_leaves_at_a_signal(
    tmp_path: Path, daemon: TaskDaemon, descriptor: int
) -> None:
    (tmp_path / "tasks.py").write_text(TASKS)
    process = start(tmp_path, descriptor, "--slots", "2")
    run = daemon.submit("pid")
    daemon.until_ended(run)
    assert run["result"] == process.pid and daemon.hello["slots"] == 2
    assert set(daemon.tokens) == {"Bearer t0ken"}
    process.send_signal(signal.SIGINT)
    assert said(process)[0] == 0


@pytest.mark.parametrize("task", ["wait", "to_thread"])
def test_a_thread_that_does_not_end_is_handed_back_and_holds_nothing_up(
    tmp_path: Path, daemon: TaskDaemon, descriptor: int, task: str
) -> None:
    (tmp_path / "tasks.py").write_text(TASKS)
    process = start(tmp_path, descriptor, "--grace", "0.1")
    run = daemon.submit(task)
    daemon.until(lambda: bool(run["events"]))
    process.send_signal(signal.SIGTERM)
    assert said(process)[0] == 0
    assert (run["status"], run["attempt"]) == ("pending", 2)


def test_a_loop_that_stays_blocked_ends_the_process_and_says_where(
    tmp_path: Path, daemon: TaskDaemon, descriptor: int
) -> None:
    (tmp_path / "tasks.py").write_text(
        "import threading\n"
        "from roost import task\n"
        "import roost.worker.loop_watch as watch\n"
        "watch.LoopWatch.__init__.__kwdefaults__.update(ticks=20, tick_s=0.1)\n"
        "@task('stuck')\n"
        "async def stuck(ctx, input):\n"
        "    threading.Event().wait()\n"
    )
    process = start(tmp_path, descriptor)
    daemon.submit("stuck")
    status, error = said(process)
    assert status == 1 and "event loop has been blocked" in error and "in stuck" in error
