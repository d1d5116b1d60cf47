"""What `benchmarks.tasks` compares: Roost's durable tasks, and those of dbos and huey on SQLite.

Each has one worker process with 16 slots and clients in another process. Times are those of the
machine's monotonic clock, which all of its processes share.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from benchmarks.daemon import running_daemon
from benchmarks.run_subjects import python_with_dbos
from benchmarks.supervision.rivals import INSTALL_BOUND_S, Asker, NotInstalled
from roost.client.http_engine import HttpEngine
from roost.client.wire import Wire
from roost.models import BundleKind, InstallRequest, SourceKind, SubmitRequest, codec
from roost.settings.locations import socket_path

SLOTS = 16

HUEY = "huey==3.5.4"
HUEY_CACHE = Path(__file__).parents[1] / ".cache" / "huey"

BOUND_S = 60.0
"""For everything that is waited for, on a busy machine."""

LOST_S = 5.0
"""Who has not begun a second attempt by then has lost the task: a new worker begins what is stored
within a second."""

POLL_S = 0.002


@dataclass(frozen=True, slots=True)
class Batch:
    """Tasks that were done; `firsts` in seconds from each submit to its handler's first line."""

    tasks: int
    seconds: float
    firsts: tuple[float, ...]


class Subject(Protocol):
    """Does tasks in a worker process of its own."""

    name: str
    durability: str

    def batch(self, task: str, count: int, at_once: int) -> Batch:
        """Submit tasks, each as soon as one of those at once has ended, and wait for the ends."""
        ...

    def recovery_s(self, note: Path) -> float | None:
        """Kill the worker inside a task; return how long until its next attempt has begun.

        Args:
            note: where the attempts leave the times of their first lines.

        Returns:
            None when no second attempt begins.
        """
        ...

    def close(self) -> None:
        """End it."""
        ...


class RoostTasks:
    """A daemon with a worker bundle, and clients of its socket."""

    name = "roost"
    durability = "journal wal, synchronous FULL, what waits together is committed together"

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._data_dir, self._wire = self._stack.enter_context(running_daemon())
        self._install()

    def batch(self, task: str, count: int, at_once: int) -> Batch:
        """Do tasks with as many clients as are to be at work at once."""
        return asyncio.run(self._batch(task, count, at_once))

    def recovery_s(self, note: Path) -> float | None:
        """Kill the worker and leave the rest to the daemon."""
        asyncio.run(self._submit_hanging(note))
        _lines(note, 1, BOUND_S)
        killed_at = time.monotonic()
        os.kill(self._bundle()["generation"]["pid"], signal.SIGKILL)
        times = _lines(note, 2, BOUND_S)
        # An operator's start: else the daemon would wait after a second death within a minute.
        self._wire.send("POST", f"{self._path}/respawn", b"{}")
        return times[1] - killed_at

    def close(self) -> None:
        """End the daemon."""
        self._stack.close()

    @property
    def _path(self) -> str:
        return "/v1/workspaces/bench/bundles/worker"

    def _bundle(self) -> Any:
        return self._wire.get(self._path)["view"]

    def _install(self) -> None:
        here, module = Path(__file__).parent, "roost_tasks"
        command = (sys.executable, "-m", "roost.worker", module, "--directory", str(here))
        request = InstallRequest(
            SourceKind.COMMAND,
            name="worker",
            kind=BundleKind.WORKER,
            command=(*command, "--slots", str(SLOTS)),
        )
        wire: Wire = self._wire
        wire.send("POST", "/v1/workspaces/bench/bundles", codec.to_json(request))
        _wait(lambda: self._bundle()["state"] == "running", BOUND_S)

    async def _batch(self, task: str, count: int, at_once: int) -> Batch:
        numbers, firsts = iter(range(count)), list[float]()
        async with HttpEngine(socket_path(self._data_dir)) as engine:
            began = time.perf_counter()
            clients = (self._work(engine, task, numbers, firsts) for _ in range(at_once))
            await asyncio.gather(*clients)
            return Batch(count, time.perf_counter() - began, tuple(firsts))

    async def _work(
        self, engine: HttpEngine, task: str, numbers: Iterator[int], firsts: list[float]
    ) -> None:
        for number in numbers:
            at = time.monotonic()
            request = SubmitRequest(number, anew=True)
            run = (await engine.submit_task("bench", task, request)).run
            async for _ in engine.run_events("bench", run.id):
                pass
            if task == "first":
                firsts.append((await engine.run("bench", run.id)).result - at)

    async def _submit_hanging(self, note: Path) -> None:
        async with HttpEngine(socket_path(self._data_dir)) as engine:
            await engine.submit_task("bench", "hang", SubmitRequest(str(note), anew=True))


