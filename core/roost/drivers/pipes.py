"""The pipes of one child, as asyncio streams."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import IO

DRAIN_S = 0.5
"""How long output that a dead process left in its pipes is awaited. Longer is no use: then a
process that escaped holds the pipe, or nobody reads the stream."""

STREAM_LIMIT = 1 << 20
"""Bytes a stream buffers before the child is made to wait; readers take chunks, not lines."""


@dataclass(frozen=True, slots=True)
class ChildEnds:
    """Our ends of a child's pipes, unbuffered."""

    stdin: IO[bytes] | None
    """None when its stdin is the null device."""
    stdout: IO[bytes]
    stderr: IO[bytes]

    def close(self) -> None:
        """Close them all; for a child that nobody owns."""
        for pipe in (self.stdin, self.stdout, self.stderr):
            if pipe is not None:
                pipe.close()


class _OutputProtocol(asyncio.Protocol):
    """Feeds a stream and tells when its pipe is closed.

    The one that comes with `asyncio.StreamReader` writes too, and takes 2 KiB more of each pipe.
    """

    def __init__(self, reader: asyncio.StreamReader, closed: asyncio.Future[None]) -> None:
        self._reader = reader
        self._closed = closed

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._reader.set_transport(transport)

    def data_received(self, data: bytes) -> None:
        self._reader.feed_data(data)

    def eof_received(self) -> None:
        self._reader.feed_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is None:
            self._reader.feed_eof()
        else:
            self._reader.set_exception(exc)
        _tell(self._closed)


class _InputProtocol(asyncio.StreamReaderProtocol):
    """Controls the flow into a pipe and tells when it is closed."""

    def __init__(self, loop: asyncio.AbstractEventLoop, closed: asyncio.Future[None]) -> None:
        # It demands a reader, from which nothing is ever read.
        super().__init__(asyncio.StreamReader(loop=loop), loop=loop)
        self._pipe_closed = closed

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        _tell(self._pipe_closed)


def _tell(closed: asyncio.Future[None]) -> None:
    if not closed.done():
        closed.set_result(None)


class ChildPipes:
    """Owns our ends of a child's pipes from its spawn until `close`."""

    def __init__(self, ends: ChildEnds, loop: asyncio.AbstractEventLoop) -> None:
        self._own_ends = ends
        self._loop = loop
        self._ends: list[tuple[asyncio.BaseTransport, asyncio.Future[None]]] = []
        """What reads or writes each pipe, and what is done once that is closed."""
        self.stdin: asyncio.StreamWriter | None = None
        self.stdout = asyncio.StreamReader(STREAM_LIMIT, loop)
        self.stderr = asyncio.StreamReader(STREAM_LIMIT, loop)

    async def connect(self) -> None:
        """Attach the pipes to the loop; again, it does nothing."""
        if self._ends:
            return
        await self._connect_output(self._own_ends.stdout, self.stdout)
        await self._connect_output(self._own_ends.stderr, self.stderr)
        if self._own_ends.stdin is None:
            return
        closed = self._loop.create_future()
        protocol = _InputProtocol(self._loop, closed)
        transport, _ = await self._loop.connect_write_pipe(lambda: protocol, self._own_ends.stdin)
        self._ends.append((transport, closed))
        self.stdin = asyncio.StreamWriter(transport, protocol, None, self._loop)

    def close_stdin(self) -> bool:
        """Send end of file once what is buffered is written; False when there is no stdin."""
        if self.stdin is not None:
            self.stdin.close()
        elif self._own_ends.stdin is not None:
            self._own_ends.stdin.close()
        return self._own_ends.stdin is not None

    async def close(self) -> None:
        """Take what is left of the output, `DRAIN_S` at most, then free every descriptor."""
        self._abort_stdin()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                await self._wait_closed()
        for transport, _ in self._ends:
            transport.close()
        await self._wait_closed()
        self._own_ends.close()
        for reader in (self.stdout, self.stderr):
            reader.feed_eof()

    def _abort_stdin(self) -> None:
        if self.stdin is None:
            return
        transport = self.stdin.transport
        # A transport that is closing with nothing buffered has its end scheduled; aborting it then
        # would end it twice, which asyncio does not expect.
        if not transport.is_closing() or transport.get_write_buffer_size():
            transport.abort()

    async def _wait_closed(self) -> None:
        for _, closed in self._ends:
            await asyncio.shield(closed)

    async def _connect_output(self, pipe: IO[bytes], reader: asyncio.StreamReader) -> None:
        closed = self._loop.create_future()
        protocol = _OutputProtocol(reader, closed)
        transport, _ = await self._loop.connect_read_pipe(lambda: protocol, pipe)
        self._ends.append((transport, closed))
