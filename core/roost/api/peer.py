"""Who is at the other end of a Unix socket."""

from __future__ import annotations

import socket
import struct
import sys
from typing import Protocol

_UCRED = struct.Struct("3i")
"""Linux `struct ucred`: pid, uid, gid."""

_XUCRED_HEAD = struct.Struct("2I")
"""The beginning of `struct xucred` on macOS and the BSDs: version, uid."""

_XUCRED_SIZE = 256
"""Bytes; generous, the kernel fills in what it has."""

_SOL_LOCAL = 0
_LOCAL_PEERCRED = 1


class _Connection(Protocol):
    def getsockopt(self, level: int, option: int, size: int, /) -> bytes: ...


def peer_uid(connection: _Connection) -> int:
    """Return the user id of the process that connected.

    Raises:
        OSError: the connection is gone, or is no Unix socket.
    """
    if sys.platform == "linux":
        _pid, uid, _gid = _UCRED.unpack(
            connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
        )
        return int(uid)
    facts = connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, _XUCRED_SIZE)
    _version, uid = _XUCRED_HEAD.unpack_from(facts)
    return int(uid)
