"""`OutputTail`: reads what a template says, so that it never waits for that; keeps the end."""

from __future__ import annotations

import asyncio

KEPT_BYTES = 4096
"""The last line of a traceback and then some."""

_CHUNK = 65536


class OutputTail:
    """The end of one stream."""

    def __init__(self, stream: asyncio.StreamReader, kept_bytes: int = KEPT_BYTES) -> None:
        self._stream = stream
        self._kept_bytes = kept_bytes
        self._kept = b""
        self._reading: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Read from now on; call it when the stream is connected."""
        self._reading = asyncio.get_running_loop().create_task(self._read())

    async def finish(self) -> None:
        """Wait until everything is read; call it when the stream is at its end, or was left."""
        if self._reading is not None:
            await asyncio.wait({self._reading})

    def leave(self) -> None:
        """Begin to read no more: once this is finished, what comes is another reader's."""
        if self._reading is not None:
            self._reading.cancel()

    def last_line(self) -> str:
        """Return the last line that is not empty."""
        lines = self._kept.decode("utf-8", "replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def text(self) -> str:
        """Return what is kept of it."""
        return self._kept.decode("utf-8", "replace").strip()

    async def _read(self) -> None:
        while chunk := await self._stream.read(_CHUNK):
            self._kept = (self._kept + chunk)[-self._kept_bytes :]
