"""`McpPipes`: newline-delimited JSON-RPC on the pipes of one process, as the SDK's transport."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

from roost.supervision.mcp_wire import Streams

READ_CHUNK_BYTES = 65536
"""The SDK's line reader and asyncio's both stop at 64 KiB lines, so we read by chunks."""

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""A single message beyond this ends the session: the stream is broken or hostile."""

PROBES_REMEMBERED = 16
"""Probes whose answers may still come; a server that misses a few is ended."""

FIRST_PROBE_ID = 1_900_000_000
"""Ids of probes begin here: far from the session's own, which begin at 1, and still a number of 32
bits, because not every server takes any other."""


class McpPipes:
    """Newline-delimited JSON-RPC on a process's pipes, as the SDK's transport.

    Probes go past the session: an idle server is asked for ever, and through the session each
    question takes three times the processor time.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        on_stray: Callable[[bytes], None],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._on_stray = on_stray
        self._loop = asyncio.get_running_loop()
        self._probes: dict[int, asyncio.Future[dict[str, Any]]] = {}
        """Probes without an answer yet; late answers are not the session's either."""
        self._probe_ids = itertools.count(FIRST_PROBE_ID)
        self.heard_at = self._loop.time()
        """When the last message came, by the loop's clock."""
        self.ended = asyncio.Event()
        """Set when nothing can be read any more."""
        self.loss = "closed its output while it ran"
        """Why it ended, as a clause after the bundle's name."""
        self.finding = None
        """Nothing is known of a handshake that failed but how it failed."""
        self.era: str | None = None
        """Protocol version, once it is agreed on."""

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[Streams, None]:
        to_session, session_reads = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        session_writes, from_session = anyio.create_memory_object_stream[SessionMessage](0)

        async def pump_in() -> None:
            try:
                async with to_session:  # its end fails every waiting call
                    async for line in self._lines():
                        if self._probes and self._answers_probe(line):
                            continue
                        message = self._parse(line)
                        if message is not None:
                            await to_session.send(message)
            finally:
                self.ended.set()

        async def pump_out() -> None:
            async with from_session:
                async for item in from_session:
                    text = item.message.model_dump_json(by_alias=True, exclude_unset=True)
                    try:
                        self._writer.write(text.encode() + b"\n")
                        await self._writer.drain()
                    except (ConnectionError, RuntimeError):
                        return  # the process is gone or going; pump_in tells the session

        async with anyio.create_task_group() as pumps:
            pumps.start_soon(pump_in)
            pumps.start_soon(pump_out)
            try:
                yield session_reads, session_writes
            finally:
                pumps.cancel_scope.cancel()
                session_reads.close()
                session_writes.close()

    async def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Put a probe and return its answer, of whatever kind; the caller bounds the wait."""
        number = next(self._probe_ids)
        answered: asyncio.Future[dict[str, Any]] = self._loop.create_future()
        self._probes[number] = answered
        request = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        self._writer.write(json.dumps(request).encode() + b"\n")
        try:
            return await answered
        finally:
            while len(self._probes) > PROBES_REMEMBERED:
                del self._probes[next(iter(self._probes))]

    def _answers_probe(self, line: bytes) -> bool:
        """Take the answer to a probe; False when the line is anything else."""
        if not any(b"%d" % number in line for number in self._probes):
            return False
        try:
            message = json.loads(line)
        except ValueError:
            return False
        if not isinstance(message, dict) or "method" in message:
            return False
        number = message.get("id")
        answered = self._probes.pop(number, None) if isinstance(number, int) else None
        if answered is None:
            return False
        self.heard_at = self._loop.time()
        if not answered.done():
            answered.set_result(message)
        return True

    async def _lines(self) -> AsyncGenerator[bytes, None]:
        buffer = bytearray()
        while chunk := await self._reader.read(READ_CHUNK_BYTES):
            searched = len(buffer)
            buffer += chunk
            while (end := buffer.find(b"\n", searched)) >= 0:
                line = bytes(buffer[:end])
                del buffer[: end + 1]
                searched = 0
                if line.strip():
                    yield line
            if len(buffer) > MAX_MESSAGE_BYTES:
                self._on_stray(b"[message over 64 MiB: session ended]")
                return

    def _parse(self, line: bytes) -> SessionMessage | None:
        try:
            message = SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
        except ValueError:
            self._on_stray(line)
            return None
        self.heard_at = self._loop.time()
        return message
