"""Who listens on a port of this machine, as Linux tells it under ``/proc``.

A socket is known by its inode: ``/proc/net/tcp`` says which inode listens where, and the
descriptors of a process say which inodes it holds.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from collections.abc import Container, Iterable, Iterator

_LISTENING = "0A"
"""State of a socket that listens, as ``/proc/net/tcp`` writes it."""

_MAPPED = "::ffff:"
"""An IPv6 socket bound to such an address serves IPv4."""


def foreign_listener(host: str, port: int, own_pids: Iterable[int]) -> str | None:
    """Name the program outside `own_pids` that answers on a port.

    Args:
        host: address that is connected to, such as ``127.0.0.1`` or ``::1``.
        port: the port.
        own_pids: the processes that may listen there, the likeliest first; no more of them are
            asked for than it takes to find the listener.

    Returns:
        Its name and pid, or None when the listener is one of `own_pids` or cannot be told: it has
        gone, its process belongs to somebody else, or the platform is not Linux.
    """
    if sys.platform != "linux":
        return None
    unknown = _listening_inodes(host, port)
    if not unknown:
        return None
    own = set()
    for pid in own_pids:
        own.add(pid)
        unknown -= set(_socket_inodes(pid))
        if not unknown:
            return None
    return _holder_of(unknown, own)


def _listening_inodes(host: str, port: int) -> set[int]:
    """Return the sockets that a connection to this address reaches: the most exact ones."""
    tables: dict[str, tuple[tuple[str, int], ...]] = {}
    for family, address in _candidates(host):
        # Each takes the system a millisecond, and the first one often does.
        if family not in tables:
            tables[family] = tuple(_listeners(family, port))
        found = {inode for bound, inode in tables[family] if bound == address}
        if found:
            return found
    return set()


def _candidates(host: str) -> tuple[tuple[str, str], ...]:
    if ":" in host:
        return ("tcp6", _hex6(host)), ("tcp6", _hex6("::"))
    return (
        ("tcp", _hex4(host)),
        ("tcp6", _hex6(_MAPPED + host)),
        ("tcp", _hex4("0.0.0.0")),
        ("tcp6", _hex6("::")),
    )


def _listeners(family: str, port: int) -> Iterator[tuple[str, int]]:
    """Yield the address and the inode of every socket that listens on a port."""
    suffix = f":{port:04X}"
    for line in _lines(f"/proc/net/{family}"):
        fields = line.split()
        if len(fields) > 9 and fields[3] == _LISTENING and fields[1].endswith(suffix):
            yield fields[1].removesuffix(suffix), int(fields[9])


def _holder_of(inodes: set[int], own: Container[int]) -> str | None:
    pids = (int(name) for name in os.listdir("/proc") if name.isdecimal())
    for pid in pids:
        if pid not in own and not inodes.isdisjoint(_socket_inodes(pid)):
            return f"{next(_lines(f'/proc/{pid}/comm'), 'a process')} (pid {pid})"
    return None


def _socket_inodes(pid: int) -> Iterator[int]:
    """Yield the sockets a process holds; none where it is gone or is not ours to look into."""
    folder = f"/proc/{pid}/fd"
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        try:
            target = os.readlink(f"{folder}/{name}")
        except OSError:
            continue
        if target.startswith("socket:["):
            yield int(target[len("socket:[") : -1])


def _lines(path: str) -> Iterator[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            yield from (line.rstrip("\n") for line in file)
    except OSError:
        return


def _hex4(address: str) -> str:
    return "".join(_words(socket.inet_pton(socket.AF_INET, address)))


def _hex6(address: str) -> str:
    return "".join(_words(socket.inet_pton(socket.AF_INET6, address)))


def _words(packed: bytes) -> Iterator[str]:
    """Write an address as the kernel does: 32 bits at a time, each in the machine's order."""
    return (f"{word:08X}" for word in struct.unpack(f"={len(packed) // 4}I", packed))
