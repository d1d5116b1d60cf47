"""What `benchmarks.runs` compares: Roost's recorder, plain `sqlite3`, and dbos on SQLite.

A run is a begin, ten steps and an end, each on the disk before the next is begun.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benchmarks.supervision.rivals import INSTALL_BOUND_S, Asker, NotInstalled
from roost.clock import SystemClock
from roost.models import RunKind, RunProgress, RunStatus, WorkspaceView
from roost.runs import RunRecorder, RunRequest
from roost.runs.values import Ending
from roost.store import SqlStore, open_store

STEPS = 10

DBOS = "dbos==3.4.0"
CACHE = Path(__file__).parents[1] / ".cache" / "dbos"
PROGRAM = Path(__file__).with_name("dbos_program.py")


@dataclass(frozen=True, slots=True)
class Batch:
    """Some runs that were done; `begins` in seconds."""

    runs: int
    seconds: float
    begins: tuple[float, ...]


class Subject(Protocol):
    """Does runs on a database file of its own."""

    name: str
    durability: str
    weight: int
    """How many runs it does where the slowest does one, so that all take about as long."""

    def batch(self, count: int, at_once: int) -> Batch: ...

    def close(self) -> Path:
        """End it and return its database."""
        ...


def recorder_of(store: SqlStore, folder: Path) -> RunRecorder:
    """Return a recorder that publishes to nobody and has no secrets to take out."""
    return RunRecorder(
        store.runs,
        owner="bench",
        clock=SystemClock(),
        publish=lambda change: None,
        redact=lambda workspace, bundle: lambda value: value,
        endings_dir=folder / "endings",
    )


async def opened(folder: Path) -> tuple[SqlStore, RunRecorder]:
    """Open a store with one workspace, and a recorder over it."""
    store = await open_store(folder)
    await store.workspaces.add(WorkspaceView("main", "Main", 1))
    return store, recorder_of(store, folder)


async def begin(recorder: RunRecorder, number: int) -> str:
    """Begin a run and return its id."""
    request = RunRequest("main", RunKind.EXTERNAL, "bench", input={"number": number})
    return (await recorder.begin(request)).run.id


class RoostSubject:
    """`RunRecorder` on the real store."""

    name = "roost"
    durability = "WAL, synchronous FULL, what waits together is committed together"
    weight = 4

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loop = asyncio.new_event_loop()
        self._store, self._recorder = self._loop.run_until_complete(opened(folder))

    def batch(self, count: int, at_once: int) -> Batch:
        """Do runs in as many tasks as are to be at work at once."""
        return self._loop.run_until_complete(self._batch(count, at_once))

    async def _batch(self, count: int, at_once: int) -> Batch:
        numbers, begins = iter(range(count)), list[float]()
        began = time.perf_counter()
        await asyncio.gather(*(self._work(numbers, begins) for _ in range(at_once)))
        return Batch(count, time.perf_counter() - began, tuple(begins))

    async def _work(self, numbers: Iterator[int], begins: list[float]) -> None:
        for number in numbers:
            began = time.perf_counter()
            run_id = await begin(self._recorder, number)
            begins.append(time.perf_counter() - began)
            for step in range(STEPS):
                await self._recorder.step(run_id, RunProgress(step, STEPS, f"step {step}"))
            await self._recorder.finalize("main", run_id, Ending(RunStatus.SUCCEEDED))

    def close(self) -> Path:
        """Close the store."""
        self._loop.run_until_complete(self._recorder.close())
        self._loop.run_until_complete(self._store.close())
        self._loop.close()
        return self._folder / "roost.db"


class PlainSubject:
    """The least a program could do by itself: two tables, a COMMIT for each write."""

    name = "plain sqlite3"
    durability = "WAL, synchronous FULL, a commit per write"
    weight = 4

    def __init__(self, folder: Path) -> None:
        self._path = folder / "plain.db"
        self._lock = threading.Lock()
        """Guards the connection."""
        self._connection = sqlite3.connect(
            self._path, isolation_level=None, check_same_thread=False
        )
        for statement in (
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = FULL",
            "CREATE TABLE runs (id INTEGER PRIMARY KEY, status TEXT, steps INTEGER)",
            "CREATE TABLE events (run INTEGER, seq INTEGER, message TEXT, PRIMARY KEY (run, seq))",
        ):
            self._connection.execute(statement)

    def batch(self, count: int, at_once: int) -> Batch:
        """Do runs in as many threads as are to be at work at once."""
        with ThreadPoolExecutor(at_once) as threads:
            began = time.perf_counter()
            begins = tuple(threads.map(self._run, range(count)))
            return Batch(count, time.perf_counter() - began, begins)

    def _run(self, _: int) -> float:
        began = time.perf_counter()
        run = self._write("INSERT INTO runs (status, steps) VALUES ('running', 0)")
        took = time.perf_counter() - began
        for step in range(STEPS):
            self._write(
                f"UPDATE runs SET steps = steps + 1 WHERE id = {run}",
                f"INSERT INTO events VALUES ({run}, {step}, 'step {step}')",
            )
        self._write(f"UPDATE runs SET status = 'succeeded' WHERE id = {run}")
        return took

    def _write(self, *statements: str) -> int:
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            cursors = [self._connection.execute(statement) for statement in statements]
            self._connection.execute("COMMIT")
            return cursors[0].lastrowid or 0

    def close(self) -> Path:
        """Close the connection."""
        self._connection.close()
        return self._path


class DbosSubject:
    """dbos in a process of its own, as it comes or with the journal of its file in WAL."""

    weight = 1

    def __init__(self, folder: Path, mode: str) -> None:
        self.name = "dbos" if mode == "delete" else f"dbos, {mode}"
        self._path = folder / f"dbos-{mode}.db"
        command = [python_with_dbos(), str(PROGRAM), str(self._path), mode]
        self._asker = Asker(command, dict(os.environ))
        self.durability = "unknown"

    def batch(self, count: int, at_once: int) -> Batch:
        """Let it do runs."""
        said = self._asker.ask([count, at_once])
        self.durability = said["durability"]
        return Batch(count, said["seconds"], tuple(said["begins"]))

    def close(self) -> Path:
        """End the process."""
        self._asker.close()
        return self._path


def python_with_dbos() -> str:
    """Return a Python that has dbos, installing it into an ignored folder first.

    Raises:
        NotInstalled: it cannot be installed.
    """
    python = CACHE / "bin" / "python"
    if not (CACHE / "bin" / "dbos").exists():
        for command in (
            [sys.executable, "-m", "venv", str(CACHE)],
            [str(python), "-m", "pip", "install", "--quiet", DBOS],
        ):
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=INSTALL_BOUND_S, check=False
            )
            if done.returncode != 0:
                raise NotInstalled((done.stderr.strip().splitlines() or ["no reason given"])[-1])
    return str(python)


def bytes_in(path: Path) -> int:
    """Return what the rows and indexes of a closed database take."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.stat().st_size
