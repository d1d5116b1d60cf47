"""`Control`: the daemon's end of a template's control socket, in the event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence

from roost.snapshots.launcher import wire


class Control:
    """Sends to a template and hands on what it says; never blocks.

    Args:
        channel: owned from here on.
        on_message: called with each message; what came with it is the callee's.
        on_end: called once when the template's end is closed.
    """

    def __init__(
        self,
        channel: socket.socket,
        loop: asyncio.AbstractEventLoop,
        on_message: Callable[[wire.Message, list[int]], None],
        on_end: Callable[[], None],
    ) -> None:
        channel.setblocking(False)
        self._channel = channel
        self._loop = loop
        self._on_message = on_message
        self._on_end = on_end
        self._is_open = True
        loop.add_reader(channel, self._read)

    def send(self, message: wire.Message, descriptors: Sequence[int] = ()) -> bool:
        """Send a message; False when the template is gone or does not read what it is sent."""
        if not self._is_open:
            return False
        try:
            wire.send(self._channel, message, descriptors)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Close it, which ends the template; safe to call again."""
        if not self._is_open:
            return
        self._is_open = False
        self._loop.remove_reader(self._channel)
        self._channel.close()
        self._on_end()

    def _read(self) -> None:
        try:
            received = wire.receive(self._channel)
        except BlockingIOError:
            return
        if received is None:
            self.close()
            return
        self._on_message(*received)
