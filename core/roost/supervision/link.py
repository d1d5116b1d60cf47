"""What a protocol session offers to supervision, without importing any protocol library."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from roost.models import RunProgress, ToolView


@dataclass(frozen=True, slots=True)
class CallAnswer:
    """What a tool answered; an error answer is an answer too."""

    content: Any
    is_error: bool
    text: str


class CallEnded(Exception):
    """A call whose answer will never come.

    `code` is ``lost`` (the process died), ``restarting`` (it is being replaced) or another one that
    docs/errors.md tells.
    """

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence

    @classmethod
    def lost(cls) -> CallEnded:
        """The server died under the call."""
        return cls("lost", "the server died during the call; nobody knows how far it came")

    @classmethod
    def let_go(cls) -> CallEnded:
        """The call was withdrawn, and the server has ended it."""
        return cls("cancelled", "the call was cancelled, and its server has ended it")

    @classmethod
    def restarting(cls) -> CallEnded:
        """The process was replaced or stopped under the call."""
        return cls(
            "restarting",
            "the bundle was restarted or stopped during the call; call again once it runs",
        )


@dataclass(frozen=True, slots=True)
class Finding:
    """What was wrong with one request over HTTP."""

    code: str
    """Stable name: ``refused``, ``unauthorized``, ``not_mcp``, …"""
    clause: str
    """In words, with the address."""


class HandshakeFailed(Exception):
    """The server cannot be talked to; the text continues the sentence "NAME is not usable: …".

    `code` is the code of the reason.
    """

    def __init__(self, clause: str, code: str = "handshake_failed") -> None:
        super().__init__(clause)
        self.code = code


class Withdrawal(Protocol):
    """A caller's wish that its call end, and what the caller is told of the work until then."""

    @property
    def asked(self) -> asyncio.Future[None]:
        """Done once the call is to end."""
        ...

    def goes_on(self) -> None:
        """Take note of a sign that the server works on, other than progress."""
        ...


class Link(Protocol):
    """A live session."""

    tools: tuple[ToolView, ...]
    era: str
    in_flight: int
    probe_request: str
    """What `probe` asks, which depends on the era."""

    @property
    def is_open(self) -> bool:
        """Whether a call may be answered still."""
        ...

    def end_calls(self, ended: CallEnded) -> None: ...

    def answers(self) -> tuple[tuple[str, str], ...]:
        """Return what the server answered while the session opened.

        Each is the method that was asked and the whole answer as JSON with sorted keys; tools are
        sorted by name.
        """
        ...

    async def wait_idle(self) -> None: ...

    async def call(
        self,
        tool: str,
        arguments: dict[str, Any],
        on_progress: Callable[[RunProgress], None],
        withdrawal: Withdrawal | None = None,
    ) -> CallAnswer:
        """Call a tool.

        Cancelling the caller sends the protocol's cancellation and looks no further. A withdrawal
        sends it too, and the call lasts until an end of the work is seen; progress is told on.

        Raises:
            CallEnded: the answer will never come.
        """
        ...

    def figures(self) -> tuple[int, int | None]: ...

    async def probe(self) -> None:
        """Ask whether the server is there and return once it answers, whatever it says.

        The caller bounds the wait. Never waits behind a call.

        Raises:
            CallEnded: nothing can be asked any more.
        """
        ...

    def owed_s(self) -> float | None:
        """Return for how many seconds the server has owed an answer without a word.

        None when it owes none. A call that was given up is owed until the server is heard again.
        """
        ...


class SessionOwner(Protocol):
    """The owner of a session that may not be open yet."""

    @property
    def loss(self) -> str:
        """Why the session ended, as a clause after the bundle's name."""
        ...

    async def open(self) -> Link: ...

    async def wait_ended(self) -> None:
        """Wait until the session can carry no more calls."""
        ...

    async def close(self) -> None: ...
