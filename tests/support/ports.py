"""Ports and addresses of the machine the tests run on."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


def has_ipv6() -> bool:
    """Say whether something can listen on ``::1``."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


@contextmanager
def held_port() -> Iterator[int]:
    """Give a port for a server that reuses addresses.

    Nobody else gets it by chance: it is bound for the block, without listening.
    """
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def is_open(port: int, host: str = "127.0.0.1") -> bool:
    """Say whether somebody listens."""
    try:
        socket.create_connection((host, port), timeout=30).close()
    except ConnectionRefusedError:
        return False
    return True