class Rival:
    """Another library: a client that is asked one JSON line at a time, and a worker.

    The client is asked ``[TASK, COUNT, AT_ONCE]`` and answers ``{"seconds": ..., "firsts": [...],
    "durability": ...}``; ``["hang", PATH, 1]`` submits the task that hangs and is answered ``{}``.

    Args:
        name: of the library.
        python: which has it.
        folder: for the database.
    """

    def __init__(self, name: str, python: str, folder: Path) -> None:
        self.name = name
        self.durability = "unknown"
        program = Path(__file__).with_name(f"{name}_tasks.py")
        self._command = (python, str(program), str(folder / f"{name}.db"))
        self._worker = self._start_worker()
        self._client = Asker([*self._command, "client"], dict(os.environ))

    def batch(self, task: str, count: int, at_once: int) -> Batch:
        """Let the client do tasks."""
        said = self._client.ask([task, count, at_once])
        self.durability = said["durability"]
        return Batch(count, said["seconds"], tuple(said["firsts"]))

    def recovery_s(self, note: Path) -> float | None:
        """Kill the worker and start the next one at once, as a supervisor would."""
        self._client.ask(["hang", str(note), 1])
        _lines(note, 1, BOUND_S)
        killed_at = time.monotonic()
        self._worker.kill()
        self._worker.wait()
        self._worker = self._start_worker()
        times = _lines(note, 2, LOST_S)
        return times[1] - killed_at if len(times) > 1 else None

    def close(self) -> None:
        """End both processes."""
        self._client.close()
        self._worker.kill()
        self._worker.communicate()

    def _start_worker(self) -> subprocess.Popen[str]:
        worker = subprocess.Popen([*self._command, "worker"], stdout=subprocess.PIPE, text=True)
        assert worker.stdout is not None
        if worker.stdout.readline() != "ready\n":
            raise SystemExit(f"the worker of {self.name} has ended")
        return worker


def rivals(folder: Path) -> Iterator[Rival | str]:
    """Start the others; yields why, where one cannot be had."""
    for name, find in (("dbos", python_with_dbos), ("huey", _python_with_huey)):
        try:
            yield Rival(name, find(), folder)
        except NotInstalled as error:
            yield f"{name} is left out: {error}"


def _python_with_huey() -> str:
    """Return a Python that has huey, installing it into an ignored folder first.

    Raises:
        NotInstalled: it cannot be installed.
    """
    python = HUEY_CACHE / "bin" / "python"
    if not (HUEY_CACHE / "bin" / "huey_consumer").exists():
        for command in (
            [sys.executable, "-m", "venv", str(HUEY_CACHE)],
            [str(python), "-m", "pip", "install", "--quiet", HUEY],
        ):
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=INSTALL_BOUND_S, check=False
            )
            if done.returncode != 0:
                raise NotInstalled((done.stderr.strip().splitlines() or ["no reason given"])[-1])
    return str(python)


def _lines(note: Path, count: int, bound_s: float) -> list[float]:
    """Wait for so many times in a file and return those that are there at the bound."""

    def found() -> list[float]:
        return [float(line) for line in note.read_text().splitlines()] if note.exists() else []

    _wait(lambda: len(found()) >= count, bound_s)
    return found()


def _wait(holds: Any, bound_s: float) -> None:
    deadline = time.monotonic() + bound_s
    while not holds() and time.monotonic() < deadline:
        time.sleep(POLL_S)
