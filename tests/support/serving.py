"""The application on a real socket in a short directory, and raw connections to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.types import ASGIApp
from tests.support.fake_engine import FakeEngine
from tests.support.socket_dir import socket_dir

from roost.api import ApiServer, bind_socket, create_app


@dataclass(frozen=True)
class Served:
    """A server and where it listens."""

    server: ApiServer
    path: str


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[Served]:
    """Serve an application until the block ends."""
    with socket_dir() as directory:
        path = f"{directory}/roost.sock"
        async with ApiServer(app, bind_socket(path)) as server:
            yield Served(server, path)


@asynccontextmanager
async def serving_fake(fake: FakeEngine) -> AsyncIterator[Served]:
    """Serve a fake engine, whose streams are closed first as a daemon would."""
    async with serving(create_app(fake, clock=fake.clock)) as served:
        try:
            yield served
        finally:
            fake.close()


class RawViewer:
    """A connection that has asked for a path and reads the answer as it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def read_until(self, text: bytes) -> bytes:
        """Read until `text` came, and return everything up to it."""
        async with asyncio.timeout(10):
            return await self.reader.readuntil(text)

    async def read_rest(self) -> bytes:
        """Read until the server closes."""
        async with asyncio.timeout(10):
            return await self.reader.read()

    async def leave(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()


@asynccontextmanager
async def raw_viewer(
    path: str, target: str = "/v1/events", *headers: str, limit: int = 2**16
) -> AsyncIterator[RawViewer]:
    """Ask for a path over a connection of its own."""
    reader, writer = await asyncio.open_unix_connection(path, limit=limit)
    lines = [f"GET {target} HTTP/1.1", "Host: roost", *headers, "", ""]
    writer.write("\r\n".join(lines).encode())
    viewer = RawViewer(reader, writer)
    try:
        yield viewer
    finally:
        await viewer.leave()
