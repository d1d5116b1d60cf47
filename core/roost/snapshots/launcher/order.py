"""A start as it was asked for, and what is left of the template in the process that it becomes."""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import dataclass, field
from typing import Any

from . import wire


@dataclass
class Order:
    """One start; owns its descriptors."""

    number: int
    cwd: str
    comm: str
    rlimits: list[tuple[str, int]]
    stdio: tuple[int, int, int]
    memory: int
    """Holds the environment and the arguments; read in the new process only."""
    gate: int
    handed: list[int] = field(default_factory=list)

    @classmethod
    def from_message(cls, message: wire.Message, descriptors: list[int]) -> Order:
        """Read an order.

        Raises:
            ValueError, KeyError, IndexError: it is none.
        """
        stdin, stdout, stderr, memory, gate = descriptors[:5]
        return cls(
            number=message["id"],
            cwd=message["cwd"],
            comm=message["comm"],
            rlimits=[(name, value) for name, value in message["rlimits"]],
            stdio=(stdin, stdout, stderr),
            memory=memory,
            gate=gate,
            handed=[descriptors[index] for index in message["handed"]],
        )

    def close(self) -> None:
        """Close its descriptors; for the template, which keeps none of them."""
        for descriptor in (*self.stdio, self.memory, self.gate, *self.handed):
            os.close(descriptor)


class Gate:
    """A new process's word with the daemon; see `wire`."""

    def __init__(self, descriptor: int) -> None:
        self._channel = socket.socket(fileno=descriptor)
        self._may_go = False

    def wait_for_go(self) -> None:
        """Return when the daemon owns this process; ends it when it never will."""
        if self._may_go:
            return
        self._may_go = True
        if wire.receive(self._channel) is None:
            os._exit(wire.EXIT_NOT_RESTORED)

    def tell_restored(self) -> None:
        """Say that the entry is next; the last word."""
        try:
            wire.send(self._channel, {"ev": "restored"})
        except OSError:
            # Nobody takes it over any more, and nobody is going to end it.
            os._exit(wire.EXIT_NOT_RESTORED)
        self._channel.close()

    def fail(self, reason: str) -> None:
        """Say why not, and end without running anything more of the app."""
        # What is sent is lost when the channel is closed with something unread in it.
        self.wait_for_go()
        message: dict[str, Any] = {"ev": "failed", "reason": reason}
        try:
            wire.send(self._channel, message)
        finally:
            sys.stderr.flush()
            os._exit(wire.EXIT_NOT_RESTORED)
