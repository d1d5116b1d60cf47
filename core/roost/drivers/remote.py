"""`RemoteProcess`: stands where a process would, for a server that runs somewhere else.

Nothing of this machine belongs to it: it has no pid, no output and nothing that could be signalled.
It lives from `connect` until `stop`.
"""

from __future__ import annotations

import asyncio

from roost.drivers.base import ProcessExit, StopReport

DISCONNECTED = ProcessExit(None, None, "disconnected")
"""How every one of them ends: whether the server goes on is not known here."""

REMOTE_HANDLE = "remote"
"""No driver finds a process by it, so a sweep passes it over."""


class RemoteProcess:
    """Meets `DriverProcess` without a process; make it inside a running loop."""

    def __init__(self) -> None:
        self.handle = REMOTE_HANDLE
        self.stdin: asyncio.StreamWriter | None = None
        self.stdout, self.stderr = _nothing(), _nothing()
        self._ended: asyncio.Future[ProcessExit] = asyncio.get_running_loop().create_future()

    @property
    def display_pid(self) -> int | None:
        return None

    @property
    def exit(self) -> ProcessExit | None:
        """How it ended, or None while it counts as connected."""
        return self._ended.result() if self._ended.done() else None

    async def wait(self) -> ProcessExit:
        """Wait for its end; safe to call from several tasks and to cancel."""
        return await asyncio.shield(self._ended)

    async def stop(self, grace_s: float, *, eof_first: bool) -> StopReport:
        """End it: there is nothing to signal and nothing to wait for."""
        if not self._ended.done():
            self._ended.set_result(DISCONNECTED)
        return StopReport(DISCONNECTED)

    def is_at_rest(self) -> bool:
        """Nothing of it uses this machine."""
        return True

    async def clients(self) -> int | None:
        """Who else is connected to the server cannot be told."""
        return None

    def suspended(self) -> tuple[int, ...]:
        return ()

    def foreign_listener(self, host: str, port: int) -> str | None:
        """Whoever answers at the address is the server."""
        return None


def _nothing() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    reader.feed_eof()
    return reader
