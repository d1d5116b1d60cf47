"""Programs that are run to their end for what they say, and are ended when that takes too long."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from roost.drivers.base import Driver, DriverProcess, ProcessExit, SpawnSpec

STOP_GRACE_S = 2.0

LAST_WORDS_S = 1.0
"""How long output is read on after the end; what the program left running may hold the pipe."""

KEPT_BYTES = 1 << 20
"""Of each stream its newest part: answers and last words stand at the end."""

CHUNK_BYTES = 65536


@dataclass(frozen=True, slots=True)
class ProgramOutput:
    """What a program said until its end."""

    stdout: str
    stderr: str
    ended: ProcessExit


async def run_short_program(
    driver: Driver, spec: SpawnSpec, *, bound_s: float, kept_bytes: int = KEPT_BYTES
) -> ProgramOutput:
    """Run a program to its end; it and whatever it started are gone when this returns.

    Args:
        driver: starts and ends the process.
        spec: what to run.
        bound_s: seconds it may take.
        kept_bytes: how much of the end of each stream is kept.

    Raises:
        TimeoutError: it was still running after `bound_s`.
    """
    process = driver.spawn(spec)
    try:
        await driver.connect(process)
        return await _run_to_end(process, bound_s, kept_bytes)
    finally:
        await asyncio.shield(process.stop(STOP_GRACE_S, eof_first=False))


async def _run_to_end(process: DriverProcess, bound_s: float, kept_bytes: int) -> ProgramOutput:
    out, err = bytearray(), bytearray()
    readers = [
        asyncio.create_task(_keep_newest(process.stdout, out, kept_bytes)),
        asyncio.create_task(_keep_newest(process.stderr, err, kept_bytes)),
    ]
    try:
        async with asyncio.timeout(bound_s):
            ended = await process.wait()
        await asyncio.wait(readers, timeout=LAST_WORDS_S)
    finally:
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
    return ProgramOutput(_text(out), _text(err), ended)


async def _keep_newest(reader: asyncio.StreamReader, kept: bytearray, kept_bytes: int) -> None:
    while chunk := await reader.read(CHUNK_BYTES):
        kept += chunk
        del kept[:-kept_bytes]


def _text(kept: bytearray) -> str:
    return kept.decode(errors="replace")
