"""The prepare step: making a bundle's private environment, by processes that can be stopped."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

from roost.drivers.base import Driver, DriverProcess, Mark, ProcessExit, SpawnSpec
from roost.models import LogStream, PreparePlan, PrepareStep
from roost.supervision.incarnation import READ_CHUNK_BYTES
from roost.supervision.keyed_lock import KeyedLock
from roost.supervision.logfiles import LogWriter

PREPARE_CAP_S = 900.0
"""A prepare step downloads at most some hundred megabytes; past this it hangs."""

STOP_GRACE_S = 2.0

PREPARES_AT_ONCE = 2
"""Installers use a core each."""


class PrepareFailed(Exception):
    """A prepare command failed; the text says which and how."""


class Preparer:
    """Runs prepare plans, one at a time per directory."""

    def __init__(self, driver: Driver, *, at_once: int = PREPARES_AT_ONCE) -> None:
        self._driver = driver
        self._slots = asyncio.Semaphore(at_once)
        self._directories: KeyedLock[str] = KeyedLock()

    async def run(self, plan: PreparePlan, mark: Mark, log: LogWriter) -> None:
        """Make the environment unless it is there; publish it by one rename.

        Raises:
            PrepareFailed: a command failed; nothing is left behind.
        """
        async with self._directories.hold(plan.prepared_dir):
            if os.path.isdir(plan.prepared_dir):
                return
            async with self._slots:
                await self._build(plan, mark, log)

    async def _build(self, plan: PreparePlan, mark: Mark, log: LogWriter) -> None:
        partial = Path(plan.partial_dir)
        await _remove(partial)
        partial.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            for step in plan.steps:
                log.note(f"prepare: {step.title}")
                await self._step(step, str(partial.parent), mark, log)
            partial.rename(plan.prepared_dir)
        finally:
            await _remove(partial)

    async def _step(self, step: PrepareStep, cwd: str, mark: Mark, log: LogWriter) -> None:
        process = self._driver.spawn(SpawnSpec(argv=step.argv, env=step.env, cwd=cwd, mark=mark))
        try:
            await self._driver.connect(process)
            ended = await _run_to_end(process, log)
        finally:
            await asyncio.shield(process.stop(STOP_GRACE_S, eof_first=False))
        if ended is None:
            raise PrepareFailed(f"could not {step.title}: no end after {PREPARE_CAP_S:.0f} s")
        if not ended.is_clean:
            said = " ".join(log.tail(LogStream.STDERR, 3))[-300:]
            raise PrepareFailed(f"could not {step.title}: {ended}. {said}".rstrip())


async def _run_to_end(process: DriverProcess, log: LogWriter) -> ProcessExit | None:
    pumps = [
        asyncio.create_task(_pump(process.stdout, LogStream.STDOUT, log)),
        asyncio.create_task(_pump(process.stderr, LogStream.STDERR, log)),
    ]
    try:
        async with asyncio.timeout(PREPARE_CAP_S):
            ended = await process.wait()
            await asyncio.wait(pumps, timeout=1.0)
            return ended
    except TimeoutError:
        return None
    finally:
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, stream: LogStream, log: LogWriter) -> None:
    while chunk := await reader.read(READ_CHUNK_BYTES):
        log.write(stream, chunk)


async def _remove(path: Path) -> None:
    """Remove a directory, to the end also when cancelled: the next builder uses the same name."""
    removal = asyncio.create_task(asyncio.to_thread(shutil.rmtree, path, ignore_errors=True))
    try:
        await asyncio.shield(removal)
    finally:
        await asyncio.wait({removal})
