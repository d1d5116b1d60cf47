"""`PeerCheckedProtocol`: HTTP for callers of our own user, and for nobody else."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from typing import Any, cast

from uvicorn.protocols.http.h11_impl import H11Protocol

from roost.api.peer import peer_uid
from roost.api.source import UID_PREFIX

logger = logging.getLogger(__name__)


GATHERED_MOST = 64 * 1024
"""Bytes; what is more goes out at once, so that a slow reader is noticed as before."""


class _Gathering:
    """A transport that writes once for all that is written in a pass of the loop.

    The server writes the head of an answer and its body apart. Each write costs the daemon a call
    of the system, and wakes the client.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._pieces: list[bytes] = []
        self._size = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if not data:
            return
        if not self._pieces:
            self._loop.call_soon(self._flush)
        self._pieces.append(data)
        self._size += len(data)
        if self._size >= GATHERED_MOST:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        pieces, self._pieces, self._size = self._pieces, [], 0
        if pieces:
            self._transport.write(b"".join(pieces))


class PeerCheckedProtocol(H11Protocol):
    """Drops connections of other users, root's too, before a byte of them is read.

    The mode of the socket keeps them out already; this holds where it was changed. The peer of an
    accepted connection becomes its client address.
    """

    find_uid: Callable[[Any], int] = staticmethod(peer_uid)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        uid = self._uid_of(transport)
        if uid != os.geteuid():
            logger.warning("dropped a connection of the user with id %s", uid)
            self.transport = transport  # the inherited connection_lost closes it
            transport.abort()
            return
        gathering = cast(asyncio.Transport, _Gathering(transport, self.loop))
        super().connection_made(gathering)
        self.client = (f"{UID_PREFIX}{uid}", 0)

    def _uid_of(self, transport: asyncio.Transport) -> int | None:
        try:
            return self.find_uid(transport.get_extra_info("socket"))
        except OSError:  # already gone again
            return None
