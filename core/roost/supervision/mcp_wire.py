"""`Wire`: what carries the messages of one MCP session, pipes or HTTP."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from roost.supervision.link import Finding

Streams = tuple[Any, Any]
"""What the SDK reads messages from and writes them to."""


class Wire(Protocol):
    """Carries the messages of one session."""

    heard_at: float
    """When the last message came, by the loop's clock."""
    ended: asyncio.Event
    """Set when nothing can be asked any more."""
    era: str | None
    """Protocol version, once it is agreed on."""

    @property
    def loss(self) -> str:
        """Why it ended, as a clause after the bundle's name."""
        ...

    @property
    def finding(self) -> Finding | None:
        """What was wrong with the last request, where the wire knows."""
        ...

    def open(self) -> AbstractAsyncContextManager[Streams]:
        """Carry messages for the SDK; whatever happens, its stream of answers closes in order."""
        ...

    async def ask(self, method: str, params: dict[str, Any]) -> object:
        """Put a probe past the session and return once it is answered; the caller bounds it."""
        ...
