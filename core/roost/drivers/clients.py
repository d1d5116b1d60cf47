"""Who is connected to the ports that a process tree listens on."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import psutil


def client_count(pids: Iterable[int]) -> int | None:
    """Count the TCP connections to the listening sockets of these processes.

    Connections that Roost made itself, to ask whether a bundle is well, are nobody's work.

    Returns:
        None where the system does not tell.
    """
    try:
        own = {connection.laddr for connection in _connections(os.getpid())}
        found = [connection for pid in pids for connection in _connections(pid)]
    except psutil.Error:
        return None
    listening = {entry.laddr.port for entry in found if entry.status == psutil.CONN_LISTEN}
    # Processes that share a socket, as the workers of a server do, are told of it once each.
    served = {
        (entry.laddr, entry.raddr)
        for entry in found
        if entry.status == psutil.CONN_ESTABLISHED and entry.laddr.port in listening
    }
    return sum(remote not in own for _, remote in served)


def _connections(pid: int) -> list[Any]:
    try:
        return list(psutil.Process(pid).net_connections(kind="tcp"))
    except psutil.NoSuchProcess:
        return []
