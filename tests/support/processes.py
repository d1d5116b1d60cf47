"""Starting and looking for real processes in the tests of the local driver."""

from __future__ import annotations

import asyncio
import os
import sys
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from roost.drivers import LocalDriver, Watchdog
from roost.drivers.base import Mark, SpawnSpec
from roost.drivers.process import LocalProcess
from roost.drivers.proctable import ProcessTable

PROGRAMS = Path(__file__).parent / "programs"

SLEEP = ("/bin/sleep", "1000")

BOUND_S = 30.0
"""For whatever is waited for, on a machine that is busy with other tests."""


def program(name: str, *arguments: str) -> tuple[str, ...]:
    """Return the command of a helper program; without site packages, for speed."""
    return (sys.executable, "-S", str(PROGRAMS / f"{name}.py"), *arguments)


def new_data_id() -> str:
    return f"test-{uuid.uuid4().hex}"


def spec(
    argv: tuple[str, ...],
    *,
    data_id: str,
    generation: str = "gen-1",
    wants_stdin: bool = False,
    cwd: str = "/",
) -> SpawnSpec:
    mark = Mark(data_id, generation, "lab", "app")
    return SpawnSpec(argv, {"PATH": "/usr/bin:/bin"}, cwd, mark, wants_stdin)


class Bench:
    """An open driver with a data id of its own."""

    def __init__(self, driver: LocalDriver, watchdog: Watchdog, data_id: str) -> None:
        self.driver = driver
        self.watchdog = watchdog
        self.data_id = data_id
        self._count = 0

    async def start(
        self, argv: tuple[str, ...], *, wants_stdin: bool = False, until: bytes | None = None
    ) -> LocalProcess:
        """Spawn a child, connect it and read its output up to `until`."""
        self._count += 1
        generation = f"bench-{self._count}"
        process = self.driver.spawn(
            spec(argv, data_id=self.data_id, generation=generation, wants_stdin=wants_stdin)
        )
        await self.driver.connect(process)
        if until is not None:
            async with asyncio.timeout(BOUND_S):
                await process.stdout.readuntil(until)
        return process

    def left(self) -> tuple[int, ...]:
        return marked_pids(self.data_id)


@asynccontextmanager
async def open_bench(data_id: str | None = None) -> AsyncIterator[Bench]:
    data_id = data_id or new_data_id()
    watchdog = Watchdog(data_id)
    driver = LocalDriver(data_id, watchdog=watchdog)
    await driver.open()
    try:
        yield Bench(driver, watchdog, data_id)
    finally:
        await driver.close()


def marked_pids(data_id: str) -> tuple[int, ...]:
    """Return the living processes that carry a mark of this data directory."""
    snapshot = ProcessTable().read()
    return tuple(
        pid
        for pid, mark in snapshot.marks.items()
        if mark.startswith(f"{data_id}/") and snapshot.entries[pid].is_alive
    )


def is_alive(pid: int) -> bool:
    entry = ProcessTable().read().entries.get(pid)
    return entry is not None and entry.is_alive


async def until(condition: Callable[[], bool], *, within_s: float = BOUND_S) -> None:
    """Wait until a fact about the process table holds; nothing can announce it."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def open_descriptors() -> int:
    """Count this process's descriptors."""
    return len(os.listdir("/proc/self/fd"))
