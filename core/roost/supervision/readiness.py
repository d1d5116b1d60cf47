"""Readiness of a web bundle: 2xx on its path."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from roost.clock import Clock

POLL_S = 0.1
ANSWER_BOUND_S = 5.0
"""A path that takes longer to answer than this does not count as ready."""

_NOT_YET = (
    OSError,
    TimeoutError,
    ValueError,
    IndexError,
    asyncio.IncompleteReadError,
    asyncio.LimitOverrunError,
)


async def wait_for_http(port: int, path: str, clock: Clock) -> None:
    """Return once ``GET path`` on loopback answers 2xx; the caller bounds the wait."""
    while True:
        with suppress(*_NOT_YET):
            async with asyncio.timeout(ANSWER_BOUND_S):
                if 200 <= await _status(port, path) < 300:
                    return
        await clock.sleep(POLL_S)


async def _status(port: int, path: str) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
        writer.write(request.encode("ascii"))
        await writer.drain()
        line = await reader.readuntil(b"\n")
        return int(line.split()[1])
    finally:
        writer.close()
