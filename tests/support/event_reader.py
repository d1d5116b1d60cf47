"""`EventReader`: the events of one stream as they come over a raw connection."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.serving import RawViewer, raw_viewer

from roost.client.sse import ServerEvent, SseDecoder

BOUND_S = 30.0


class EventReader:
    """Reads one stream event by event, each within a bound."""

    def __init__(self, viewer: RawViewer) -> None:
        self._viewer = viewer
        self._decoder = SseDecoder()
        self._waiting: deque[ServerEvent] = deque()
        self.chunks: list[bytes] = []
        """What came, as it was sent."""
        self.is_complete = False

    async def begin(self) -> None:
        """Read the head of the answer, which must be a stream of events."""
        head = await self._viewer.read_until(b"\r\n\r\n")
        assert b" 200 OK" in head and b"text/event-stream" in head, head

    async def next(self) -> ServerEvent:
        """Return the next event."""
        async with asyncio.timeout(BOUND_S):
            while not self._waiting:
                assert await self.read_chunk(), "the stream ended without another event"
        return self._waiting.popleft()

    async def until(self, name: str) -> list[ServerEvent]:
        """Return the events up to the first one of this name."""
        events = [await self.next()]
        while events[-1].name != name:
            events.append(await self.next())
        return events

    async def rest(self) -> list[ServerEvent]:
        """Read to the end of the stream, which must be a proper one."""
        async with asyncio.timeout(BOUND_S):
            while await self.read_chunk():
                pass
        events = list(self._waiting)
        self._waiting.clear()
        return events

    async def everything_else(self) -> bytes:
        """Read what comes until the connection ends, however it does."""
        if self._viewer.writer.is_closing():
            return b""
        try:
            return await self._viewer.read_rest()
        except ConnectionError:
            return b""

    async def leave(self) -> None:
        """Drop the connection."""
        await self._viewer.leave()

    async def read_chunk(self) -> bytes:
        """Read what was sent in one piece; nothing when that was the end."""
        size = int(await self._viewer.reader.readuntil(b"\r\n"), 16)
        chunk = await self._viewer.reader.readexactly(size)
        await self._viewer.reader.readexactly(2)
        self._waiting += self._decoder.feed(chunk)
        if chunk:
            self.chunks.append(chunk)
        self.is_complete = not chunk
        return chunk


@asynccontextmanager
async def event_reader(path: str, target: str, *headers: str) -> AsyncIterator[EventReader]:
    """Open a stream over a connection of its own; leaving the block drops it."""
    async with raw_viewer(path, target, *headers, limit=2**24) as viewer:
        reader = EventReader(viewer)
        await reader.begin()
        yield reader
