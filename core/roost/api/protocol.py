"""`PeerCheckedProtocol`: HTTP for callers of our own user, and for nobody else."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from roost.api.peer import peer_uid
from roost.api.source import UID_PREFIX

logger = logging.getLogger(__name__)


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
        super().connection_made(transport)
        self.client = (f"{UID_PREFIX}{uid}", 0)

    def _uid_of(self, transport: asyncio.Transport) -> int | None:
        try:
            return self.find_uid(transport.get_extra_info("socket"))
        except OSError:  # already gone again
            return None
