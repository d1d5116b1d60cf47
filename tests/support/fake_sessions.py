"""MCP sessions without a protocol: they open and answer when the test says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from roost.models import RunProgress, ToolView
from roost.supervision.link import CallAnswer, CallEnded, HandshakeFailed, Link, Withdrawal

ERA = "2025-06-18"


class FakeLink:
    """A session whose calls last until `release`, or answer at once when it was released before.

    Args:
        number: which session it is, counted from 1; every answer names it.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.tools: tuple[ToolView, ...] = (ToolView("echo", "Echo", "Says who answers"),)
        self.era = ERA
        self.in_flight = 0
        self.probe_request = "ping"
        self.probes = 0
        """Probes that came."""
        self.answers_probes = True
        self.owed: float | None = None
        """For how long it owes an answer, as `owed_s` tells it."""
        self.ended: list[str] = []
        """Codes with which calls were ended, oldest first; the first counts."""
        self.is_drained = asyncio.Event()
        """Set when somebody waits for the calls in flight."""
        self._released = asyncio.Event()
        self._released.set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._over = asyncio.Event()

    def hold(self) -> None:
        """Let calls last from now on."""
        self._released.clear()

    def release(self) -> None:
        """Answer the calls in flight, and later ones at once."""
        self._released.set()

    async def probe(self) -> None:
        self.probes += 1
        if not self.answers_probes:
            await self._over.wait()

    def owed_s(self) -> float | None:
        return self.owed

    @property
    def is_open(self) -> bool:
        return not self._over.is_set()

    def end_calls(self, ended: CallEnded) -> None:
        self.ended.append(ended.code)
        self._over.set()

    def answers(self) -> tuple[tuple[str, str], ...]:
        return (("initialize", "{}"), ("tools/list", "[]"))

    async def wait_idle(self) -> None:
        self.is_drained.set()
        await self._idle.wait()

    async def call(
        self,
        tool: str,
        arguments: dict[str, Any],
        on_progress: Callable[[RunProgress], None],
        withdrawal: Withdrawal | None = None,
    ) -> CallAnswer:
        if self._over.is_set():
            raise CallEnded(self.ended[0], "ended before")
        self.in_flight += 1
        self._idle.clear()
        try:
            return await self._answer()
        finally:
            self.in_flight -= 1
            if not self.in_flight:
                self._idle.set()

    async def _answer(self) -> CallAnswer:
        waits = [asyncio.create_task(event.wait()) for event in (self._released, self._over)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        if not self._released.is_set():
            raise CallEnded(self.ended[0], "ended")
        return CallAnswer(content=self.number, is_error=False, text=str(self.number))

    def figures(self) -> tuple[int, int | None]:
        return self.number, None


class FakeSessions:
    """Stands in for the module that opens sessions."""

    def __init__(self) -> None:
        self.links: list[FakeLink] = []
        """The sessions that were asked for, oldest first; those that never opened too."""
        self.gate = asyncio.Event()
        """While it is not set, no handshake comes to its end."""
        self.gate.set()
        self.refusal: str | None = None
        """Why the next handshakes fail, or None."""

    def LinkOwner(self, reader: asyncio.StreamReader, *_: Any, **__: Any) -> _Owner:
        """Meet the constructor of `roost.supervision.mcp_session.LinkOwner`."""
        link = FakeLink(len(self.links) + 1)
        self.links.append(link)
        return _Owner(self, reader, link)


class _Owner:
    loss = "closed its output while it ran"

    def __init__(
        self, sessions: FakeSessions, reader: asyncio.StreamReader, link: FakeLink
    ) -> None:
        self._sessions = sessions
        self._reader = reader
        self._link = link

    async def open(self) -> Link:
        await self._sessions.gate.wait()
        if self._sessions.refusal is not None:
            raise HandshakeFailed(self._sessions.refusal)
        return self._link

    async def wait_ended(self) -> None:
        await self._reader.read()

    async def close(self) -> None: ...
