"""`Crowd`: many viewers of event streams in one event loop, cheap enough not to be the load."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

BOUND_S = 60.0
"""For everything a crowd waits for, on a busy machine."""

KEPT_BYTES = 1000
"""Of the beginning and of the end of each stream; a closing notice is far shorter."""

_NOTICE_AT_THE_END = re.compile(
    rb'\nevent: closing\n(?:id: [^\n]+\n)?data: \{"reason":"[^"\n]+"\}\n\n\r\n0\r\n\r\n\Z'
)


class Viewer:
    """One connection that reads a stream to its end and keeps its two ends."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.size = 0
        self.has_begun = asyncio.Event()
        self._head = b""
        self._tail = b""

    async def watch(self, path: str) -> None:
        """Connect, ask and read until the server ends the connection or the stream."""
        reader, writer = await asyncio.open_unix_connection(path)
        try:
            writer.write(f"GET {self.target} HTTP/1.1\r\nHost: roost\r\n\r\n".encode())
            while not self.has_ended and (piece := await reader.read(2**16)):
                self._take(piece)
        finally:
            writer.close()

    @property
    def has_ended(self) -> bool:
        """Whether the stream was completed, not cut."""
        return self._tail.endswith(b"\r\n0\r\n\r\n")

    @property
    def is_served(self) -> bool:
        """Whether the answer was a stream of events."""
        head = self._head.lower()
        return head.startswith(b"http/1.1 200 ") and b"content-type: text/event-stream" in head

    @property
    def has_notice(self) -> bool:
        """Whether the last event was the closing notice, with nothing behind it."""
        return _NOTICE_AT_THE_END.search(b"\n" + self._tail) is not None

    @property
    def tail(self) -> bytes:
        """The last bytes that came."""
        return self._tail

    def _take(self, piece: bytes) -> None:
        self.size += len(piece)
        self._tail = (self._tail + piece)[-KEPT_BYTES:]
        if len(self._head) < KEPT_BYTES:
            self._head = (self._head + piece)[:KEPT_BYTES]
        if b"event: " in self._head:
            self.has_begun.set()


class Crowd:
    """The viewers of one socket; leave the ``async with`` block to send them home."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._tasks: list[asyncio.Task[None]] = []
        self.viewers: list[Viewer] = []

    async def attach(self, targets: Sequence[str]) -> None:
        """Attach one viewer per target and wait until each has its first event."""
        new = [Viewer(target) for target in targets]
        self._tasks += [asyncio.create_task(viewer.watch(self._path)) for viewer in new]
        self.viewers += new
        async with asyncio.timeout(BOUND_S):
            for viewer in new:
                await viewer.has_begun.wait()

    async def ended(self) -> None:
        """Wait until every stream has ended."""
        async with asyncio.timeout(BOUND_S):
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def crowd_of(path: str, targets: Sequence[str]) -> AsyncIterator[Crowd]:
    """Open a crowd with one viewer per target, each with its first event."""
    async with Crowd(path) as crowd:
        await crowd.attach(targets)
        yield crowd
